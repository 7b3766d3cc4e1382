"""Models that tests run, and how they are trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor


class Attention(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 16) to (B, T, 16)."""
        result: Tensor = self.inner(x, x, x)[0]
        return result


class Last(nn.Module):
    """The output of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 16) to (B, T, H)."""
        result: Tensor = self.layer(x)[0]
        return result


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 4))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, groups=2), nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


ZOO: dict[str, Any] = {
    "mlp": (mlp, (5, 16)),
    "cnn": (cnn, (2, 3, 8, 8)),
    "attention": (Attention, (2, 5, 16)),
    "transformer encoder": (encoder, (2, 5, 16)),
    "lstm": (lambda: Last(nn.LSTM(16, 6, 2, bidirectional=True, batch_first=True)), (2, 5, 16)),
    "lstm with projections": (lambda: Last(nn.LSTM(16, 6, proj_size=3)), (5, 2, 16)),
    "gru": (lambda: Last(nn.GRU(16, 6, 2)), (5, 2, 16)),
    "gru without bias": (lambda: Last(nn.GRU(16, 6, bias=False, batch_first=True)), (2, 5, 16)),
    "rnn": (lambda: Last(nn.RNN(16, 6, nonlinearity="relu")), (5, 2, 16)),
}


def made(name: str) -> tuple[nn.Module, Tensor]:
    build, shape = ZOO[name]
    torch.manual_seed(0)
    model: nn.Module = build()
    return model, torch.randn(shape)


def trained(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of all parameters."""
    model.zero_grad()
    y = model(x)
    y.square().mean().backward()
    return [y.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


ZOO["plain cnn"] = (
    lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, (3, 2), stride=2),
        nn.ConvTranspose2d(8, 4, 2), nn.Flatten(), nn.Linear(80, 4),
    ),
    (2, 3, 8, 8),
)  # fmt: skip


X = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))


def layers() -> nn.Module:
    """Two linear layers for ``X``."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4))


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    """Whether all bits agree."""
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
