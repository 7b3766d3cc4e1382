"""Time of a training step under ``simulate(mode="fast")``, beside the same step in float32.

Run ``python -m benchmarks.training`` (part of ``make bench``). Weights, activations, errors and
gradients are stored in E4M3 or in 8-bit fixed point, with nearest or stochastic rounding. Forms
alternate; the ratio is the median over rounds of pairs. With ``qtorch`` installed, its quantizers
stand in the same places (weights, activations and errors of every layer with weights, gradients of
weights).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from numformats.accelerators import Accelerator
from numformats.accelerators.accelerator import ROLES
from numformats.engines import MACChain
from numformats.torch import simulate

BATCH, BARS = 64, {"nearest_even": 1.6, "stochastic": 2.2}


class Residual(nn.Module):
    """Two convolutions around a shortcut, as in ResNet-18."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outside) for _ in range(2))
        self.short = nn.Conv2d(inside, outside, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        y = torch.relu(self.norms[0](self.one(x)))
        return torch.relu(self.norms[1](self.two(y)) + self.short(x))


def resnet() -> tuple[nn.Module, Tensor]:
    """ResNet-18's shape with a quarter of its channels, for 32 x 32 images."""
    blocks = [Residual(a, b, s) for a, b, s in (
        (16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1),
        (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1),
    )]  # fmt: skip
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    first = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*first, *blocks, *head), torch.randn(BATCH, 3, 32, 32)


def transformer() -> tuple[nn.Module, Tensor]:
    """Four layers of width 128 over 64 places."""
    layers = [nn.TransformerEncoderLayer(128, 4, 512, 0.0, batch_first=True) for _ in range(4)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 64, 10)), torch.randn(
        BATCH, 64, 128
    )


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "resnet": resnet,
    "transformer": transformer,
}


def chip(fmt: str, rounding: str) -> Accelerator:
    """Everything stored in ``fmt`` by ``rounding``; sums in float32."""
    engine = MACChain("fp32", "fp32", accumulator="fp32")
    return Accelerator("stored", engine=engine, rounding=rounding, **dict.fromkeys(ROLES, fmt))


def with_qtorch(model: nn.Module, fmt: str, rounding: str) -> Callable[[], None] | None:
    """Put qtorch's quantizers around the layers with weights; what rounds gradients after
    ``backward``. None where it is not installed, or has no such format."""
    try:
        from qtorch import FixedPoint, FloatingPoint
        from qtorch.quant import quantizer
    except Exception:  # its C++ is compiled when imported
        return None
    number = FloatingPoint(4, 3) if fmt == "e4m3" else FixedPoint(8, 6)
    how = {"nearest_even": "nearest"}.get(rounding, rounding)
    both = quantizer(number, number, how, how)
    forward = quantizer(number, forward_rounding=how)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.register_forward_pre_hook(lambda module, args: (both(args[0]),))
        layer.register_forward_hook(lambda module, args, out: both(out))
        nn.utils.parametrize.register_parametrization(layer, "weight", _Rounded(forward))

    def gradients() -> None:
        for layer in layers:
            weight: Any = layer.parametrizations.weight.original
            weight.grad = forward(weight.grad)

    return gradients


class _Rounded(nn.Module):
    def __init__(self, rounded: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rounded = rounded

    def forward(self, x: Tensor) -> Tensor:
        return self.rounded(x)


def step_of(model: nn.Module, x: Tensor, context: Callable[[], Any], after: Any) -> float:
    """Wall time of one forward, backward and SGD step."""
    start = time.perf_counter()
    with context():
        loss = nn.functional.cross_entropy(model(x), torch.arange(BATCH) % 10)
        model.zero_grad()
        loss.backward()
    if after is not None:
        after()
    with torch.no_grad():
        for p in model.parameters():
            p.sub_(0.01 * p.grad)
    return time.perf_counter() - start


def measured(name: str, fmt: str, rounding: str, rounds: int) -> None:
    """Print one row."""
    forms: dict[str, tuple[nn.Module, Callable[[], Any], Any]] = {}
    for form in ("float32", "simulate", "qtorch"):
        torch.manual_seed(0)
        model, x = MODELS[name]()
        context: Callable[[], Any] = nullcontext
        after = with_qtorch(model, fmt, rounding) if form == "qtorch" else None
        if form == "qtorch" and after is None:
            continue
        if form == "simulate":
            context = lambda: simulate(chip(fmt, rounding), mode="fast")  # noqa: E731
        forms[form] = (model, context, after)
    times: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(rounds + 1):
        for form, (model, context, after) in forms.items():
            times[form].append(step_of(model, x, context, after))
    base = times["float32"][1:]
    ratios = {
        form: statistics.median(t / b for t, b in zip(found[1:], base, strict=True))
        for form, found in times.items()
    }
    other = f"{ratios['qtorch']:8.2f}" if "qtorch" in ratios else f"{'-':>8}"
    missed = "" if ratios["simulate"] <= BARS[rounding] else "  missed"
    print(
        f"{name:12} {fmt:10} {rounding:13} {1e3 * statistics.median(base):9.1f} "
        f"{ratios['simulate']:9.2f} {BARS[rounding]:5.1f} {other}{missed}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="models whose name contains this")
    options = parser.parse_args()
    print(f"batch {BATCH}, {torch.get_num_threads()} threads; times a float32 step")
    print(f"{'model':12} {'format':10} {'rounding':13} {'float, ms':>9} {'simulate':>9} {'bar':>5} "
          f"{'qtorch':>8}")  # fmt: skip
    for name in MODELS:
        if options.only in name:
            for fmt in ("e4m3", "fixed<8,6>"):
                for rounding in BARS:
                    measured(name, fmt, rounding, options.rounds)


if __name__ == "__main__":
    main()
