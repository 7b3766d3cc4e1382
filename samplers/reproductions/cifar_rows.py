"""The rows of the CIFAR study, and the papers' numbers for them."""

from __future__ import annotations

from dataclasses import dataclass

from samplers.precision import Precision

FORMATS = {"fixed": "fixed<8,8>", "bfp": "perchannel<8>"}
ACCUMULATORS = {"F": "full", "VC": "variance_corrected", "L": "low"}


@dataclass(frozen=True)
class Row:
    """An optimizer of ``samplers`` in an arithmetic: float32, or ``fixed`` or ``bfp`` with an
    accumulator."""

    optimizer: str
    kind: str | None = None
    accumulator: str = "F"
    cyclical: bool = False

    @property
    def activation_bits(self) -> int | None:
        """In the papers fixed point is for weights and gradients alone."""
        return 8 if self.kind == "bfp" else None

    def precision(self, quantize_norms: bool) -> Precision | None:
        """Of weights and gradients."""
        if self.kind is None:
            return None
        fmt, accumulator = FORMATS[self.kind], ACCUMULATORS[self.accumulator]
        rules = () if quantize_norms else (("*norm*", None),)
        return Precision(fmt, fmt, accumulator, rules=rules)


ROWS = {
    "SGD": Row("SGDLP"),
    "SGLD": Row("SGLD"),
    "cSGLD": Row("SGLD", cyclical=True),
    "SGHMC": Row("SGHMC"),
    **{
        f"{name}-{kind}-{accumulator}": Row(optimizer, kind, accumulator)
        for kind in FORMATS
        for name, optimizer, accumulators in (
            ("SGLD", "SGLD", ("F", "VC", "L")),
            ("SGD", "SGDLP", ("F", "L")),
            ("SGHMC", "SGHMC", ("F", "VC", "L")),
        )
        for accumulator in accumulators
    },
}

PUBLISHED = {
    "cifar10": {
        "SGLD": (4.65, 1.11), "SGD": (4.71, 2.53), "SGHMC": (4.78, 0.72),
        "SGLD-fixed-F": (5.12, 1.12), "SGD-fixed-F": (5.20, 3.05),
        "SGLD-fixed-VC": (7.13, 0.60), "SGD-fixed-L": (8.53, 3.40), "SGLD-fixed-L": (7.81, 1.67),
        "SGLD-bfp-F": (4.58, 1.19), "SGD-bfp-F": (4.75, 2.76),
        "SGLD-bfp-VC": (5.51, 0.60), "SGD-bfp-L": (5.86, 4.23), "SGLD-bfp-L": (5.75, 0.67),
        "SGHMC-fixed-F": (5.08, 1.11), "SGHMC-fixed-L": (6.63, 0.72),
        "SGHMC-fixed-VC": (6.60, 0.70),
        "SGHMC-bfp-F": (4.93, 1.12), "SGHMC-bfp-L": (5.38, 0.78), "SGHMC-bfp-VC": (5.15, 0.67),
    },
    "cifar100": {
        "SGLD": (22.58, 3.92), "SGD": (22.64, 4.97), "SGHMC": (22.37, 1.52),
        "SGLD-fixed-F": (23.30, 4.42), "SGD-fixed-F": (23.84, 6.80),
        "SGLD-fixed-VC": (26.62, 3.19), "SGD-fixed-L": (28.86, 10.38),
        "SGLD-fixed-L": (27.15, 1.11),
        "SGLD-bfp-F": (22.59, 3.78), "SGD-bfp-F": (22.90, 5.20),
        "SGLD-bfp-VC": (25.22, 5.82), "SGD-bfp-L": (26.19, 12.97), "SGLD-bfp-L": (26.11, 5.63),
        "SGHMC-fixed-F": (23.54, 1.92), "SGHMC-fixed-L": (26.57, 2.46),
        "SGHMC-fixed-VC": (26.43, 2.44),
        "SGHMC-bfp-F": (22.39, 3.65), "SGHMC-bfp-L": (25.29, 4.94), "SGHMC-bfp-VC": (24.45, 5.02),
    },
}  # fmt: skip
"""Test error and ECE in per cent, means of three runs; naive SGLD's are of the later paper."""
