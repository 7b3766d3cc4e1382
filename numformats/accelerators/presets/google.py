"""Google TPU. Sources: Cloud TPU documentation; how the array adds up is not public."""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import IntegerDot, MACChain

_UNKNOWN = "Order of accumulation, rounding and subnormals are not public: "
_SOURCES = ("Google Cloud TPU system architecture (MXU: BF16 products, FP32 accumulation)",)

PRESETS = (
    Accelerator(
        "google-tpu-bf16",
        "Google TPU: BF16 operands, FP32 accumulation",
        **stored("bf16"),
        engine=MACChain("bf16", "bf16", accumulator="fp32"),
        sources=_SOURCES,
        notes=_UNKNOWN + "a chain of FP32 multiply-adds to nearest even in order of k here.",
    ),
    Accelerator(
        "google-tpu-int8",
        "Google TPU: 8-bit integers, 32-bit accumulation",
        weights="fixed<8,0>",
        activations="fixed<8,0>",
        scaling={"weights": Scaling("channel"), "activations": Scaling("tensor")},
        engine=IntegerDot(8, 8),
        sources=_SOURCES,
        notes="The 32-bit accumulator, and that it wraps, is not verified. Scales are software.",
    ),
)
