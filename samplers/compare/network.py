"""The network that every row trains, and what there is to know of it and its data."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from samplers.images import CLASSES, Images


def build_model(
    features: int, hidden: tuple[int, ...], generator: torch.Generator
) -> torch.nn.Module:
    """A ReLU network with He-normal weights, drawn from ``generator``, and zero biases."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise((features, *hidden, CLASSES)):
        linear = torch.nn.Linear(inputs, outputs)
        torch.nn.init.normal_(linear.weight, std=(2 / inputs) ** 0.5, generator=generator)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def tensor_shapes(features: int, hidden: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The tensors of the network by name."""
    model = build_model(features, hidden, torch.Generator())
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def describe_problem(images: Images, hidden: tuple[int, ...]) -> dict[str, Any]:
    """Sizes of data and network, as plain data."""
    features = images.train_x.shape[1]
    shapes = tensor_shapes(features, hidden).values()
    return {
        "data": images.name,
        "training": len(images.train_y),
        "test": len(images.test_y),
        "widths": [features, *hidden, CLASSES],
        "weights": sum(torch.Size(shape).numel() for shape in shapes),
    }
