"""AMD: matrix cores of CDNA1 to CDNA3 (model: MMA-Sim), and the XDNA2 NPU.

Sources: arXiv 2511.10909; RFC of the FNUZ formats (LLVM/StableHLO); headers of AIE2P block formats.
"""

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.presets.shared import MMA_SIM, RECIPE_NOTE, stored
from numformats.accelerators.scaling import Scaling
from numformats.engines import MACChain, engine

_FLUSH = "Subnormal operands and results of every step are flushed to zero."
_DOWN = "Rounding down makes results of negated operands differ from negated results."
_CHIPS = (
    ("amd-mi100", "CDNA1 MI100", "fp32", "mfma", ""),
    ("amd-mi100", "CDNA1 MI100", "fp16", "mfma", ""),
    ("amd-mi100", "CDNA1 MI100", "bf16", "mfma", ""),
    ("amd-mi250", "CDNA2 MI210, MI250", "fp64", "mfma", ""),
    ("amd-mi250", "CDNA2 MI210, MI250", "fp32", "mfma", ""),
    ("amd-mi250", "CDNA2 MI210, MI250", "fp16", "mfma", _FLUSH),
    ("amd-mi250", "CDNA2 MI210, MI250 (instructions _1k)", "bf16", "mfma_1k", _FLUSH),
    ("amd-mi300", "CDNA3 MI300", "fp64", "mfma", ""),
    ("amd-mi300", "CDNA3 MI300", "fp32", "mfma", ""),
    ("amd-mi300", "CDNA3 MI300 (XF32)", "tf32", "mfma", f"The unit cuts FP32 operands. {_DOWN}"),
    ("amd-mi300", "CDNA3 MI300", "fp16", "mfma", _DOWN),
    ("amd-mi300", "CDNA3 MI300", "bf16", "mfma", _DOWN),
)


def _plain(chip: str, title: str, inputs: str, path: str, notes: str) -> Accelerator:
    return Accelerator(
        f"{chip}-{inputs}",
        f"{title}: {inputs.upper()} operands",
        **stored("fp32" if inputs == "tf32" else inputs),
        engine=engine(chip, inputs=inputs, path=path),
        confidence="model",
        sources=(MMA_SIM,),
        notes=notes,
    )


PRESETS = (
    *(_plain(*row) for row in _CHIPS),
    Accelerator(
        "amd-mi250-bf16-p2",
        "CDNA2 MI210, MI250 (instructions without _1k): BF16 operands",
        **stored("bf16"),
        engine=engine("amd-mi250", inputs="bf16", path="mfma"),
        confidence="model",
        sources=(MMA_SIM,),
        notes=_FLUSH,
    ),
    Accelerator(
        "amd-mi300-fp8",
        "CDNA3 MI300: FP8 (FNUZ)",
        weights="e4m3fnuz",
        activations="e4m3fnuz",
        errors="e5m2fnuz",
        scaling=Scaling("tensor"),
        engine=engine("amd-mi300", inputs="e4m3fnuz"),
        confidence="model",
        sources=(MMA_SIM, "RFC: Float8E4M3FNUZ and Float8E5M2FNUZ (LLVM APFloat, StableHLO)"),
        notes=f"MI300 has FNUZ formats, not OCP's. {_DOWN} {RECIPE_NOTE}",
    ),
    Accelerator(
        "amd-xdna2-bfp16",
        "XDNA2 NPU (AIE2P): block floating point bfp16ebs8",
        weights="bfp16ebs8",
        activations="bfp16ebs8",
        rounding="toward_negative",
        engine=MACChain("bf16", "bf16", accumulator="fp32"),
        confidence="approximate",
        sources=("AMD AIE2P headers of bfp16ebs8 (mlir-aie), AIE API", ),
        notes="Mantissas are cut by an arithmetic shift (toward -Inf), as the header says; other "
        "kernels round to nearest, so rounding on the device is configurable or contested. "
        "Accumulators are FP32; order and internal alignment are not known: a chain here.",
    ),
)  # fmt: skip
