"""The main job from the command line: what it writes, how it goes on, and what it refuses."""

import csv
import functools
import json

import pytest
from typer.testing import CliRunner

from samplers.cli import app
from samplers.compare import job
from samplers.compare.config import Config
from samplers.compare.rows import rows

OPTIONS = [
    "--steps",
    "40",
    "--samples",
    "5",
    "--chains",
    "2",
    "--hidden",
    "8",
    "--formats",
    "fixed<8,5>",
    "--workers",
    "1",
]


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "140"})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "toy_draws", functools.partial(job.toy_draws, chains=20))
        result = invoke("compare", "--out", out, *OPTIONS)
        assert result.exit_code == 0, result.output
        yield out, result.output


def outcomes(out):
    found = {path.name: json.loads(path.read_text()) for path in (out / "chains").iterdir()}
    return {
        name: {k: v for k, v in outcome.items() if k != "seconds"}
        for name, outcome in found.items()
    }


def test_writes_every_row_with_its_spread(finished):
    out, output = finished
    content = json.loads((out / "results.json").read_text())
    names = [(r["sampler"], r["format"]) for r in content["rows"]]
    assert names == [(r.sampler, r.format) for r in rows(Config(formats=("fixed<8,5>",)))]
    assert content["config"]["steps"] == 40
    assert {"python", "numpy", "torch", "numformats"} <= content["versions"].keys()
    for row in content["rows"]:
        errors = [chain["error"] for chain in row["chains"]]
        assert row["mean"]["error"] == pytest.approx(sum(errors) / 2)
        assert row["std"]["error"] == pytest.approx(abs(errors[0] - errors[1]) / 2**0.5)
        assert row["samples"] == 5
    assert "VC SGLD-L" in output
    assert "±" in output


def test_writes_a_line_for_each_chain_and_the_plots(finished):
    out, _ = finished
    with (out / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 7 * 2
    for name in ("accuracy", "reliability", "toy"):
        assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_report_prints_the_table_again(finished):
    out, output = finished
    again = invoke("report", out).output
    assert again.strip() in output


def test_goes_on_where_it_stopped_with_the_same_numbers(finished):
    out, _ = finished
    before = outcomes(out)
    removed, kept = out / "chains/vc-sgld-l-fixed-8-5-1.json", out / "chains/sgd-float32-0.json"
    removed.unlink()
    stamp = kept.stat().st_mtime_ns
    assert invoke("compare", "--out", out, *OPTIONS).exit_code == 0
    assert kept.stat().st_mtime_ns == stamp
    assert outcomes(out) == before


def test_other_options_in_the_folder_are_refused_unless_fresh(finished, tmp_path):
    out, _ = finished
    result = invoke("compare", "--out", out, *OPTIONS, "--lr", "0.3")
    assert result.exit_code == 2
    assert "lr=0.1 (now 0.3)" in result.output
    assert "--fresh" in result.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--formats", "fixed<8,99>x"], "fixed"),
        (["--formats", "e4m3 e4m3"], "twice"),
        (["--formats", "fixed<8,5,overflow=wrap>"], "wrap"),
        (["--data", "cifar"], "cifar"),
        (["--hidden", "a"], "--hidden 'a'"),
        (["--steps", "10", "--samples", "50"], "samples=50"),
        (["--data", "mnist", "--folder", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_options_end_before_anything_is_trained(tmp_path, arguments, message):
    result = invoke("compare", "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_a_diverging_chain_is_named(tmp_path):
    result = invoke("compare", "--out", tmp_path / "out", *OPTIONS, "--lr", "1e30")
    assert result.exit_code == 2
    assert "SGD float32 diverged at lr=1e+30" in result.output


def test_report_without_results_says_so(tmp_path):
    result = invoke("report", tmp_path)
    assert result.exit_code == 2
    assert "results.json" in result.output
