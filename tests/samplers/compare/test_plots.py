"""What the plots decide: where axes end, which letters are legible, what is not finite."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from samplers.compare.config import Config
from samplers.compare.page import write_report
from samplers.compare.plots.layers import MAP, TOP, letters_on
from samplers.compare.plots.palette import STYLES, far_off
from samplers.compare.rows import rows as all_rows
from tests.samplers.compare.pages import Page
from tests.samplers.compare.running import ACCELERATOR

NOWHERE = sys.float_info.max


def luminance(rgb):
    """WCAG 2.1, by NumPy."""
    c = np.asarray(rgb)
    return np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def test_letters_are_legible_on_every_cell():
    contrasts = []
    for shade in np.linspace(0, TOP, 200):
        pair = sorted(
            luminance(c) for c in (to_rgb(letters_on(shade)), colormaps[MAP](shade / TOP)[:3])
        )
        contrasts.append((pair[1] + 0.05) / (pair[0] + 0.05))
    assert min(contrasts) >= 4.5
    assert {letters_on(0), letters_on(TOP)} == {"#010101", "#fefefe"}


@pytest.mark.parametrize(
    "values, end",
    [
        ([1, 2, 1.5, 9], 2),
        ([1, 2, 1.5, 2.9], NOWHERE),
        ([1, 1, 1, 9], NOWHERE),  # no range to compare with
        ([1, 2, 1.5, math.inf], NOWHERE),
        ([1, 2, 1.5, 9, math.nan], 2),
        ([1, 2] * 7 + [9, 10], 2),
        ([1, 2, 9, 10], NOWHERE),  # half of them are no outliers
        ([], NOWHERE),
    ],
)
def test_axes_end_before_a_few_far_values(values, end):
    assert far_off(values) == end


def test_every_row_has_a_style_of_its_own():
    rows = all_rows(Config(accelerators=(ACCELERATOR,)))
    assert {row.sampler for row in rows} == STYLES.keys()
    assert len({s.colour for s in STYLES.values()}) == len(STYLES)
    assert len({s.marker for s in STYLES.values()}) == len(STYLES)


@pytest.mark.filterwarnings("error")
def test_an_infinite_nll_is_said_and_drawn_beyond_the_axis(finished, tmp_path):
    """A label that got probability 0 in every sample."""
    content = json.loads((finished.out / "results.json").read_text())
    row = content["rows"][3]
    row["mean"] |= {"nll": math.inf, "single_sample_nll": math.inf}
    row["std"]["nll"] = math.nan
    row["chains"][0]["nll"] = math.inf
    write_report(content, tmp_path)
    page = Page(tmp_path / "report.html")
    assert any("inf" in words for words in page.words)
    assert 'data-sort="1e+300"' in page.text
    assert "↑ inf" in (tmp_path / "report.html").read_text()
