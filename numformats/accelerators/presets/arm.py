"""Arm: BFDOT, EBF16, CMSIS-NN on Cortex-M, the Ethos-U NPU.

Sources: Arm Architecture Reference Manual; CMSIS-NN; Ethos-U Vela.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import IntegerDot, MACChain, MultiplierRequantize, PairedDot

ARM_ARM = "Arm Architecture Reference Manual for A-profile, BFDOT and FEAT_EBF16"
_UNIT = MultiplierRequantize(1 << 30, 1)  # times 1; matmul sets it from output_scale
_INFERENCE = "8-bit integers, 32-bit accumulation, {} requantization"
_NOTE = (
    "Zero points are 0 here. With output_scale, matmul gives 8-bit results of that step; without "
    "it, the accumulator."
)


def _int8(name: str, chip: str, rounding: str, sources: tuple[str, ...], notes: str) -> Accelerator:
    return Accelerator(
        name,
        f"{chip}: {_INFERENCE.format(rounding)}",
        weights="fixed<8,0,symmetric=true>",
        activations="fixed<8,0>",
        scaling={
            "weights": Scaling("channel"),
            "activations": Scaling("tensor", limit=127.0),
        },
        engine=IntegerDot(8, 8),
        requantize=MultiplierRequantize(_UNIT.multiplier, _UNIT.shift, rounding=rounding),
        confidence="documented",
        sources=sources,
        notes=f"{notes}{_NOTE}",
    )


_CMSIS = ("CMSIS-NN, arm_nnsupportfunctions.h (arm_nn_requantize)", "TensorFlow Lite int8 spec")
_VELA = ("Arm Ethos-U Vela compiler, scaling.py", "test vectors derived from TFLite Micro")
_ETHOS = "Modes as transcribed, not recorded on silicon. "

PRESETS = (
    Accelerator(
        "arm-bfdot",
        "Arm BFDOT and BFMMLA without EBF16: BF16 pairs, rounded to odd",
        **stored("bf16"),
        engine=PairedDot("bfdot"),
        confidence="documented",
        sources=(ARM_ARM,),
        notes="Follows the manual; not compared with recorded outputs.",
    ),
    Accelerator(
        "arm-ebf16",
        "Arm BFDOT with FPCR.EBF = 1: BF16 pairs, one rounding to odd inside",
        **stored("bf16"),
        engine=MACChain(
            "bf16", "bf16", accumulator="fp32", rounding="to_odd", chunk=2, outer="fp32",
            outer_rounding="nearest_even", order="pairwise",
        ),
        sources=(ARM_ARM,),
        notes="The sum of two products is rounded to odd, then added to nearest even (FPCR's "
        "default). Where the inner rounding takes place exactly is not verified.",
    ),
    _int8("arm-cmsis-nn-int8", "Arm CMSIS-NN (Cortex-M)", "double", _CMSIS, ""),
    _int8(
        "arm-cmsis-nn-int8-single",
        "Arm CMSIS-NN with CMSIS_NN_USE_SINGLE_ROUNDING",
        "single", _CMSIS, "",
    ),
    _int8("arm-ethos-u-int8", "Arm Ethos-U NPU (DOUBLE)", "double", _VELA, _ETHOS),
    _int8("arm-ethos-u-int8-natural", "Arm Ethos-U NPU (NATURAL)", "natural", _VELA, _ETHOS),
    _int8("arm-ethos-u-int8-truncate", "Arm Ethos-U NPU (TRUNCATE)", "truncate", _VELA, _ETHOS),
)  # fmt: skip
