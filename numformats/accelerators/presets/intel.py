"""Intel: AVX512-BF16 and AMX, Gaudi 2 and 3, Nervana Flexpoint.

Sources: Intel Software Developer's Manual; oneDNN; Intel Gaudi documentation; Koester et al. 2017.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import IntegerDot, MACChain, PairedDot

SDM = "Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2"
_BF16 = MACChain("bf16", "bf16", accumulator="fp32")
_GAUDI = ("Intel Gaudi documentation, FP8 training and inference; Gaudi scaling code of vLLM",)
_GAUDI_NOTE = (
    "FP32 accumulation is not verified, and its order not public: a chain of FP32 multiply-adds "
    "here. Scales are those of the hardware's exponent biases."
)


def _powers(step: int, low: int, high: int) -> Scaling:
    return Scaling("tensor", power_of_two=True, exponent_step=step, exponents=(low, high))


PRESETS = (
    Accelerator(
        "intel-avx512-bf16",
        "Intel AVX512-BF16 (VDPBF16PS)",
        **stored("bf16"),
        engine=PairedDot("vdpbf16ps"),
        confidence="documented",
        sources=(SDM, "oneDNN, emulation of VDPBF16PS"),
        notes="Follows the manual, the order within a pair oneDNN's emulation; not compared with "
        "recorded outputs.",
    ),
    Accelerator(
        "intel-amx-bf16",
        "Intel AMX (TDPBF16PS)",
        **stored("bf16"),
        engine=PairedDot("tdpbf16ps"),
        sources=(SDM,),
        notes="That both parts are summed before they are added to the tile is not verified.",
    ),
    Accelerator(
        "intel-amx-int8",
        "Intel AMX (TDPBSSD): 8-bit integers, 32-bit accumulation",
        weights="fixed<8,0>",
        activations="fixed<8,0>",
        scaling={"weights": Scaling("channel"), "activations": Scaling("tensor")},
        engine=IntegerDot(8, 8),
        sources=(SDM,),
        notes="That the 32-bit sum wraps is not verified. Scales are software.",
    ),
    Accelerator(
        "intel-gaudi2-fp8",
        "Intel Gaudi 2: FP8, E4M3 up to 240",
        weights="e4m3_ieee",
        activations="e4m3_ieee",
        errors="e5m2",
        scaling={"weights": _powers(4, -8, 4), "activations": _powers(4, -8, 4)},
        engine=MACChain("e4m3_ieee", "e4m3_ieee", accumulator="fp32"),
        sources=_GAUDI,
        notes=f"{_GAUDI_NOTE} E4M3 has the biases 3, 7, 11, 15 (scales 2^4, 1, 2^-4, 2^-8), E5M2 "
        "only its own. That E4M3 keeps Inf and NaN at exponent 15 is not verified.",
    ),
    Accelerator(
        "intel-gaudi3-fp8",
        "Intel Gaudi 3: FP8, E4M3 up to 448",
        weights="e4m3",
        activations="e4m3",
        errors="e5m2",
        scaling={
            "weights": _powers(1, -55, 7),
            "activations": _powers(1, -55, 7),
            "errors": _powers(1, -47, 15),
        },
        engine=MACChain("e4m3", "e4m3", accumulator="fp32"),
        sources=_GAUDI,
        notes=f"{_GAUDI_NOTE} Both formats have the biases 0 to 62.",
    ),
    Accelerator(
        "intel-flexpoint16",
        "Intel Nervana: Flexpoint flex16+5",
        **stored("flexpoint16"),
        engine=MACChain("fp32", "fp32", accumulator="fp32"),
        sources=("Koester et al., Flexpoint, NIPS 2017, arXiv 1711.02213",),
        notes="The exponent of a tensor comes from its own largest value here, on the chip from "
        "the Autoflex predictor. Details of the accumulator are not verified: a chain in FP32.",
    ),
)
