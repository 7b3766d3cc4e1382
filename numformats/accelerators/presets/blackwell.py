"""NVIDIA Blackwell: FP8, FP6, FP4, MX formats and NVFP4.

Sources: the table of ``numformats/engines/chips.py``; arXiv 2511.10909, 2512.07004; OCP MX 1.0.
"""

from typing import Any

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.nvidia import SILICON, fp8
from numformats.accelerators.presets.shared import MMA_SIM, RECIPE_NOTE, TENSOR
from numformats.engines import engine

MX = "OCP Microscaling Formats (MX) 1.0; scales rounded up (cvt.rp.ue8m0x2), as cuBLAS does"
_MX_NOTE = (
    "Equal to MMA-Sim, whose scales are powers of two; blocks run along K, so weights are stored "
    "once more for backward products. OCP's own rule rounds scales down: scale_rule=floor."
)
_CHIPS = (
    ("nvidia-b200", "Blackwell B200", "tcgen05"),
    ("nvidia-rtx-blackwell", "RTX Blackwell (RTX 50, RTX PRO 6000)", "mma"),
)
_SMALL = (("fp6-e3m2", "e3m2"), ("fp6-e2m3", "e2m3"), ("fp4", "e2m1"))
_MICROSCALED = (
    ("mxfp8", "MXFP8", "e4m3", "e5m2"),
    ("mxfp6-e3m2", "MXFP6 (E3M2)", "e3m2", "e3m2"),
    ("mxfp6-e2m3", "MXFP6 (E2M3)", "e2m3", "e3m2"),
)


def _mx(element: str) -> str:
    return f"block<{element},block=32,scale_rule=rceil>"


def _small(chip: str, title: str, path: str, name: str, fmt: str) -> Accelerator:
    return Accelerator(
        f"{chip}-{name}",
        f"{title}: {fmt.upper()} through kind::f8f6f4, without block scales",
        weights=fmt,
        activations=fmt,
        scaling=TENSOR,
        engine=engine(chip, inputs=fmt, path=path),
        confidence="model",
        sources=(MMA_SIM,),
        notes=f"No recipe for errors is known. {RECIPE_NOTE}",
    )


def _microscaled(chip: str, title: str, path: str, row: tuple[str, ...]) -> Accelerator:
    name, long_name, fmt, errors = row
    return Accelerator(
        f"{chip}-{name}",
        f"{title}: {long_name}, block scales in the unit",
        weights=_mx(fmt),
        activations=_mx(fmt),
        errors=_mx(errors),
        engine=engine(chip, inputs=fmt, path=f"{path}.mxf8f6f4"),
        confidence="model",
        sources=(MMA_SIM, MX),
        notes=_MX_NOTE,
    )


def _four_bits(chip: str, title: str, path: str) -> tuple[Accelerator, ...]:
    rows: dict[str, Any] = {"weights": _mx("e2m1"), "activations": _mx("e2m1")}
    tile = "block<e2m1,block=16x16,axis=-2x-1,scale=e4m3,scale_rule=even,tensor_scale=true>"
    return (
        Accelerator(
            f"{chip}-mxfp4",
            f"{title}: MXFP4, block scales in the unit",
            **rows,
            errors=_mx("e2m1"),
            engine=engine(chip, inputs="e2m1", path=f"{path}.mxf4"),
            confidence="model",
            sources=(MMA_SIM, MX),
            notes=_MX_NOTE,
        ),
        Accelerator(
            f"{chip}-nvfp4",
            f"{title}: NVFP4 with the training recipe, block scales in the unit",
            weights=tile,
            activations="nvfp4",
            errors="nvfp4",
            error_rounding="stochastic",
            engine=engine(chip, inputs="e2m1", path=f"{path}.mxf4nvf4", scale="e4m3"),
            confidence="model",
            sources=(MMA_SIM, "NVIDIA Transformer Engine, recipe NVFP4BlockScaling"),
            notes="The unit equals MMA-Sim. The recipe has weights in tiles of 16 x 16 and "
            "stochastic errors; float32 scales of tensors come back in float32 after the unit, an "
            "order that is not published. Left out: the random Hadamard transform of operands "
            "of weight gradients, and 4over6.",
        ),
    )


PRESETS = (
    fp8(
        "nvidia-b200-fp8",
        "Blackwell B200: FP8 through tcgen05 kind::f8f6f4",
        {"chip": "nvidia-b200", "path": "tcgen05"},
        "model",
        "mma.sync is another unit: nvidia-b200-fp8-mma.",
    ),
    fp8(
        "nvidia-rtx-blackwell-fp8",
        "RTX Blackwell (RTX 50, RTX PRO 6000): FP8 through kind::f8f6f4",
        {"chip": "nvidia-rtx-blackwell", "path": "mma"},
        "model",
        "Equal to MMA-Sim.",
    ),
    Accelerator(
        "nvidia-b200-fp8-mma",
        "Blackwell B200: FP8 through mma.sync, which the FP16 unit computes",
        weights="e4m3",
        activations="e4m3",
        errors="e5m2",
        scaling=TENSOR,
        engine=engine("nvidia-b200", inputs="e4m3", path="mma"),
        confidence="silicon",
        sources=(SILICON[2],),
        notes="Recorded: K = 32, equal operand formats; known from recordings alone, so NaN, Inf "
        f"and overflow are not known. {RECIPE_NOTE}",
    ),
    *(_small(*chip, *row) for chip in _CHIPS for row in _SMALL),
    *(_microscaled(*chip, row) for chip in _CHIPS for row in _MICROSCALED),
    *(preset for chip in _CHIPS for preset in _four_bits(*chip)),
)
