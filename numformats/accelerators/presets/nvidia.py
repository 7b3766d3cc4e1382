"""NVIDIA Volta to Hopper: tensor cores on 16-bit floats, TF32, FP8 and FP64.

Sources: the table of ``numformats/engines/chips.py``; arXiv 2511.10909, 2512.07004, 2412.19437,
2209.05433.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import MMA_SIM, RECIPE_NOTE, TENSOR, stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import engine

SILICON = (
    MMA_SIM,
    "Khattak and Mikaitis, Accurate Models of NVIDIA Tensor Cores, arXiv 2512.07004",
    "recorded outputs of north-numerical-computing/MATLAB-tensor-core",
)
FP8_RECIPE = (
    "Micikevicius et al., FP8 Formats for Deep Learning, arXiv 2209.05433 (E4M3 forward, E5M2 "
    "errors, scales in software)"
)
SPECIALS = "NaN, Inf, signed zeros and overflow follow MMA-Sim, as recordings do not cover them."
_CHIPS = (
    ("nvidia-v100", "Volta V100", ("fp16",), "silicon"),
    ("nvidia-t4", "Turing T4", ("fp16",), "model"),
    ("nvidia-a100", "Ampere A100 (also A2, A30)", ("fp16", "bf16", "tf32"), "silicon"),
    ("nvidia-ada", "Ada (L4, L40S, RTX 40)", ("fp16", "bf16", "tf32"), "silicon"),
    ("nvidia-h100", "Hopper H100 (also H200, H800)", ("fp16", "bf16", "tf32"), "silicon"),
    ("nvidia-b200", "Blackwell B200", ("fp16", "bf16", "tf32"), "silicon"),
    ("nvidia-rtx-blackwell", "RTX Blackwell", ("fp16", "bf16", "tf32"), "model"),
)
_RECORDED = {
    "fp16": "Checked on recorded dot products of one instruction.",
    "bf16": "Checked on recorded dot products of one instruction.",
    "tf32": "Recorded rows have K = 4 only; operands are stored as FP32, and the unit cuts them.",
}


def _model(chip: str) -> tuple[str, ...]:
    """The models of a chip without recorded outputs; only MMA-Sim has Turing."""
    return SILICON[:1] if chip == "nvidia-t4" else SILICON[:2]


def _plain(chip: str, title: str, inputs: str, confidence: str) -> Accelerator:
    recorded = confidence == "silicon"
    note = _RECORDED[inputs] if recorded else ""
    cut = "Operands are stored as FP32, and the unit cuts them." if inputs == "tf32" else ""
    return Accelerator(
        f"{chip}-{inputs}",
        f"{title}: {inputs.upper()} operands, FP32 accumulation",
        **stored("fp32" if inputs == "tf32" else inputs),
        engine=engine(chip, inputs=inputs, path=None if chip != "nvidia-t4" else "mma"),
        confidence=confidence,
        sources=SILICON if recorded else _model(chip),
        notes=f"{note} {SPECIALS}" if recorded else cut,
    )


def _half(chip: str, title: str, confidence: str) -> Accelerator:
    return Accelerator(
        f"{chip}-fp16-fp16",
        f"{title}: FP16 operands, FP16 accumulation",
        **stored("fp16"),
        engine=engine(
            chip, inputs="fp16", output="fp16", path="mma" if chip == "nvidia-t4" else None
        ),
        confidence=confidence,
        sources=SILICON if confidence == "silicon" else _model(chip),
        notes="c is rounded to FP16 first. Recordings do not tell F of FP16 outputs; it follows "
        "MMA-Sim, as do NaN, Inf, signed zeros and overflow.",
    )


def fp8(name: str, title: str, unit: dict[str, str], confidence: str, notes: str) -> Accelerator:
    """E4M3 weights and activations, E5M2 errors, a scale a tensor."""
    return Accelerator(
        name,
        title,
        weights="e4m3",
        activations="e4m3",
        errors="e5m2",
        scaling=TENSOR,
        engine=engine(**unit, inputs="e4m3"),  # type: ignore[arg-type]
        confidence=confidence,
        sources=(*(SILICON if confidence == "silicon" else SILICON[:2]), FP8_RECIPE),
        notes=f"{notes} {RECIPE_NOTE}",
    )


PRESETS = (
    *(_plain(chip, title, x, conf) for chip, title, inputs, conf in _CHIPS for x in inputs),
    *(_half(chip, title, conf) for chip, title, _, conf in _CHIPS),
    fp8(
        "nvidia-ada-fp8",
        "Ada (L4, L40S, RTX 40): FP8 mma.sync",
        {"chip": "nvidia-ada", "path": "mma"},
        "silicon",
        f"Recorded with equal operand formats; mixed ones follow MMA-Sim. {SPECIALS}",
    ),
    fp8(
        "nvidia-h100-fp8",
        "Hopper H100 (also H200, H800): FP8 through wgmma",
        {"chip": "nvidia-h100", "path": "wgmma"},
        "silicon",
        "Recorded: K = 32 and c = 0, equal operand formats. Longer chains, where c is not 0, mixed "
        "formats, NaN and Inf follow MMA-Sim. mma.sync is another unit: nvidia-h100-fp8-mma.",
    ),
    Accelerator(
        "nvidia-h100-fp8-mma",
        "Hopper H100: FP8 through mma.sync, which the FP16 unit computes, to FP16",
        weights="e4m3",
        activations="e4m3",
        errors="e5m2",
        engine=engine("nvidia-h100", inputs="e4m3", output="fp16", path="mma"),
        confidence="silicon",
        sources=(SILICON[2], FP8_RECIPE),
        notes="Recorded: K = 32, equal operand formats, FP16 output; known from recordings alone, "
        "so NaN, Inf and overflow are not known. No scales: sums beyond 65504 overflow, so a "
        "recipe that maps magnitudes to 448 would not do; set scaling with a limit.",
    ),
    Accelerator(
        "nvidia-h100-deepseek",
        "Hopper H800 with the DeepSeek-V3 recipe: wgmma FP8, FP32 sums every 128",
        weights="e4m3",
        activations="e4m3",
        errors="e4m3",
        scaling={
            "weights": Scaling("block", block=(128, 128)),
            "activations": Scaling("block", block=(1, 128)),
            "errors": Scaling("block", block=(1, 128)),
        },
        engine=engine("nvidia-h100", inputs="e4m3", path="wgmma"),
        confidence="documented",
        sources=("DeepSeek-V3 Technical Report, arXiv 2412.19437v2", *SILICON),
        notes="128 elements of K are four wgmma from zero; the partial sum, times the product of "
        "both scales, is added in FP32. The order of scale multiplication and addition (one FMA or "
        "two roundings) is not published: two roundings here. Left out: power-of-two scales and "
        "E5M6 of some cached activations.",
    ),
    Accelerator(
        "nvidia-h100-fp64",
        "Hopper H100: FP64 tensor cores",
        **stored("fp64"),
        engine=engine("nvidia-h100", inputs="fp64"),
        confidence="model",
        sources=(MMA_SIM,),
        notes="Give float64 arrays: narrower ones are widened. A100, Ada and Blackwell are equal.",
    ),
)  # fmt: skip
