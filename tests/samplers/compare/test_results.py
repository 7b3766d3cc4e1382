"""``results.json``: its schema, and numbers that follow from formats and shapes alone."""

from __future__ import annotations

import json
import math
import shlex

import numpy as np
import pytest
import torch

from samplers.cli import app
from samplers.compare.command import repeat_command
from samplers.compare.config import Config
from samplers.compare.config_file import read_option
from samplers.compare.network import tensor_shapes
from samplers.compare.plots.pareto import front
from samplers.compare.rows import Row
from samplers.compare.storing import bytes_per_weight, layer_errors
from samplers.precision import Precision
from tests.samplers.compare.running import ACCELERATOR, FORMATS, invoke, one_line

NUMBER = (int, float)
ROW = {
    "sampler": str, "format": str, "accelerator": (str, type(None)), "arithmetic": str,
    "bytes_per_weight": NUMBER, "training_bytes_per_weight": NUMBER, "samples": int, "mean": dict,
    "std": dict, "chains": list,
}  # fmt: skip
SCORES = {"error", "nll", "ece", "ece_papers_bins", "brier", "single_sample_nll"}
WEIGHTS, BIASES = 64 * 8 + 8 * 10, 8 + 10  # of the network 64-8-10


def test_results_have_the_schema(finished):
    content = json.loads((finished.out / "results.json").read_text())
    kinds = {"schema": int, "command": str, "config": dict, "versions": dict, "problem": dict}
    assert {k: type(v) for k, v in content.items()} == {
        **kinds, "accelerators": list, "rows": list, "layers": dict, "toy": dict,
    }  # fmt: skip
    assert content["problem"] == {
        "data": "digits", "training": 1297, "test": 500, "widths": [64, 8, 10],
        "weights": WEIGHTS + BIASES,
    }  # fmt: skip
    for row in content["rows"]:
        assert row.keys() == ROW.keys()
        assert all(isinstance(row[name], kind) for name, kind in ROW.items())
        assert row["mean"].keys() == row["std"].keys() >= SCORES | {"deficit", "saturated"}
        for chain in row["chains"]:
            assert chain.keys() >= SCORES | {"reliability", "counters", "seconds", "samples"}
            assert ("products" in chain) == (row["accelerator"] is not None)


def test_layers_are_formats_by_tensors(finished):
    layers = json.loads((finished.out / "results.json").read_text())["layers"]
    assert layers["of"] == "SGLD float32"
    assert layers["formats"] == [*FORMATS, ACCELERATOR]
    assert layers["tensors"] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    chip = layers["sqnr_db"][2]
    assert [value is None for value in chip] == [False, True, False, True]  # biases: float32


def test_errors_of_layers_are_the_closed_form():
    """1 + 1/64 rounds to 1 in both formats, with the error 1/64; zeros stay."""
    value = np.float32(1 + 1 / 64)
    sample = {"w": torch.full((2, 4), float(value)), "b": torch.zeros(2)}
    found = layer_errors(sample, ["fixed<8,5>", "e4m3"], [])
    wanted = 20 * math.log10(float(value) * 64)
    assert found["fixed<8,5>"]["w"] == pytest.approx(wanted, abs=1e-9)
    assert found["e4m3"]["w"] == pytest.approx(wanted, abs=1e-9)
    assert found["e4m3"]["b"] is None


def count(shapes, per_matrix, per_bias):
    total = sum(per_matrix(*s) if len(s) > 1 else per_bias(*s) for s in shapes)
    return total / sum(math.prod(s) for s in shapes)


