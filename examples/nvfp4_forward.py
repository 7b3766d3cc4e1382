"""NVFP4 with and without its second-level scale, in the forward pass of a trained classifier.

A block's scale is an E4M3 number, whose smallest is 2^-9: without the float32 scale of the whole
tensor, the scales of small weights lose bits, then vanish. In a network of ReLUs the weights of one
layer can be divided by s and the next multiplied by s without changing what is computed, so the
magnitude of the weights alone decides. Run: ``python -m examples.nvfp4_forward``.
"""

from dataclasses import dataclass

import torch
from torch import nn

import numformats as nf
from examples.low_precision_sgd import digits
from numformats.torch.weights import quantize_model

TWO_LEVELS = nf.NVFP4
ONE_LEVEL = nf.BlockFloat(nf.E2M1, 16, scale=nf.E4M3)
SHRINK = (1.0, 2.0**-4, 2.0**-6, 2.0**-8)


@dataclass(frozen=True)
class Forward:
    """One forward pass."""

    shrink: float  #: factor on the weights of the first layer
    fmt: str
    sqnr: float  #: of these weights, dB
    accuracy: float


def trained(steps: int = 400, seed: int = 0) -> nn.Sequential:
    """A classifier of digits in float32."""
    torch.manual_seed(seed)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.requires_grad_(False)


def shrunk(model: nn.Sequential, factor: float) -> nn.Sequential:
    """The same function with the first layer's weights times a power of two."""
    first, last = model[0], model[2]
    other = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).requires_grad_(False)
    other[0].weight.copy_(first.weight * factor)
    other[0].bias.copy_(first.bias * factor)
    other[2].weight.copy_(last.weight / factor)
    other[2].bias.copy_(last.bias)
    return other


def forward(model: nn.Sequential, factor: float, fmt: nf.Format | None) -> Forward:
    """Accuracy on all digits with both layers' weights in ``fmt`` (None: float32)."""
    x, y = digits()
    given = shrunk(model, factor)
    small = given if fmt is None else quantize_model(given, fmt)
    sqnr = float("inf") if fmt is None else nf.error(given[0].weight, fmt).sqnr
    return Forward(
        factor, str(fmt or "float32"), sqnr, float((small(x).argmax(1) == y).float().mean())
    )


def main() -> None:
    """Print the table."""
    model = trained()
    print(f"{'weights x':>9}  {'format':28} {'SQNR dB':>8} {'accuracy':>9}")
    for factor in SHRINK:
        for fmt in (None, TWO_LEVELS, ONE_LEVEL):
            run = forward(model, factor, fmt)
            print(f"{run.shrink:9.4f}  {run.fmt:28} {run.sqnr:8.1f} {run.accuracy:9.1%}")


if __name__ == "__main__":
    main()
