"""IBM: DLFloat16 with chunked accumulation, hybrid FP8. Sources: Agrawal et al. 2019, Wang et al.
2018, Sun et al. 2019, IBM foundation-model-stack.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import MACChain

HFP8 = "float<4,3,specials=finite>"

PRESETS = (
    Accelerator(
        "ibm-dlfloat16-chunked",
        "IBM AIU: DLFloat16, FP32 inside chunks of 16",
        **stored("dlfloat16"),
        rounding="nearest_away",
        engine=MACChain(
            "dlfloat16", "dlfloat16", accumulator="fp32", chunk=16, outer="dlfloat16",
            outer_rounding="nearest_away",
        ),
        sources=(
            "Agrawal et al., DLFloat, ARITH 2019",
            "IBM fms-model-optimizer, emulation of chunked accumulation on the AIU",
        ),
        notes="From an emulator, not the chip. Chunks of 32 and more exist; the emulator rounds a "
        "chunk's sum before it adds it, or after, by an option: after, here. Near the smallest "
        "normal number its threshold differs, and from 8581545984 on it gives Inf where the format "
        "saturates here.",
    ),
    Accelerator(
        "ibm-hfp8",
        "IBM hybrid FP8: 1-4-3 forward, 1-5-2 errors, DLFloat16 chunks of 64",
        weights=HFP8,
        activations=HFP8,
        errors="e5m2",
        scaling=Scaling("tensor", power_of_two=True),
        engine=MACChain(HFP8, HFP8, accumulator="dlfloat16", chunk=64, outer="dlfloat16"),
        sources=(
            "Sun et al., Hybrid 8-bit Floating Point (HFP8) Training, NeurIPS 2019",
            "Wang et al., Training DNNs with 8-bit Floating Point Numbers, NeurIPS 2018",
        ),
        notes="From papers, not verified: the adjustable bias of 1-4-3 is a power-of-two scale of "
        "a tensor here, and rounding of accumulators to nearest even is a choice.",
    ),
)  # fmt: skip
