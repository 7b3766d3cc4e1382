"""The main job from the command line: what it writes, how it goes on, and what it refuses."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from samplers.compare.config import Config
from samplers.compare.folder import ResultFolder
from samplers.compare.rows import rows
from tests.samplers.compare.running import (
    ACCELERATOR,
    CHOSEN,
    FORMATS,
    OPTIONS,
    invoke,
    one_line,
)


def outcomes(out):
    found = {path.name: json.loads(path.read_text()) for path in (out / "chains").iterdir()}
    return {
        name: {k: v for k, v in outcome.items() if k != "seconds"}
        for name, outcome in found.items()
    }


def test_writes_every_row_with_its_spread(finished):
    content = json.loads((finished.out / "results.json").read_text())
    wanted = rows(Config(formats=FORMATS, accelerators=(ACCELERATOR,)))
    assert [(r["sampler"], r["format"]) for r in content["rows"]] == [
        (r.sampler, r.format) for r in wanted
    ]
    assert content["config"]["steps"] == 40
    assert {"python", "numpy", "torch", "numformats"} <= content["versions"].keys()
    for row in content["rows"]:
        errors = [chain["error"] for chain in row["chains"]]
        assert row["mean"]["error"] == pytest.approx(sum(errors) / 2)
        assert row["std"]["error"] == pytest.approx(abs(errors[0] - errors[1]) / 2**0.5)
        assert row["samples"] == 5
    assert "VC SGLD-L" in finished.printed
    assert "±" in finished.printed


def test_writes_a_line_for_each_chain(finished):
    with (finished.out / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == (3 + 4 * len(FORMATS) + 3) * 2


def test_goes_on_where_it_stopped_with_the_same_numbers(finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished.out, out)
    before = outcomes(out)
    removed, kept = out / "chains/vc-sgld-l-fixed-8-5-1.json", out / "chains/sgd-float32-0.json"
    removed.unlink()
    stamp = kept.stat().st_mtime_ns
    assert invoke("compare", "--out", out, *OPTIONS, *CHOSEN).exit_code == 0
    assert kept.stat().st_mtime_ns == stamp
    assert outcomes(out) == before


def test_other_options_in_the_folder_are_refused_unless_fresh(finished):
    line = one_line(invoke("compare", "--out", finished.out, *OPTIONS, *CHOSEN, "--lr", "0.3"))
    assert "lr=0.1 (now 0.3)" in line
    assert "--fresh" in line


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--formats", "fixed<8,99>x"], "fixed"),
        (["--formats", "e4m3 e4m3"], "twice"),
        (["--formats", "fixed<8,5,overflow=wrap>"], "wrap"),
        (["--accelerators", "nvidia-h100-fp9"], "did you mean 'nvidia-h100-fp8'"),
        (["--simulation", "slow"], "'exact', 'fast'"),
        (["--rows", "SGLD float23"], "'SGLD float32'"),
        (["--data", "cifar"], "cifar"),
        (["--hidden", "a"], "--hidden 'a'"),
        (["--averaged", "2"], "averaged=2.0"),
        (["--seed", "-1"], "seed=-1"),
        (["--workers", "0"], "--workers"),
        (["--steps", "x"], "--steps"),
        (["--stepz", "3"], "--steps"),
        (["--steps", "10", "--samples", "50"], "samples=50"),
        (["--cycles", "300", "--steps", "20", "--samples", "5"], "cycles=300 with steps=20"),
        (["--cycles", "300", "--steps", "20"], "cycles=300 with steps=20"),
        # cycles of 5 steps: none of the positions 0, 0.2, ..., 0.8 reaches 0.9
        (["--cycles", "40", "--steps", "200", "--exploration", "0.9", "--samples", "10"],
         "only 0 of 200 steps may be kept; write more steps, or fewer cycles"),
        # cycles of 67 steps: the last 6 of two cycles, and 5 of the one that ends early
        (["--cycles", "3", "--steps", "200", "--exploration", "0.9", "--samples", "20"],
         "only 17 of 200 steps"),
        (["--data", "mnist", "--folder", "/nowhere"], "/nowhere"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
    ],
)  # fmt: skip
def test_bad_options_end_before_anything_is_trained(tmp_path, arguments, message):
    assert message in one_line(invoke("compare", "--out", tmp_path / "out", *arguments))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
@pytest.mark.parametrize(
    "name, text", [("chains/notes.txt", "mine"), ("chains/0.json", "{}"), ("config.json", "[1]"),
                   ("results.json", "{}"), ("config.json", '{"mine": 1}')],
)  # fmt: skip
def test_what_no_comparison_wrote_stays(tmp_path, name, text, fresh):
    (tmp_path / "chains").mkdir()
    (tmp_path / name).write_text(text)
    line = one_line(invoke("compare", *OPTIONS, "--formats", "", "--out", tmp_path, *fresh))
    assert str(tmp_path / name.split("/")[0]) in line
    assert "write another --out" in line
    assert "--fresh" not in line
    assert (tmp_path / name).read_text() == text
    assert {path.name for path in tmp_path.iterdir()} <= {"chains", name}


def test_a_fresh_comparison_leaves_what_lies_beside_its_chains(tmp_path):
    config = Config(formats=(), steps=10, samples=2, cycles=1)
    held, row = ResultFolder(tmp_path, config), rows(config)[0]
    held.save(row, 0, {"error": 1.0})
    (tmp_path / "chains" / "notes.txt").write_text("mine")
    other = ResultFolder(tmp_path, replace(config, seed=1), fresh=True)
    assert other.load(row, 0) is None
    assert [path.name for path in (tmp_path / "chains").iterdir()] == ["notes.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    assert "is a file" in one_line(invoke("compare", "--out", tmp_path / "out", *OPTIONS))


def test_a_diverging_chain_is_named(tmp_path):
    done = invoke("compare", "--out", tmp_path / "out", *OPTIONS, "--lr", "1e30")
    assert done.exit_code == 2
    assert "SGD float32 diverged at lr=1e+30" in done.stderr.splitlines()[-1]


def test_only_the_chosen_rows_are_trained(tmp_path):
    """Without a row in float32 nothing is known of layers, and the page says so."""
    patterns = "VC SGLD-L *, SGLD-L e4m3"
    chosen = ["--formats", "e4m3 mxfp4", "--rows", patterns, "--chains", "1"]
    done = invoke("compare", "--out", tmp_path / "out", *OPTIONS, *chosen, "--json")
    found = json.loads(done.stdout)
    names = [(row["sampler"], row["format"]) for row in found["rows"]]
    assert names == [("VC SGLD-L", "e4m3"), ("SGLD-L", "e4m3"), ("VC SGLD-L", "mxfp4")]
    assert found["layers"] is None
    assert "No row with float32 weights" in (tmp_path / "out/report.html").read_text()
