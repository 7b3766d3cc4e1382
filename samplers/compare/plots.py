"""The plots of a comparison: accuracy by format, reliability, and the Gaussian toy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from samplers.compare.rows import FLOAT32

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "SGD": "0.55",
    "SGLD": "0.15",
    "cSGLD": "tab:purple",
    "SGLD-F": "tab:blue",
    "VC SGLD-L": "tab:green",
    "SGLD-L": "tab:red",
    "SGD-L": "tab:orange",
}
Summaries = list[dict[str, Any]]


def write_plots(out: Path, summaries: Summaries, toy: dict[str, torch.Tensor]) -> None:
    """Write ``accuracy.png``, ``reliability.png`` and ``toy.png`` into ``out``."""
    figures = {
        "accuracy": accuracy_figure(summaries),
        "reliability": reliability_figure(summaries),
        "toy": toy_figure(toy),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=150)


def accuracy_figure(summaries: Summaries) -> Figure:
    """Error and NLL by format: mean, spread over the chains, and each chain as a faint dot."""
    formats = list(dict.fromkeys(s["format"] for s in summaries))
    figure = _figure(5.0 + 2.0 * len(formats), 4.2)
    axes = figure.subplots(1, 2)
    for ax, name, label, factor in zip(
        axes, ("error", "nll"), ("test error (%)", "test NLL"), (100, 1), strict=True
    ):
        for summary in summaries:
            _draw_row(ax, summary, name, factor, _place(summary, summaries, formats))
        ax.set_xticks(range(len(formats)), formats)
        ax.set_ylabel(label)
        ax.grid(axis="y", alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(
        unique.values(), unique.keys(), loc="outside lower center", ncols=7, frameon=False
    )
    return figure


def reliability_figure(summaries: Summaries) -> Figure:
    """Accuracy minus confidence by confidence, summed over the chains: below 0 is overconfident."""
    formats = [f for f in dict.fromkeys(s["format"] for s in summaries) if f != FLOAT32]
    figure = _figure(3.4 * max(len(formats), 1) + 1, 4.0)
    axes = figure.subplots(1, max(len(formats), 1), sharey=True, squeeze=False)[0]
    reference = [s for s in summaries if s["format"] == FLOAT32 and s["sampler"] == "SGLD"]
    for ax, fmt in zip(axes, formats or [FLOAT32], strict=True):
        ax.axhline(0, color="0.7", linewidth=1)
        for summary in reference + [s for s in summaries if s["format"] == fmt]:
            _draw_reliability(ax, summary)
        ax.set_title(fmt)
        ax.set_xlabel("confidence")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy - confidence")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def toy_figure(draws: dict[str, torch.Tensor]) -> Figure:
    """Densities of the samplers' draws on the Gaussian toy against N(0, 1)."""
    figure = _figure(6.4, 4.0)
    ax = figure.subplots()
    grid = np.linspace(-5, 5, 401)
    ax.fill_between(
        grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color="0.85", label="true density, sd 1"
    )
    edges = (
        np.arange(-40, 42) - 0.5
    ) / 8  # one bin for each value of the 8-bit grid with 3 fractional bits
    for name, values in draws.items():
        density, _ = np.histogram(values.numpy(), edges, density=True)
        label = f"{name}, sd {float(values.double().std()):.3f}"
        ax.plot((edges[1:] + edges[:-1]) / 2, density, color=COLOURS[name], label=label)
    ax.set(
        xlabel="θ",
        ylabel="density",
        xlim=(-5, 5),
        ylim=(0, None),
        title="U = θ²/2, 8-bit fixed point, α = 0.002",
    )
    ax.legend(frameon=False)
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _place(summary: dict[str, Any], summaries: Summaries, formats: list[str]) -> float:
    peers = [s["sampler"] for s in summaries if s["format"] == summary["format"]]
    return formats.index(summary["format"]) + 0.17 * (
        peers.index(summary["sampler"]) - (len(peers) - 1) / 2
    )


def _draw_row(ax: Axes, summary: dict[str, Any], name: str, factor: float, x: float) -> None:
    colour = COLOURS[summary["sampler"]]
    chains = [factor * chain[name] for chain in summary["chains"]]
    ax.plot([x] * len(chains), chains, ".", color=colour, alpha=0.35, markersize=5, zorder=1)
    spread = factor * (summary["std"][name] or 0)
    label = summary["sampler"]
    ax.errorbar(
        x,
        factor * summary["mean"][name],
        spread,
        fmt="o",
        color=colour,
        capsize=3,
        markersize=5,
        label=label,
    )


def _draw_reliability(ax: Axes, summary: dict[str, Any]) -> None:
    bins = [chain["reliability"] for chain in summary["chains"]]
    names = ("points", "confidence", "correct")
    points, confidence, correct = (np.sum([b[name] for b in bins], axis=0) for name in names)
    filled = points >= 25  # below that the noise of a proportion hides the gap
    x, y = confidence[filled] / points[filled], (correct - confidence)[filled] / points[filled]
    label = (
        f"{summary['sampler']} {FLOAT32}" if summary["format"] == FLOAT32 else summary["sampler"]
    )
    ax.plot(x, y, ".-", color=COLOURS[summary["sampler"]], label=label, linewidth=1.2)
