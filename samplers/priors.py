"""Priors as log-densities: what they add to the gradient of the mean loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch

from samplers.domains import check_positive

Prior: TypeAlias = "Gaussian | Laplace | Callable[[torch.Tensor], torch.Tensor]"
"""A prior of this module, or a function from a parameter to its log-density, up to a constant."""


@dataclass(frozen=True)
class Gaussian:
    """The prior N(mean, std²), independently for each weight.

    Args:
        std: its standard deviation.
        mean: its mean.

    Raises:
        ValueError: ``std`` beyond 2^-63 to 2^63, whose inverse square float32 lacks, or a mean that
            is not finite.

    Example:
        >>> Gaussian(0.5).slope(torch.tensor([1.0, -2.0]))
        tensor([ 4., -8.])
    """

    std: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        _check_scale("std", self.std, 2.0**-63)
        if not math.isfinite(self.mean):
            raise ValueError(f"mean={self.mean!r}; write a finite number")

    def slope(self, theta: torch.Tensor) -> torch.Tensor:
        """-∇ log p(θ) = (θ - mean)/std²."""
        return (theta - self.mean) / self.std**2

    def __str__(self) -> str:
        return f"N({self.mean:g}, {self.std**2:.4g}·I)"


@dataclass(frozen=True)
class Laplace:
    """The prior with density exp(-|θ|/scale)/(2·scale), independently for each weight.

    Args:
        scale: its mean magnitude.

    Raises:
        ValueError: ``scale`` beyond 2^-126 to 2^126, whose inverse float32 lacks.

    Example:
        >>> Laplace(0.5).slope(torch.tensor([1.0, 0.0, -2.0]))
        tensor([ 2.,  0., -2.])
    """

    scale: float

    def __post_init__(self) -> None:
        _check_scale("scale", self.scale, 2.0**-126)

    def slope(self, theta: torch.Tensor) -> torch.Tensor:
        """-∇ log p(θ) = sign(θ)/scale, 0 at 0."""
        return torch.sign(theta) / self.scale

    def __str__(self) -> str:
        return f"Laplace(0, {self.scale:g})"


def _check_scale(name: str, value: float, least: float) -> None:
    check_positive(name, value)
    if not least <= value <= 1 / least:
        raise ValueError(
            f"{name}={value!r}; write a number from {least:.3g} to {1 / least:.3g}, so that "
            "float32 holds the slope"
        )


def slope(prior: Prior, theta: torch.Tensor) -> torch.Tensor:
    """-∇ log p(θ), through autograd where ``prior`` is a function.

    Raises:
        ValueError: a function whose result does not depend on its argument, or is not finite.
    """
    if isinstance(prior, Gaussian | Laplace):
        return prior.slope(theta)
    with torch.enable_grad():
        at = theta.detach().clone().requires_grad_()
        density = prior(at)
        if not isinstance(density, torch.Tensor) or not density.requires_grad:
            raise ValueError(
                f"prior {prior!r} returned {density!r}, which does not depend on the parameter; "
                "return its log-density, for example lambda theta: -theta.abs().sum()"
            )
        (found,) = torch.autograd.grad(-density.sum(), at)
    if not bool(torch.isfinite(found).all()):
        raise ValueError(
            f"prior {prior!r} has a gradient that is not finite at the current weights"
        )
    return found


def check_prior(prior: object, weight_decay: float) -> None:
    """Refuse what is no prior, and two priors at once."""
    if prior is None:
        return
    if not isinstance(prior, Gaussian | Laplace) and not callable(prior):
        raise TypeError(
            f"prior={prior!r}: write samplers.Gaussian(std), samplers.Laplace(scale) or a function "
            "from a parameter to its log-density"
        )
    if weight_decay != 0:
        raise ValueError(
            f"weight_decay={weight_decay!r} is a Gaussian prior, and prior={prior!s} is another; "
            "write one of them"
        )
