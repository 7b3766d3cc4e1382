"""Tesla Dojo. Source: the Dojo CFloat8 and CFloat16 white paper."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.scaling import Scaling
from numformats.engines import MACChain

_SOURCES = ("Tesla Dojo Technology: configurable floating point formats, white paper, 2021",)
_NOTE = (
    "Arithmetic is implementation dependent, typically FP32: a chain here. The 6-bit bias (0 to "
    "63) acts as a power-of-two scale of a tensor; who chooses it is not documented, the largest "
    "magnitude here."
)
SHP = "float<5,10,specials=finite,overflow=clamp>"


def _bias(default: int) -> Scaling:
    return Scaling("tensor", power_of_two=True, exponents=(default - 63, default))


PRESETS = (
    Accelerator(
        "tesla-dojo-cfloat8",
        "Tesla Dojo: CFloat8 (1-4-3, errors 1-5-2), configurable bias",
        weights="cfloat8_e4m3",
        activations="cfloat8_e4m3",
        errors="cfloat8_e5m2",
        scaling={"weights": _bias(7), "activations": _bias(7), "errors": _bias(15)},
        engine=MACChain("cfloat8_e4m3", "cfloat8_e4m3", accumulator="fp32"),
        sources=_SOURCES,
        notes=f"{_NOTE} Subnormals are those of IEEE; the paper's formula, read literally, leaves "
        "a gap. Conversions may also round stochastically: rounding='stochastic'.",
    ),
    Accelerator(
        "tesla-dojo-cfloat16",
        "Tesla Dojo: CFloat16 SHP (1-5-10), configurable bias",
        weights=SHP,
        activations=SHP,
        errors=SHP,
        scaling=_bias(15),
        engine=MACChain(SHP, SHP, accumulator="fp32"),
        sources=_SOURCES,
        notes=f"{_NOTE} NaN operands, which the chip clamps to the largest value, are refused.",
    ),
)
