"""Rows on accelerators: their products are the chip's, in training or in predictions alone."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

import numformats as nf
from numformats.torch import simulate
from samplers.compare.chain import build_optimizer, run_chain, train
from samplers.compare.config import Config
from samplers.compare.network import build_model
from samplers.compare.rows import Row, rows
from samplers.images import load_images
from samplers.precision import Precision
from tests.samplers.compare.running import ACCELERATOR, OPTIONS, invoke, one_line

STEPS, SAMPLES = 12, 3
SIZE = {"steps": STEPS, "samples": SAMPLES, "hidden": (8,), "chains": 1, "cycles": 2}
SMALL = {**SIZE, "formats": ()}
SCORES = ("error", "nll", "ece", "brier", "single_sample_nll")


@pytest.fixture(scope="module")
def images():
    return load_images("digits")


def outcome(name, sampler, images, simulation="fast"):
    config = Config(**SMALL, accelerators=(name,), simulation=simulation)
    row = next(r for r in rows(config) if r.sampler == sampler and r.accelerator == name)
    return run_chain(row, 0, config, images)


def test_as_many_products_as_the_network_has(finished):
    """A step has 2 forward and 3 backward products (none for the images' errors), a sample 2."""
    content = json.loads((finished.out / "results.json").read_text())
    found = {r["sampler"]: r["chains"][0]["products"] for r in content["rows"] if r["accelerator"]}
    trained = {"simulated": 40 * 5 + 5 * 2, "full_precision": {}}
    assert found == {
        "SGD": trained, "SGLD": trained,
        "SGLD inference": {"simulated": 5 * 2, "full_precision": {}},
    }  # fmt: skip


@pytest.mark.parametrize("sampler", ["SGLD", "SGLD inference"])
def test_a_chip_that_stores_float32_gives_the_row_of_float32(images, sampler, tmp_path):
    """Bit for bit, in fast mode; and a chip that rounds does not, or this test could not fail."""
    wide = tmp_path / "wide.toml"
    chip = nf.accelerator("nvidia-h100-fp8")
    engine = nf.engines.MACChain("fp32", "fp32", accumulator="fp32")
    type(chip)("wide", weights="fp32", activations="fp32", engine=engine).save(wide)
    config = Config(**SMALL)
    plain = run_chain(Row("SGLD", "float32", Precision()), 0, config, images)
    same, other = (outcome(n, sampler, images) for n in (str(wide), ACCELERATOR))
    assert [same[s] for s in SCORES] == [plain[s] for s in SCORES]
    assert [other[s] for s in SCORES] != [plain[s] for s in SCORES]


def test_inference_takes_the_samples_of_the_float32_row(images):
    """Its single-sample NLL is that of float32 samples, predicted by hand on the chip."""
    config = Config(**SMALL, accelerators=(ACCELERATOR,))
    found = outcome(ACCELERATOR, "SGLD inference", images, "exact")
    row = Row("SGLD", "float32", Precision())
    from samplers.compare.chain import _stream

    generator = torch.Generator().manual_seed(_stream(0, 0))
    model = build_model(64, (8,), generator)
    optimizer = build_optimizer(model, row, 0, config, len(images.train_y))
    samples = train(model, optimizer, row, config, images, generator)
    chip = nf.accelerator(ACCELERATOR)
    losses = []
    for s in samples:
        hidden = chip.matmul(images.test_x, s["0.weight"].T.contiguous(), s["0.bias"][None]).relu()
        logits = chip.matmul(hidden, s["2.weight"].T.contiguous(), s["2.bias"][None])
        losses.append(torch.nn.functional.cross_entropy(logits.double(), images.test_y))
    assert found["single_sample_nll"] == pytest.approx(float(torch.stack(losses).mean()), rel=1e-12)


def test_exact_products_differ_from_fast_ones_and_repeat(images):
    first, again = (outcome(ACCELERATOR, "SGLD", images, "exact") for _ in range(2))
    fast = outcome(ACCELERATOR, "SGLD", images)
    assert [first[s] for s in SCORES] == [again[s] for s in SCORES]
    assert first["nll"] != fast["nll"]
    assert first["products"] == fast["products"]


def test_products_that_a_chip_cannot_do_are_counted_with_their_reason(images):
    """An integer unit has no backward products."""
    name = next(n for n, chip in nf.accelerators().items() if chip.integer)
    found = outcome(name, "SGLD", images, "exact")["products"]
    assert any("float32 sums" in reason for reason in found["full_precision"])
    assert sum(found["full_precision"].values()) > 0


def test_simulations_end_with_the_chain(images):
    outcome(ACCELERATOR, "SGLD", images)
    with simulate("e4m3"):
        pass


def test_chains_of_another_chip_in_the_same_file_are_refused(tmp_path):
    """The name stays, what the file says does not; the report needs no file any more."""
    chip, path = nf.accelerator(ACCELERATOR), tmp_path / "chip.toml"
    dataclasses.replace(chip, name="my-chip").save(path)
    patterns = "SGD my-chip, SGD float32"
    options = [*OPTIONS, "--accelerators", path, "--rows", patterns, "--formats", ""]
    arguments = ["compare", "--out", tmp_path / "out", *options]
    assert invoke(*arguments).exit_code == 0
    dataclasses.replace(chip, name="my-chip", rounding="toward_zero").save(path)
    assert "chips=" in one_line(invoke(*arguments))
    path.unlink()
    assert "my-chip" in invoke("report", tmp_path / "out").stdout


def test_two_files_of_one_name_are_refused(tmp_path):
    chip, paths = nf.accelerator(ACCELERATOR), [tmp_path / "a.toml", tmp_path / "b.json"]
    for path in paths:
        chip.save(path)
    line = one_line(invoke("compare", "--accelerators", " ".join(map(str, paths))))
    assert "a name of its own" in line


@pytest.mark.parametrize("options", [{"formats": ("e4m3", "E4M3")}, {"accelerators": "float32"}])
def test_rows_that_would_share_a_file_are_refused(tmp_path, options):
    if "accelerators" in options:
        chip = nf.accelerator("nvidia-h100-fp8")
        dataclasses.replace(chip, name="float32").save(tmp_path / "chip.toml")
        options = {"formats": (), "accelerators": (str(tmp_path / "chip.toml"),)}
    with pytest.raises(ValueError, match="would share their files"):
        rows(Config(**options))
