"""The MNIST study on generated images in idx files: rows, resuming, refusals, and judgement."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from samplers import SGHMC
from samplers.cli import app
from samplers.reproductions import mnist
from samplers.reproductions.mnist import Settings
from samplers.reproductions.mnist_claims import claims
from samplers.reproductions.study import reproduce

SMALL = Settings(
    frac_bits=(2, 8), models=("logistic",), steps=60, batch_size=32, samples=5, workers=1
)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten noisy patterns: easy to learn, if learning works."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 128, (10, 28, 28))
    folder = tmp_path_factory.mktemp("data")
    (folder / "mnist").mkdir()
    for part, count in (("train", 600), ("t10k", 200)):
        labels = np.arange(count) % 10
        images = patterns[labels] + rng.integers(0, 128, (count, 28, 28))
        write_idx(folder / f"mnist/{part}-images-idx3-ubyte", images)
        write_idx(folder / f"mnist/{part}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture(autouse=True)
def found(data, monkeypatch):
    monkeypatch.setenv("NUMFORMATS_DATA", str(data))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMFORMATS_DATA", str(data))
        return out, reproduce("mnist", SMALL, out)


def test_rows_are_every_accumulator_of_both_samplers_at_each_width():
    rows = mnist.rows(Settings(frac_bits=(4,), sghmc_lr=0.3))
    kinds = {(row.sampler, row.precision.accumulator, row.noise) for row in rows}
    assert kinds == {
        ("SGLD", "full", True), ("SGHMC", "full", True), ("SGD L", "low", False),
        ("SGLD F", "full", True), ("SGLD VC", "variance_corrected", True), ("SGLD L", "low", True),
        ("SGHMC F", "full", True), ("SGHMC VC", "variance_corrected", True),
        ("SGHMC L", "low", True),
    }  # fmt: skip
    assert all((row.kind is SGHMC) == row.sampler.startswith("SGHMC") for row in rows)
    assert {row.options["lr"] for row in rows if row.kind is SGHMC} == {0.3}
    assert str(rows[-1].precision.weight) == "fixed<6,4>"


def test_the_prior_has_variance_one_hundredth():
    config = mnist.config_of(Settings(), "mlp")
    assert 1 / (60_000 * config.weight_decay) == pytest.approx(1e-2)
    assert config.hidden == (100,)
    assert config.temperature == 1


def test_eight_bits_learn_and_two_are_worse(finished):
    _, outcome = finished
    nll = {row[1:3]: row[4] for row in outcome.rows}
    for sampler in ("SGLD", "SGHMC"):
        assert nll[sampler, "float32"] < 1.5 < np.log(10)
        assert nll[f"{sampler} F", "fixed<10,8>"] == pytest.approx(
            nll[sampler, "float32"], abs=0.05
        )
    assert nll["SGLD L", "fixed<4,2>"] > nll["SGLD L", "fixed<10,8>"] + 0.1


def test_what_is_finished_is_not_trained_again(finished, monkeypatch):
    out, outcome = finished
    monkeypatch.setattr("samplers.compare.workers.run_chain", None)
    assert mnist.run(SMALL, out).rows == outcome.rows


def test_a_lost_chain_comes_again_with_the_same_numbers(finished):
    out, outcome = finished
    (out / "logistic/chains/sghmc-vc-fixed-4-2-0.json").unlink()
    assert mnist.run(SMALL, out).rows == outcome.rows


def test_other_settings_in_the_folder_are_refused(finished):
    out, _ = finished
    other = Settings(**{**json.loads((out / "settings.json").read_text()), "sghmc_lr": 0.2})
    with pytest.raises(ValueError, match=r"sghmc_lr=0.1 \(now 0.2\)"):
        mnist.run(other, out)


def test_missing_data_is_named_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMFORMATS_DATA", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(app, ["reproduce", "mnist", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "nowhere" in result.output
    assert not (tmp_path / "out").exists()


def judged(**changed):
    """Claims on made-up NLLs that hold all of them, but for ``changed``."""
    nll = {
        "SGLD float32": 0.30, "SGHMC float32": 0.30,
        "SGLD F": 0.31, "SGLD VC": 0.35, "SGLD L": 0.60, "SGD L": 0.40,
        "SGHMC F": 0.31, "SGHMC VC": 0.35, "SGHMC L": 0.45,
    }  # fmt: skip
    summaries = [
        {
            "sampler": name.removesuffix(" float32"),
            "format": "float32" if name.endswith("float32") else "fixed<6,4>",
            "mean": {"nll": value},
        }
        for name, value in (nll | changed).items()
    ]
    return [claim.held for claim in claims({"mlp": summaries})]


@pytest.mark.parametrize(
    "changed, fails",
    [
        ({}, []),
        ({"SGLD F": 0.34}, [0]),
        ({"SGHMC F": 0.34}, [1]),
        ({"SGLD VC": 0.61, "SGD L": 0.7}, [2]),
        ({"SGHMC VC": 0.46}, [3]),
        ({"SGHMC L": 0.60}, [4]),
        ({"SGD L": 0.35}, [5]),
    ],
)
def test_each_claim_is_judged_by_its_own_numbers(changed, fails):
    assert [k for k, held in enumerate(judged(**changed)) if not held] == fails
