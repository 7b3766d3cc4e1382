"""``samplers sample`` runs the chains of a JSON file."""

import json
import sys

import pytest
from typer.testing import CliRunner

from samplers import SampleStore, run_chain
from samplers.cli import app
from tests.samplers.chain_cases import spec

MODULE = """
import torch
from samplers.images import training_data

def build(width):
    return torch.nn.Linear(64, width)
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    """The command adds the current folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def invoke(path, *options):
    return CliRunner().invoke(app, ["sample", str(path), *options])


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_runs_the_chains_of_the_file(tmp_path):
    run = spec(tmp_path / "run")
    result = invoke(
        write(tmp_path / "spec.json", run.to_json()), "--chains", "2", "--processes", "1"
    )
    assert result.exit_code == 0, result.output
    assert "12 samples of 2 chain(s)" in " ".join(result.output.split())
    alone = spec(tmp_path / "alone", chain=1)
    run_chain(alone)
    found, wanted = SampleStore(run.folder).chain(1), SampleStore(alone.folder)
    assert [e.sha256 for e in found.entries] == [e.sha256 for e in wanted.entries]


def test_finds_functions_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_digits.py").write_text(MODULE)
    content = {
        "folder": "run", "model": "my_digits:build", "model_options": {"width": 10},
        "data": "my_digits:training_data", "steps": 5, "batch_size": 8, "options": {"lr": 0.01},
    }  # fmt: skip
    result = invoke(write(tmp_path / "spec.json", content))
    assert result.exit_code == 0, result.output
    assert len(SampleStore(tmp_path / "run")) == 5


@pytest.mark.parametrize(
    "changes, options, message",
    [
        ({"stepz": 3}, [], "spec.json: unknown field of a specification 'stepz'; did you mean"),
        ({"precision": {"wait": "e4m3"}}, [], "unknown field of a precision 'wait'; did you mean"),
        (
            {"options": {"lr": 0.1, "temprature": 2.0}},
            ["--processes", "1"],
            "unknown option of SGLD 'temprature'; did you mean 'temperature'",
        ),
        ({"steps": 0}, [], "steps=0"),
        ({"model": "no.such:model"}, ["--processes", "1"], "no.such:model"),
        ({}, ["--engine", "rays"], "rays"),
        ({}, ["--chains", "0"], "--chains"),
        ({}, ["--processes", "0"], "--processes"),
        ({"precision": "e4m3"}, [], "precision='e4m3'; write a mapping"),
        ({"options": None}, [], "options=None; write a mapping"),
        ({"steps": 9.5}, [], "steps=9.5 is of type float; write an int"),
        ({"device": "cuda:77"}, ["--processes", "1"], "device='cuda:77' cannot be used here"),
    ],
)
def test_bad_files_and_options_end_with_a_message(tmp_path, changes, options, message):
    content = {**spec(tmp_path / "run").to_json(), **changes}
    result = invoke(write(tmp_path / "spec.json", content), *options)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_fields_that_are_missing_are_named(tmp_path):
    content = spec(tmp_path / "run").to_json()
    del content["data"], content["steps"]
    result = invoke(write(tmp_path / "spec.json", content))
    assert result.exit_code == 2
    assert "spec.json: a specification has no data, steps; write them" in result.output


def test_the_chains_that_failed_are_named_in_the_line(tmp_path):
    content = {**spec(tmp_path / "run", chain=3).to_json(), "data": "no.such:data"}
    result = invoke(write(tmp_path / "spec.json", content), "--chains", "2", "--processes", "1")
    line = result.stderr.splitlines()[-1]
    assert "no.such:data" in line
    assert f"; chain 3 of {str(tmp_path / 'run')!r}; chain 4 of" in line


def test_a_file_that_is_no_json_is_named(tmp_path):
    (tmp_path / "spec.json").write_text("{")
    result = invoke(tmp_path / "spec.json")
    assert result.exit_code == 2
    assert "spec.json" in result.output


def test_a_field_that_stands_twice_is_named(tmp_path):
    """The last one would count in silence."""
    text = json.dumps(spec(tmp_path / "run").to_json())
    path = tmp_path / "spec.json"
    path.write_text(text.replace('"lr": 0.1', '"lr": 0.1, "lr": 0.9'))
    result = invoke(path)
    assert result.exit_code == 2
    assert "spec.json: cannot be read as JSON ('lr' stands twice" in result.output
    assert not (tmp_path / "run").exists()
