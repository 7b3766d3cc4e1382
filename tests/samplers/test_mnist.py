"""The published claim on MNIST: full accumulators near float32, then variance-corrected ones, then
naive ones.

Logistic regression in fixed point with 2 integer bits and 4 fractional ones, all rows with the same
batches and the same sample averaging. The margins asserted are several spreads wide;
`docs/samplers.md` holds the measured table.
"""

import os
import pathlib

import pytest

from samplers.compare.chain import run_chain
from samplers.compare.config import Config
from samplers.compare.rows import rows
from samplers.compare.workers import one_thread
from samplers.images import load_images

FOLDER = (
    pathlib.Path(
        os.environ.get("NUMFORMATS_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data")
    )
    / "mnist"
)
CONFIG = Config(
    data="mnist", formats=("fixed<6,4>",), chains=2, steps=500, batch_size=128, lr=0.1,
    temperature=1.0, weight_decay=1e-4, hidden=(), samples=25,
)  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    """Per row, error and NLL of each chain."""
    try:
        images = load_images("mnist", FOLDER)
    except ValueError as error:
        pytest.skip(f"no MNIST: {error}")
    chosen = [row for row in rows(CONFIG) if row.name not in ("SGD float32", "cSGLD float32")]
    with one_thread():
        return {
            row.name: [run_chain(row, c, CONFIG, images) for c in range(CONFIG.chains)]
            for row in chosen
        }


def scores(measured, name, score):
    return [chain[score] for chain in measured[name]]


@pytest.mark.slow
def test_low_precision_ranks_as_published(measured):
    reference = max(scores(measured, "SGLD float32", "nll"))
    full = scores(measured, "SGLD-F fixed<6,4>", "nll")
    corrected = scores(measured, "VC SGLD-L fixed<6,4>", "nll")
    naive = scores(measured, "SGLD-L fixed<6,4>", "nll")
    assert max(full) < reference + 0.01
    assert max(full) < min(corrected)
    assert max(corrected) + 0.03 < min(naive)


@pytest.mark.slow
def test_errors_rank_likewise(measured):
    full = scores(measured, "SGLD-F fixed<6,4>", "error")
    corrected = scores(measured, "VC SGLD-L fixed<6,4>", "error")
    naive = scores(measured, "SGLD-L fixed<6,4>", "error")
    assert max(full) < max(scores(measured, "SGLD float32", "error")) + 0.005
    assert max(corrected) + 0.005 < min(naive)
    assert max(naive) < 0.3


@pytest.mark.slow
def test_the_control_without_noise_shares_the_gain(measured):
    """At 60 000 images the injected noise is far below the grid: correcting it is mostly not adding
    too much."""
    control = scores(measured, "SGD-L fixed<6,4>", "nll")
    assert max(control) + 0.03 < min(scores(measured, "SGLD-L fixed<6,4>", "nll"))
