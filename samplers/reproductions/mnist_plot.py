"""The plot of the MNIST study: error and NLL against the number of fractional bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numformats as nf

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = {
    "SGLD F": ("tab:blue", "-"),
    "SGLD VC": ("tab:green", "-"),
    "SGLD L": ("tab:red", "-"),
    "SGD L": ("tab:orange", "-"),
    "SGHMC F": ("tab:blue", "--"),
    "SGHMC VC": ("tab:green", "--"),
    "SGHMC L": ("tab:red", "--"),
}
FLOAT32_STYLES = {"SGLD": "-", "SGHMC": "--"}
Summaries = list[dict[str, Any]]


def draw(found: dict[str, Summaries]) -> Figure:
    """A column for each model; horizontal grey lines are float32."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(found) + 0.4, 7), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False)
    for column, (model, summaries) in enumerate(found.items()):
        for ax, score, factor in zip(axes[:, column], ("error", "nll"), (100, 1), strict=True):
            _curves(ax, summaries, score, factor)
        axes[0, column].set_title(model)
    axes[0, 0].set_ylabel("test error (%)")
    axes[1, 0].set_ylabel("test NLL")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _curves(ax: Axes, summaries: Summaries, score: str, factor: float) -> None:
    for sampler, style in FLOAT32_STYLES.items():
        (full,) = (s for s in summaries if (s["sampler"], s["format"]) == (sampler, "float32"))
        ax.axhline(factor * full["mean"][score], color="0.5", linestyle=style, label=sampler)
    for sampler, (colour, style) in STYLES.items():
        own = [s for s in summaries if s["sampler"] == sampler]
        bits = [_frac_bits(s["format"]) for s in own]
        values = [factor * s["mean"][score] for s in own]
        ax.plot(bits, values, style, color=colour, marker=".", label=sampler)
    ax.set(xlabel="fractional bits", xticks=bits)
    ax.grid(alpha=0.3)


def _frac_bits(name: str) -> int:
    fmt = nf.parse(name)
    assert isinstance(fmt, nf.FixedPoint)  # the study has no others
    return fmt.frac_bits
