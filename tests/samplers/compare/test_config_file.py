"""Options from files: what is read, what is refused and where, what goes before what."""

from __future__ import annotations

import json

import pytest

from samplers.compare.config import Config
from samplers.compare.config_file import read_config
from tests.samplers.compare.running import OPTIONS, invoke, one_line

YAML = """\
# a study
formats:
  - fixed<8,5>
  - e4m3
hidden: [16, 8]
lr: 1e-2        # YAML 1.1 reads this as text
rows: "* float32, VC SGLD-L *"
steps: 400
"""
TOML = """\
formats = ["fixed<8,5>", "e4m3"]
hidden = "16 8"
lr = 0.01
rows = ["* float32", "VC SGLD-L *"]
steps = 400
"""
WANTED = Config(
    formats=("fixed<8,5>", "e4m3"), hidden=(16, 8), lr=0.01, steps=400,
    rows=("* float32", "VC SGLD-L *"),
)  # fmt: skip


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.yaml", YAML),
        ("a.yml", YAML),
        ("a.toml", TOML),
        ("a.json", json.dumps({"schema": 2, **WANTED.to_json()})),
    ],
)
def test_every_kind_of_file_says_the_same(tmp_path, name, text):
    assert Config(**read_config(write(tmp_path, name, text))) == WANTED


def test_every_field_comes_back_from_the_file_of_a_folder(finished):
    held = read_config(finished.out / "config.json")
    assert held.keys() == Config.__dataclass_fields__.keys()
    assert (
        Config(**held).to_json()
        == json.loads((finished.out / "results.json").read_text())["config"]
    )


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.yaml", "steps: 5\nstepz: 6\n", ["'stepz'", "line 2", "'steps'"]),
        ("a.toml", "\nformat = 'e4m3'\n", ["'format'", "line 2", "'formats'"]),
        ("a.json", '{\n "seeds": 1\n}', ["'seeds'", "line 2", "'seed'"]),
        ("a.json", '{"seeds": 1}', ["'seeds'", "'seed'"]),
        ("a.yaml", "steps: 5\nlr: 1\nsteps: 6\n", ["'steps'", "line 3", "twice"]),
        ("a.json", '{"steps": 5,\n"steps": 6}', ["'steps'", "twice"]),
        ("a.toml", "steps = 5\nsteps = 6\n", ["TOML"]),
        ("a.yaml", "seed: 1\nsteps: many\n", ["steps='many'", "line 2", "integer"]),
        ("a.yaml", "steps: true\n", ["bool", "integer"]),
        ("a.yaml", "steps: 1.5\n", ["float", "integer"]),
        ("a.yaml", "lr: fast\n", ["'fast'", "a number"]),
        ("a.yaml", "data: 3\n", ["data=3", "text"]),
        ("a.yaml", "formats: [fixed<8,5>, e4m3]\n", ["'fixed<8'", "quotes"]),
        ("a.yaml", "hidden: [a]\n", ["hidden", "integer"]),
        ("a.yaml", "hidden: {a: 1}\n", ["dict", "list"]),
        ("a.yaml", "steps: [\n", ["YAML"]),
        ("a.yaml", "- steps\n", ["no options"]),
        ("a.yaml", "", ["no options"]),
        ("a.json", "{", ["JSON"]),
        ("a.txt", "", ["'.txt'", ".yaml"]),
        ("a.json", '{"schema": 1}', ["schema 1"]),
        ("a.yaml", "steps: 0\n", ["steps=0"]),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, text, words):
    path = write(tmp_path, name, text)
    line = one_line(invoke("compare", "--config", path, "--out", tmp_path / "out"))
    for word in words:
        assert word in line
    assert not (tmp_path / "out").exists()


def test_options_go_before_quick_and_quick_before_the_file(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "samplers.compare.job.run", lambda config, *_, **__: seen.append(config) or 1 / 0
    )
    path = write(tmp_path, "a.yaml", "steps: 900\nseed: 5\nlr: 0.5\nchains: 4\n")
    invoke("compare", "--config", path, "--quick", "--chains", "1", "--seed", "0")
    found = seen[0]
    assert (found.steps, found.seed, found.lr, found.chains) == (200, 0, 0.5, 1)


def test_a_folder_goes_on_from_its_own_file(finished):
    """Nothing is trained: all chains are there."""
    stamps = {p.name: p.stat().st_mtime_ns for p in (finished.out / "chains").iterdir()}
    config = finished.out / "config.json"
    done = invoke("compare", "--config", config, "--out", finished.out, *OPTIONS[-4:], "--json")
    assert done.exit_code == 0, done.stderr
    assert {p.name: p.stat().st_mtime_ns for p in (finished.out / "chains").iterdir()} == stamps
    assert json.loads(done.stdout) == json.loads((finished.out / "results.json").read_text())
