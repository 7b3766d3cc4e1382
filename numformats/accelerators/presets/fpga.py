"""FPGA: ap_fixed of high-level synthesis, DSP slices with 48-bit accumulators.

Sources: AMD UG1399 (Vitis HLS), UG579 (UltraScale DSP).
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.engines import ApFixed, IntegerDot

_HLS = ("AMD Vitis HLS User Guide UG1399, Arbitrary Precision Fixed-Point Data Types",)
_DSP = ("AMD UltraScale Architecture DSP Slice User Guide UG579",)


def _ap_fixed(name: str, quantization: str, overflow: str, fmt: str, mode: str) -> Accelerator:
    return Accelerator(
        name,
        f"FPGA: ap_fixed<16,6,{quantization},{overflow}>",
        weights=fmt,
        activations=fmt,
        rounding=mode,
        engine=IntegerDot(16, 16, accumulator_bits=48),
        requantize=ApFixed(16, 6, 20, quantization=quantization, overflow=overflow),
        confidence="documented",
        sources=_HLS,
        notes="Products and sums grow without loss, up to 48 bits, and results are assigned to "
        "ap_fixed<16,6> once. A design that assigns every partial sum rounds each time.",
    )


def _dsp(bits: int) -> Accelerator:
    return Accelerator(
        f"fpga-dsp48-int{bits}",
        f"FPGA: {bits}-bit integers into the 48-bit accumulator of a DSP48E2",
        weights=f"fixed<{bits},{bits - 1}>",
        activations=f"fixed<{bits},{bits - 1}>",
        engine=IntegerDot(bits, bits, accumulator_bits=48),
        confidence="documented",
        sources=_DSP,
        notes="The slice multiplies 27 x 18 bits; operands have up to 16 here. It wraps modulo "
        "2^48. Rounding constants and pattern detection are left out.",
    )


PRESETS = (
    _ap_fixed("fpga-ap-fixed-16-6", "AP_TRN", "AP_WRAP", "fixed<16,10,overflow=wrap>",
              "toward_negative"),
    _ap_fixed("fpga-ap-fixed-16-6-rnd-sat", "AP_RND_CONV", "AP_SAT", "fixed<16,10>",
              "nearest_even"),
    _dsp(8),
    _dsp(16),
)  # fmt: skip
