"""Microsoft floating point (MSFP). Source: Darvish Rouhani et al. 2020."""

from numformats.accelerators.accelerator import Accelerator
from numformats.engines import MACChain

_SOURCES = (
    "Darvish Rouhani et al., Pushing the Limits of Narrow Precision Inferencing at Cloud Scale "
    "with Microsoft Floating Point, NeurIPS 2020",
)


def _msfp(fmt: str) -> Accelerator:
    return Accelerator(
        f"microsoft-{fmt}",
        f"Microsoft Brainwave: {fmt.upper()}, boxes of 16",
        weights=fmt,
        activations=fmt,
        engine=MACChain("bf16", "bf16", accumulator="fp32"),
        sources=_SOURCES,
        notes="The layout is as published, not verified; how the unit adds up is not public: a "
        "chain in FP32 here.",
    )


PRESETS = (_msfp("msfp12"), _msfp("msfp16"))
