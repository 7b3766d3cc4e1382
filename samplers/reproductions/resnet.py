"""ResNet-18 for small or large images, with the papers' quantizers of activations and errors."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from numformats.torch import Quantizer, reseed
from samplers.precision import PerChannel

STAGES = ((1, 1), (2, 2), (4, 2), (8, 2))  # width in units of the first, stride of the first block


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; quantizers after each convolution, and after the first
    norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, word_bits: int | None) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs)
        self.quant1, self.quant2, self.quant3 = (quantizer(word_bits) for _ in range(3))
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            conv = _conv(inputs, outputs, 1, stride)
            parts = {"conv": conv, "quant": quantizer(word_bits), "norm": nn.BatchNorm2d(outputs)}
            for name, part in parts.items():
                self.shortcut.add_module(name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps (n, channels, height, width)."""
        y = self.quant2(functional.relu(self.norm1(self.quant1(self.conv1(x)))))
        y = self.norm2(self.quant3(self.conv2(y)))
        return functional.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """A stem, eight blocks of which three halve the image, and a linear layer.

    Args:
        classes: how many.
        width: channels of the first stage, 64 in the papers.
        word_bits: of activations and errors, block floating point with an exponent for each image;
            None leaves them in float32.
        seed: of the quantizers' stochastic rounding.
        large: a 7x7 stem and a pool that quarter the image, as for ImageNet; else a 3x3 stem.
    """

    def __init__(
        self,
        classes: int = 10,
        width: int = 64,
        word_bits: int | None = None,
        seed: int = 0,
        large: bool = False,
    ) -> None:
        super().__init__()
        self.conv = _conv(3, width, 7, 2) if large else _conv(3, width, 3, 1)
        self.norm, self.quant = nn.BatchNorm2d(width), quantizer(word_bits)
        self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        blocks, inputs = [], width
        for factor, stride in STAGES:
            outputs = factor * width
            blocks += [
                Block(inputs, outputs, stride, word_bits),
                Block(outputs, outputs, 1, word_bits),
            ]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(inputs, classes)
        if word_bits is not None:
            reseed(self, seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of images (n, 3, height, width)."""
        y = self.pool(functional.relu(self.norm(self.quant(self.conv(x)))))
        logits: torch.Tensor = self.linear(self.blocks(y).mean((2, 3)))
        return logits


def quantizer(word_bits: int | None, ndim: int = 4) -> nn.Module:
    """Rounds values and errors of ``ndim`` dimensions stochastically, or does nothing."""
    if word_bits is None:
        return nn.Identity()
    fmt = PerChannel(word_bits).resolve((1,) * ndim)
    return Quantizer(fmt, fmt, forward_rounding="stochastic", backward_rounding="stochastic")


def _conv(inputs: int, outputs: int, side: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
