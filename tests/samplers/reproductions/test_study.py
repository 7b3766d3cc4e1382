"""``samplers reproduce``: names, what it leaves behind, what it prints."""

import json
import re

import pytest
from matplotlib.figure import Figure
from rich.console import Console
from typer.testing import CliRunner

from samplers.cli import app
from samplers.reproductions import gaussian
from samplers.reproductions.study import (
    STUDIES,
    Claim,
    Outcome,
    Study,
    cell_text,
    keep_settings,
    reproduce,
    show,
    study,
)


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "140"})


def canned(settings, out):
    claims = [Claim("it is so", True, "1 < 2"), Claim("it is not", False, "2 > 1")]
    return Outcome(("name", "value"), [("a", settings.seed), ("b", None)], claims, Figure())


@pytest.fixture
def canned_study(monkeypatch):
    full = gaussian.Settings(seed=7)
    monkeypatch.setattr(
        gaussian, "STUDY", Study("a title", "a paper", gaussian.Settings(seed=3), full, canned)
    )


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_two_sizes_and_a_source(name):
    found = study(name)
    assert found.title
    assert found.source
    assert type(found.quick) is type(found.full)
    assert found.quick != found.full


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path):
    result = invoke("reproduce", "gausian", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "'gausian' is unknown; write one of gaussian, " in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options, seed", [((), 3), (("--full",), 7)])
def test_the_command_prints_and_writes(canned_study, tmp_path, options, seed):
    result = invoke("reproduce", "gaussian", "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "held: it is so (1 < 2)" in result.output
    assert "did not hold: it is not (2 > 1)" in result.output
    content = json.loads((tmp_path / "out/results.json").read_text())
    assert content["rows"] == [{"name": "a", "value": seed}, {"name": "b", "value": None}]
    assert content["settings"]["seed"] == seed
    assert [claim["held"] for claim in content["claims"]] == [True, False]
    assert (tmp_path / "out/plot.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in (tmp_path / "out/plot.svg").read_text()


def test_reproduce_returns_what_it_wrote(canned_study, tmp_path):
    outcome = reproduce("gaussian", gaussian.Settings(seed=5), tmp_path)
    assert outcome.rows[0] == ("a", 5)
    console = Console(width=80, record=True)
    show(outcome, "title", console)
    assert "5" in console.export_text()


@pytest.mark.parametrize("inner", [".", "deeper/still"])
def test_a_file_in_the_place_of_the_folder_is_refused_before_the_run(monkeypatch, tmp_path, inner):
    def never(settings, out):
        raise AssertionError("the study ran")

    monkeypatch.setattr(gaussian, "STUDY", Study("t", "s", gaussian.Settings(), None, never))
    (tmp_path / "file").write_text("")
    result = invoke("reproduce", "gaussian", "--out", tmp_path / "file" / inner)
    assert result.exit_code == 2, result.output
    assert "file' is no folder that can be written" in result.output.replace("\n", " ")


@pytest.mark.parametrize("held", ['{"study": "mixture"}', '{"schema": 2, "rows": []}'])
def test_other_results_are_not_written_over(canned_study, tmp_path, held):
    (tmp_path / "results.json").write_text(held)
    result = invoke("reproduce", "gaussian", "--out", tmp_path)
    assert result.exit_code == 2
    assert "results.json' is not of 'gaussian'; write another" in " ".join(result.output.split())
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("results.json", held)]
    (tmp_path / "results.json").write_text('{"study": "gaussian"}')
    assert invoke("reproduce", "gaussian", "--out", tmp_path).exit_code == 0


@pytest.mark.parametrize("rows, message", [("", "no rows came"), ("SGD sgd", r"'sgd'. are unk")])
def test_rows_that_are_none_are_refused(tmp_path, rows, message):
    result = invoke("reproduce", "cifar", "--rows", rows, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert re.search(message, result.output.replace("\n", " "))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keeps", [True, False])
def test_an_interrupted_run_says_whether_it_goes_on(monkeypatch, tmp_path, keeps):
    def stopped(settings, out):
        if keeps:
            keep_settings(settings, out)
        raise KeyboardInterrupt

    monkeypatch.setattr(gaussian, "STUDY", Study("t", "s", gaussian.Settings(), None, stopped))
    result = invoke("reproduce", "gaussian", "--out", tmp_path / "out")
    assert result.exit_code == 130
    wanted = f"goes on with what {tmp_path / 'out'} holds" if keeps else "begins anew"
    assert wanted in result.output.replace("\n", "")


@pytest.mark.parametrize("cell, text", [(None, "-"), ("low", "low"), (1.23456, "1.235")])
def test_cells(cell, text):
    assert cell_text(cell) == text