@pytest.mark.parametrize(
    "fmt, per_matrix, per_bias",
    [
        ("e4m3", lambda n, k: n * k, lambda n: n),
        ("fixed<6,4>", lambda n, k: -(-n * k * 6 // 8), lambda n: -(-n * 6 // 8)),
        # blocks of 32 along the last axis, one byte of E8M0 each, codes packed tensor by tensor
        ("mxfp4", lambda n, k: n * k / 2 + n * -(-k // 32), lambda n: n / 2 + -(-n // 32)),
        ("perchannel<8>", lambda n, k: n * k + n, lambda n: 2 * n),
    ],
)
@pytest.mark.parametrize("accumulator", ["full", "low"])
def test_bytes_are_those_of_codes_and_scales(fmt, per_matrix, per_bias, accumulator):
    shapes = list(tensor_shapes(64, (8,)).values())
    row = Row("any", fmt, Precision(fmt, fmt, accumulator))
    stored = count(shapes, per_matrix, per_bias)
    training = stored + 4 * (accumulator == "full")
    assert bytes_per_weight(row, shapes) == pytest.approx((stored, training))


@pytest.mark.parametrize(
    "name, per_matrix",
    [
        ("nvidia-h100-fp8", lambda n, k: n * k + 4),  # one float32 scale a tensor
        ("nvidia-h100-bf16", lambda n, k: 2 * n * k),
        ("nvidia-b200-mxfp8", lambda n, k: n * k + n * -(-k // 32)),
        ("nvidia-b200-nvfp4", lambda n, k: n * k / 2 + -(-n // 16) * -(-k // 16) + 4),
    ],
)
def test_bytes_on_a_chip_are_its_matrices_beside_float32_biases(name, per_matrix):
    shapes = list(tensor_shapes(64, (8,)).values())
    row = Row("any", name, Precision(), accelerator=name)
    stored = count(shapes, per_matrix, lambda n: 4 * n)
    assert bytes_per_weight(row, shapes) == pytest.approx((stored, stored + 4))


def test_float32_takes_four_bytes():
    shapes = tensor_shapes(64, ()).values()
    assert bytes_per_weight(Row("SGD", "float32", Precision()), shapes) == (4, 4)


def test_the_front_is_what_no_point_dominates():
    """Against the definition by pairs, on points with ties; a wrong front must differ from it."""
    rng = np.random.default_rng(0)
    drawn = [tuple(map(int, p)) for p in rng.integers(1, 12, (80, 2)) if p.prod() >= 16]
    points = [*drawn, *drawn[:5], (0, math.inf)]
    rows = [{"bytes_per_weight": b, "mean": {"nll": s}} for b, s in points]

    def dominated(p):
        return any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)

    wanted = sorted(p for p in points if not dominated(p) and math.isfinite(p[1]))
    found = [(r["bytes_per_weight"], r["mean"]["nll"]) for r in front(rows, "nll")]
    assert found == wanted
    assert 1 < len(set(wanted)) < len(set(points))


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(
            formats=("fixed<8,5>",), accelerators=("nvidia-h100-fp8",), rows=("* float32", "VC*")
        ),
        Config(hidden=(), lr=0.25, seed=7, averaged=0.25, exploration=0.75, steps=4000),
        Config(formats=(), hidden=(16, 8)),
    ],
    ids=["default", "rows", "logistic", "no format"],
)
def test_the_command_that_repeats_it_means_the_same(config, monkeypatch):
    """Parsed by a shell and by the command itself, it gives the configuration again."""
    import typer.main

    words = shlex.split(repeat_command(config))
    assert words[:2] == ["samplers", "compare"]
    command = typer.main.get_command(app).commands["compare"]
    params = command.make_context("compare", words[2:]).params
    fields = {n: read_option(n, v) for n, v in params.items() if n in Config.__dataclass_fields__}
    assert Config(**fields) == config


def test_report_without_results_says_so(finished, tmp_path):
    assert "results.json" in one_line(invoke("report", tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert "goes on" in one_line(invoke("report", tmp_path))
    content = json.loads((finished.out / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps({**content, "schema": 1}))
    assert "schema 1" in one_line(invoke("report", tmp_path))
    (tmp_path / "results.json").write_text("{")
    line = one_line(invoke("report", tmp_path))
    assert "JSON" in line
    assert "run samplers compare again" in line
    assert "--fresh" not in line  # which only samplers compare has
    (tmp_path / "results.json").write_text(json.dumps({k: content[k] for k in ("schema", "rows")}))
    assert "results.json lacks command, config, versions" in one_line(invoke("report", tmp_path))
