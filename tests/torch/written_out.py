"""What a ``Quantizer`` promises, written out over NumPy arrays and ``nf.quantize``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import torch

import numformats as nf
from numformats.torch import AmaxScaling, Quantizer

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SEED, STREAM = 2**63 + 11, 2**64 - 3
ROUNDED = {"forward_rounding": "stochastic", "backward_rounding": "stochastic"}
CASES: dict[str, dict[str, Any]] = {
    "values": {"forward": "e4m3"},
    "values, clipped": {"forward": "fixed<8,3>", "gradient": "clipped"},
    "values, stochastic": {"forward": "e4m3", "forward_rounding": "stochastic"},
    "gradients": {"backward": "e5m2"},
    "blocks": {"forward": "mxfp8_e4m3", "backward": "mxfp4"},
    "both, stochastic": {"forward": "fixed<8,5>", "backward": "e5m2", **ROUNDED},
    "a tensor": {"forward": "e4m3", "forward_scaling": AmaxScaling(), "backward": "e5m2"},
    "powers": {
        "forward": "fixed<8,0>",
        "forward_scaling": AmaxScaling(power_of_two=True, limit=100.0),
        "backward": "e2m1",
        "backward_scaling": AmaxScaling(),
    },
    "delayed": {
        "forward": "e4m3",
        "forward_scaling": AmaxScaling(history=2),
        "backward": "fixed<8,0>",
        "backward_scaling": AmaxScaling(history=3, power_of_two=True),
        "gradient": "clipped",
        **ROUNDED,
    },
}
ENDS = {"fixed<8,3>": (-16.0625, 15.9375), "e4m3": (-464.0, 464.0)}  # half a gap further out
LARGEST = {"e4m3": 448.0, "e5m2": 57344.0, "fixed<8,0>": 127.0, "e2m1": 6.0}


def to_numpy(x: torch.Tensor) -> np.ndarray:
    """The tensor's memory as NumPy sees it."""
    if x.dtype == torch.bfloat16:
        return to_numpy(x.view(torch.uint16)).view(ml_dtypes.bfloat16)
    return x.detach().numpy()


class WrittenOut:
    """One Quantizer of ``CASES``, call by call."""

    def __init__(self, case: str, seed: int = SEED, stream: int = STREAM) -> None:
        self.how, self.step = CASES[case], 0
        self.key = nf.Key(seed, stream)
        self.maxima: dict[str, list[float]] = {"forward": [], "backward": []}

    def __call__(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of ``x``, and the gradient where ``g`` comes back."""
        key = self.key.fold(self.step)
        self.step += 1
        y, scale = self._way("forward", x, key)
        back, _ = self._way("backward", g, key.fold(1))
        if self.how.get("gradient") == "clipped":
            low, high = ENDS[self.how["forward"]]
            quotient = wide(x) / (scale or 1)
            back = np.where((quotient < low) | (quotient > high), 0, back).astype(g.dtype)
        return y, back

    def _way(self, way: str, x: np.ndarray, key: nf.Key) -> tuple[np.ndarray, Any]:
        fmt, scaling = self.how.get(way), self.how.get(f"{way}_scaling")
        rounding = self.how.get(f"{way}_rounding", "nearest_even")
        if fmt is None:
            return x, None
        if scaling is None:
            return np.asarray(nf.quantize(x, fmt, rounding, key=key)), None
        scale = self._scale(way, x, scaling)
        rounded = nf.quantize(wide(x) / scale, fmt, rounding, key=key) * scale
        return np.asarray(rounded).astype(x.dtype), scale

    def _scale(self, way: str, x: np.ndarray, scaling: AmaxScaling) -> np.float32:
        finite = np.abs(wide(x)[np.isfinite(wide(x))])
        now = float(finite.max(initial=0.0))
        kept = self.maxima[way]
        most = max(kept[: scaling.history], default=0.0) if scaling.history else now
        kept.insert(0, now)
        if most == 0:
            return np.float32(1)
        real = np.float32 if scaling.history else wide(x).dtype.type  # histories are float32
        scale = np.float32(real(most) / real(scaling.limit or LARGEST[self.how[way]]))
        return np.float32(2.0 ** np.ceil(np.log2(float(scale)))) if scaling.power_of_two else scale


def wide(x: np.ndarray) -> np.ndarray:
    """In float32, float64 as it is."""
    return x if x.dtype == np.float64 else x.astype(np.float32)


def made(case: str) -> Quantizer:
    """A Quantizer of ``CASES``."""
    return Quantizer(**CASES[case], seed=SEED, stream=STREAM)


def sample(shape: tuple[int, ...], seed: int, dtype: Any = torch.float32) -> torch.Tensor:
    """Normal values, some of them far out."""
    x = np.random.default_rng(seed).normal(size=shape) * 3
    far = np.random.default_rng(seed + 99).random(shape) < 0.1
    return torch.from_numpy(np.asarray(np.where(far, 40 * x, x))).to(dtype)


def run(call: Callable[..., Any], x: torch.Tensor, g: torch.Tensor) -> tuple[Any, Any]:
    """The values of ``x``, and the gradient where ``g`` comes back."""
    x = x.detach().requires_grad_()
    y = call(x)
    y.backward(g)
    return y.detach(), x.grad
