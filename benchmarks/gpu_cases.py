"""What ``benchmarks.gpu`` measures, and the bars that it is held to."""

from typing import Any

import torch

import numformats as nf

CASES = [
    ("e4m3", "nearest_even", 0.90), ("e5m2", "nearest_even", 0.90), ("bf16", "nearest_even", 0.90),
    ("e4m3", "toward_zero", 0.90), ("fixed<8,4>", "nearest_even", 0.90),
    ("mxfp8_e4m3", "nearest_even", 0.80), ("mxfp4", "nearest_even", 0.80),
    ("nvfp4", "nearest_even", 0.80), ("nvfp4, scale given", "nearest_even", 0.80),
    ("bfp<8,block=16>", "nearest_even", 0.80),
    ("e4m3", "stochastic", 0.65), ("fixed<8,4>", "stochastic", 0.65),
    ("bfp<8,block=16>", "stochastic", 0.65), ("nvfp4", "stochastic", 0.65),
    ("nvfp4, scale given", "stochastic", 0.65),
    ("e4m3", "variance_corrected", 0.50), ("fixed<8,4>", "variance_corrected", 0.50),
    ("mxfp8_e4m3", "variance_corrected", 0.0), ("bfp<8,block=16>", "variance_corrected", 0.0),
    ("fixed<8,6>", "langevin_low", 0.0), ("fixed<8,6>", "langevin_vc", 0.50),
    ("fixed<8,6>", "underdamped_low", 0.0), ("fixed<8,6>", "underdamped_vc", 0.0),
    ("e4m3", "underdamped_vc", 0.0),
]  # fmt: skip
# moved for an element; others move 8. Gradient and velocity of underdamped steps are one array.
BYTES = {"langevin_low": 12, "langevin_vc": 12, "underdamped_low": 24, "underdamped_vc": 32}
# friction 2, inverse mass 1, step size 0.1, on 10^5 data
MOMENTS = nf.UnderdampedMoments(0.819, 0.0906, 0.0906, 0.0047, 3.3e-06, 1.1e-08, 1.6e-07)
PRODUCTS = [("nvidia-h100", "e4m3", "wgmma"), ("nvidia-h100", "fp16", "wgmma")]
PRODUCTS_BAR = 1e11  # multiply-adds a second of CuPy


def run(x: torch.Tensor, fmt: str, rounding: str, out: torch.Tensor, backend: str) -> Any:
    """One case, and what it gives."""
    kind, _, accumulator = rounding.partition("_")
    if rounding in BYTES:
        how = {"accumulator": "low" if accumulator == "low" else "variance_corrected"}
        how |= {"key": 1, "weight": fmt, "gradient": fmt, "backend": backend}
        if kind == "langevin":
            return nf.langevin_step(out, x, lr=0.1, variance=0.01, inplace=True, **how)
        return nf.underdamped_step(out, x, x, moments=MOMENTS, **how)
    if rounding == "variance_corrected":
        return nf.variance_corrected(x, 0.01, fmt, key=1, out=out, backend=backend)
    name, _, given = fmt.partition(", ")
    whole = 0.01 if given else None
    return nf.quantize(x, name, rounding, key=1, tensor_scale=whole, out=out, backend=backend)
