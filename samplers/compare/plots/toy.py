"""The Gaussian toy: densities of the low-precision samplers' draws against N(0, 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from samplers.compare.plots.palette import GRID, legend_below, marks, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGES = (np.arange(-40, 42) - 0.5) / 8  # a bin for each value with 3 fractional bits, up to ±5


def densities(draws: Mapping[str, torch.Tensor]) -> dict[str, dict[str, Any]]:
    """Histogram and standard deviation of each sampler's draws, as plain data."""
    return {
        name: {
            "density": np.histogram(values.numpy(), EDGES, density=True)[0].tolist(),
            "sd": float(values.double().std()),
        }
        for name, values in draws.items()
    }


def toy_figure(toy: dict[str, dict[str, Any]]) -> Figure:
    """What ``densities`` gave; the area is the true density."""
    figure, ax = panel(3.4)
    grid = np.linspace(-5, 5, 401)
    true = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    ax.fill_between(grid, true, color=GRID, label="true density, sd 1")
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    for name, found in toy.items():
        label = f"{name}, sd {found['sd']:.3f}"
        look = {**marks(name), "markersize": 4}
        ax.plot(middles, found["density"], label=label, markevery=4, **look)
    ax.set(xlabel="θ", ylabel="density", xlim=(-5, 5), ylim=(0, None))
    ax.set_title("U = θ²/2, 8-bit fixed point, lr 0.002")
    legend_below(figure, ax, columns=2)
    return figure
