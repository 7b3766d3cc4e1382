"""AWS Trainium 1 to 3 (and Inferentia 2). Sources: AWS Neuron documentation."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import MACChain

_NEURON = ("AWS Neuron documentation: data types, NKI, Trainium architecture guides",)
_UNKNOWN = (
    "Accumulation is in FP32 (PSUM); order, alignment and the bits of stochastic rounding are not "
    "public: a chain of FP32 multiply-adds here."
)
_WIDE = MACChain("fp32", "fp32", accumulator="fp32")
_FP8 = "Scales are software; that errors are E5M2 is a choice, not the chip's."


def _bf16(name: str, chip: str) -> Accelerator:
    return Accelerator(
        name,
        f"{chip}: BF16 operands, FP32 accumulation",
        **stored("bf16"),
        engine=MACChain("bf16", "bf16", accumulator="fp32"),
        sources=_NEURON,
        notes=f"{_UNKNOWN} Storage rounds to nearest even; with XLA_USE_BF16 or "
        "NEURON_RT_STOCHASTIC_ROUNDING_EN stochastically: rounding='stochastic'.",
    )


def _fp8(name: str, chip: str, fmt: str, notes: str) -> Accelerator:
    return Accelerator(
        name,
        f"{chip}: {fmt.upper()} operands, FP32 accumulation",
        weights=fmt,
        activations=fmt,
        errors="e5m2",
        scaling=Scaling("tensor"),
        engine=MACChain(fmt, fmt, accumulator="fp32"),
        sources=_NEURON,
        notes=f"{notes}{_UNKNOWN} {_FP8}",
    )


def _mx(name: str, fmt: str) -> Accelerator:
    return Accelerator(
        f"aws-trainium3-{name}",
        f"AWS Trainium 3: {name.upper()}, blocks of 32 along K",
        weights=fmt,
        activations=fmt,
        engine=_WIDE,
        sources=(*_NEURON, "OCP Microscaling Formats (MX) 1.0"),
        notes=f"{_UNKNOWN} Scales multiply elements exactly before products here; the array "
        "adds four MX products a cycle, in an order that is not public. No recipe for "
        "errors is stated.",
    )


def _psum(name: str, rounding: str) -> Accelerator:
    return Accelerator(
        name,
        f"AWS Trainium 3: BF16 operands, BF16 PSUM, {rounding.replace('_', ' ')}",
        **stored("bf16"),
        engine=MACChain(
            "bf16", "bf16", accumulator="fp32", chunk=128, outer="bf16", outer_rounding=rounding
        ),
        sources=_NEURON,
        notes="FP32 inside the array, one rounding as BF16 is written, as documented. The chip "
        "adds to PSUM in FP32 and then converts; here the exact sum is converted at once. The "
        "order inside the array is not public; passes of K = 128 follow from the array's rows.",
    )


PRESETS = (
    _bf16("aws-trainium1-bf16", "AWS Trainium 1, Inferentia 2"),
    _fp8("aws-trainium1-fp8-e4m3", "AWS Trainium 1, Inferentia 2 (cFP8)", "e4m3",
         "Which E4M3 this is, OCP's or IEEE's, is not stated. "),
    _fp8("aws-trainium1-fp8-e3m4", "AWS Trainium 1, Inferentia 2 (cFP8)", "e3m4", ""),
    _bf16("aws-trainium2-bf16", "AWS Trainium 2"),
    _fp8("aws-trainium2-fp8", "AWS Trainium 2", "e4m3_ieee", "E4M3 is IEEE-style, up to 240. "),
    _bf16("aws-trainium3-bf16", "AWS Trainium 3"),
    _fp8("aws-trainium3-fp8", "AWS Trainium 3", "e4m3", "E4M3 is OCP's. "),
    _mx("mxfp8", "mxfp8_e4m3"),
    _mx("mxfp4", "mxfp4"),
    _psum("aws-trainium3-bf16-psum", "nearest_even"),
    _psum("aws-trainium3-bf16-psum-sr", "stochastic"),
)  # fmt: skip
