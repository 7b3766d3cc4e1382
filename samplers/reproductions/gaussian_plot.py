"""The plot of the Gaussian toy: densities above, variances against the step size below."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCUMULATORS = ("full", "low", "variance_corrected")
COLOURS = {"full": "tab:blue", "low": "tab:red", "variance_corrected": "tab:green"}
LABELS = {"full": "full (F)", "low": "naive (L)", "variance_corrected": "variance-corrected (VC L)"}
PUBLISHED_STEP = {"SGLD": 2e-3, "SGHMC": 0.09}


class Case(NamedTuple):
    """One sampler at one step size: standard deviation found, its error, the closed form, and the
    density as (points, values)."""

    sampler: str
    accumulator: str
    lr: float
    std: float
    error: float
    closed: float
    density: tuple[NDArray[np.float64], NDArray[np.float64]]


def draw(cases: list[Case]) -> Figure:
    """Four panels, a column for each sampler."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    for column, sampler in enumerate(PUBLISHED_STEP):
        own = [case for case in cases if case.sampler == sampler]
        _densities(axes[0, column], own)
        _variances(axes[1, column], own)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _densities(ax: Axes, cases: list[Case]) -> None:
    wanted = PUBLISHED_STEP[cases[0].sampler]
    shown = min((case.lr for case in cases), key=lambda lr: abs(lr - wanted))
    grid = np.linspace(-4, 4, 401)
    ax.fill_between(
        grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color="0.85", label="N(0, 1)"
    )
    for case in cases:
        if case.lr == shown:
            ax.plot(*case.density, color=COLOURS[case.accumulator], label=LABELS[case.accumulator])
    ax.set(
        title=f"{cases[0].sampler}, step {shown:g}", xlabel="θ", ylabel="density", ylim=(0, None)
    )


def _variances(ax: Axes, cases: list[Case]) -> None:
    for number, accumulator in enumerate(ACCUMULATORS):
        own = sorted((c for c in cases if c.accumulator == accumulator), key=lambda c: c.lr)
        steps, colour = [c.lr for c in own], COLOURS[accumulator]
        ax.plot(steps, [c.closed**2 for c in own], "-", color=colour, alpha=0.5)
        found, errors = [c.std**2 for c in own], [2 * c.std * c.error for c in own]
        apart = [step * 1.03 ** (number - 1) for step in steps]
        ax.errorbar(apart, found, errors, fmt="o", color=colour, markersize=4)
    ax.axhline(1, color="0.7", linewidth=1, zorder=0)
    ax.set(xscale="log", xlabel="step size", ylabel="variance of θ (line: closed form)")
    shown = sorted({case.lr for case in cases})
    ax.set_xticks(shown, [f"{step:g}" for step in shown])
    ax.minorticks_off()
