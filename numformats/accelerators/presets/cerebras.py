"""Cerebras WSE. Sources: Cerebras documentation; little is public."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.engines import MACChain

_SOURCES = ("Cerebras documentation, mixed precision and CB16 (cbfloat16)",)
_UNKNOWN = "FP32 accumulation is documented, its order is not: a chain of multiply-adds here."
CB16 = "float<6,9,overflow=infinity>"

PRESETS = (
    Accelerator(
        "cerebras-cb16",
        "Cerebras: CB16 (1-6-9), FP32 accumulation",
        **stored(CB16),
        engine=MACChain(CB16, CB16, accumulator="fp32"),
        sources=_SOURCES,
        notes=f"{_UNKNOWN} Bias (31), Inf, NaN and subnormals of CB16 are not verified: as IEEE.",
    ),
    Accelerator(
        "cerebras-fp16",
        "Cerebras: FP16, FP32 accumulation",
        **stored("fp16"),
        engine=MACChain("fp16", "fp16", accumulator="fp32"),
        sources=_SOURCES,
        notes=_UNKNOWN,
    ),
)
