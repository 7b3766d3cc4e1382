"""Speed of training steps under ``simulate(..., mode="fast")``, beside the same steps of torch.

Run ``make bench-simulate`` (or ``python -m benchmarks.simulate``). Models: a small ResNet on images
of 32 x 32 and a small transformer, batch 64. Weights, activations, errors and gradients are
rounded. Steps alternate with float32 ones; printed are medians of ratios, with the smallest beside
them. Bars: 1.6 with nearest, 2.2 with stochastic rounding. Where qtorch is importable, its
quantizers are timed in the same places (``qtorch_model.py``) of the same models.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

import numformats as nf
from benchmarks import qtorch_model
from numformats.torch import simulate

FP8 = nf.accelerator("nvidia-h100-fp8")
PLAIN = replace(FP8, name="fp8", scaling=(), gradients="e5m2")
CHIPS: list[tuple[str, Any, float]] = [
    ("bf16", nf.accelerator("nvidia-h100-bf16"), 1.6),
    ("e4m3, e5m2", PLAIN, 1.6),
    ("e4m3, e5m2, a scale a tensor", replace(FP8, name="scaled", gradients="e5m2"), 1.6),
    ("e4m3, e5m2, stochastic", replace(PLAIN, name="stochastic", rounding="stochastic"), 2.2),
    ("mxfp8", nf.accelerator("nvidia-b200-mxfp8"), 0),
    ("nvfp4", nf.accelerator("nvidia-b200-nvfp4"), 0),
    ("deepseek", nf.accelerator("nvidia-h100-deepseek"), 0),
]


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.shortcut = nn.Conv2d(before, after, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        return torch.relu(self.shortcut(x) + self.inner(x))


def resnet() -> tuple[nn.Module, torch.Tensor]:
    """A ResNet of 32, 64 and 128 channels."""
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    blocks = [Residual(32, 32, 1), Residual(32, 64, 2), Residual(64, 128, 2)]
    stem = [nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, *head), torch.randn(64, 3, 32, 32)


def transformer() -> tuple[nn.Module, torch.Tensor]:
    """Two layers of width 128 on sequences of 64."""
    layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(64, 64, 128)


def step(model: nn.Module, x: torch.Tensor, context: AbstractContextManager[Any]) -> float:
    """Seconds of one forward and backward pass."""
    model.zero_grad()
    start = time.perf_counter()
    with context:
        model(x).square().mean().backward()
    return time.perf_counter() - start


def ratios(model: nn.Module, x: torch.Tensor, chip: Any, rounds: int) -> list[float]:
    """Time of a simulated step over that of the float32 step before it."""
    simulation = simulate(chip, mode="fast")
    step(model, x, simulation)
    return [step(model, x, simulation) / step(model, x, nullcontext()) for _ in range(rounds)]


def peers(model: nn.Module, x: torch.Tensor, rounding: str, rounds: int) -> list[float]:
    """Time of a step with qtorch's quantizers over that of the float32 step before it."""
    other, plain = qtorch_model.quantized(model, rounding), nullcontext()
    step(other, x, plain)
    return [step(other, x, plain) / step(model, x, plain) for _ in range(rounds)]


def show(model: str, case: str, found: list[float], bar: float = 0) -> None:
    """Print one line."""
    text = f"median {statistics.median(found):5.2f}  least {min(found):5.2f}"
    print(f"{model:12} {case:30} {text}" + (f"  bar {bar}" if bar else ""))


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    builders: list[Callable[[], tuple[nn.Module, torch.Tensor]]] = [resnet, transformer]
    print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds")
    missing = qtorch_model.why_not()
    if missing is not None:
        print(f"qtorch is not timed: {missing}")
    for build in builders:
        torch.manual_seed(0)
        model, x = build()
        for name, chip, bar in CHIPS:
            show(build.__name__, name, ratios(model, x, chip, options.rounds), bar)
        for rounding in ("nearest", "stochastic") if missing is None else ():
            found = peers(model, x, rounding, options.rounds)
            show(build.__name__, f"qtorch, {rounding}", found)


if __name__ == "__main__":
    main()
