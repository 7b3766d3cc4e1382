"""Graphcore IPU. Sources: Poplar and PopLibs documentation, Noune et al. 2022."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.engines import MACChain

_SOURCES = (
    "Graphcore Poplar and PopLibs documentation (partialsType, QuarterMetadata)",
    "Noune et al., 8-bit Numerical Formats for Deep Neural Networks, arXiv 2206.02915",
)
_UNKNOWN = "Widths and order inside the AMP unit are not verified: a chain here."

PRESETS = (
    Accelerator(
        "graphcore-ipu-fp16",
        "Graphcore IPU: FP16 operands, float partials",
        **stored("fp16"),
        engine=MACChain("fp16", "fp16", accumulator="fp32"),
        sources=_SOURCES,
        notes=f"{_UNKNOWN} FP16 results may round stochastically: rounding='stochastic'.",
    ),
    Accelerator(
        "graphcore-ipu-fp8",
        "Graphcore IPU: FP8 (F143, errors F152), half partials",
        weights="f143",
        activations="f143",
        errors="f152",
        engine=MACChain("f143", "f143", accumulator="fp16"),
        sources=_SOURCES,
        notes=f"{_UNKNOWN} Quarter operands have half partials only. The exponent offset of a "
        "tensor (up to 32 either way) is runtime metadata, 0 here: scaling=Scaling('tensor', "
        "power_of_two=True, exponents=(-32, 32), limit=...) sets it; half partials overflow "
        "beyond 65504.",
    ),
)
