"""SGD whose weights live on an 8-bit grid: nearest rounding stalls, stochastic rounding does not,
and averaging the iterates (SWALP) goes below the noise of the grid.

Softmax regression on scikit-learn's digits. Run: ``python -m examples.low_precision_sgd``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import numformats as nf

FORMATS = ("fixed<8,5>", "bfp<8,block=16>", "e4m3")
METHODS = ("float32", "nearest_even", "stochastic")
LEARNING_RATE, BATCH, DECAY = 0.2, 64, 0.01
AVERAGED = 0.5  # share of the steps whose weights are averaged


@dataclass(frozen=True)
class Run:
    """One training: the objective over all images, and how much still moved."""

    fmt: str
    method: str
    loss: float  #: of the last weights
    average_loss: float  #: of the average of the later weights (SWALP)
    moving: float  #: share of weights that changed in the last tenth of the steps


def digits() -> tuple[Tensor, Tensor]:
    """Images (1797, 64) in [0, 1] and labels."""
    data = load_digits()
    return torch.tensor(data.data, dtype=torch.float32) / 16, torch.tensor(data.target)


def batches(count: int, seed: int, steps: int) -> Iterator[Tensor]:
    """Indices of random batches."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield torch.randint(0, count, (BATCH,), generator=generator)


def objective(weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy plus weight decay: strictly convex."""
    return nn.functional.cross_entropy(x @ weight.T, y) + DECAY / 2 * weight.square().sum()


def train(fmt: str, method: str, seed: int = 0, steps: int = 2000) -> Run:
    """SGD with every new weight rounded to ``fmt`` by ``method``; ``"float32"``: not rounded."""
    x, y = digits()
    weight = torch.zeros(10, 64, requires_grad=True)
    total, seen, key = torch.zeros(10, 64, dtype=torch.float64), 0, nf.Key(seed)
    before = weight.detach().clone()
    for step, index in enumerate(batches(len(x), seed, steps)):
        (gradient,) = torch.autograd.grad(objective(weight, x[index], y[index]), weight)
        with torch.no_grad():
            weight.sub_(LEARNING_RATE * gradient)
            if method != "float32":
                nf.quantize(weight, fmt, method, key=key.fold(step), out=weight.data)
            if step >= (1 - AVERAGED) * steps:
                total, seen = total + weight, seen + 1
            if step == steps - steps // 10:
                before = weight.detach().clone()
    moving = float((weight != before).float().mean())
    losses = [float(objective(w, x, y)) for w in (weight.detach(), (total / seen).float())]
    return Run(fmt, method, *losses, moving)


def main() -> None:
    """Print the table."""
    print(f"{'format':16} {'rounding':13} {'loss':>7} {'averaged':>9} {'weights that move':>18}")
    for fmt in FORMATS:
        for method in METHODS:
            run = train(fmt, method)
            print(
                f"{run.fmt:16} {run.method:13} {run.loss:7.4f} {run.average_loss:9.4f} "
                f"{run.moving:18.1%}"
            )


if __name__ == "__main__":
    main()
