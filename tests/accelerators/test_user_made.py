"""Law: an accelerator of one's own does everything that a preset does, and parts that do not go
together are refused with what to write instead."""

from __future__ import annotations

import dataclasses
import pathlib
import pickle
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import numformats as nf
from numformats.accelerators import Accelerator, Scaling, load
from numformats.accelerators.words import long_engine
from numformats.cli import app
from numformats.engines import (
    ApFixed,
    FMAChain,
    GroupScaledFDPA,
    IntegerDot,
    MACChain,
    MultiplierRequantize,
    RoundDownFDPA,
    ShiftRequantize,
)

HOPPER = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")


def paper() -> Accelerator:
    chain = MACChain("e3m4", "e3m4", accumulator="fp16", chunk=32, outer="fp32")
    return Accelerator("paper-chip", weights="e3m4", activations="e3m4", engine=chain)


def test_it_multiplies() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((8, 8)).astype(np.float32) for _ in range(2))
    qa, qb = nf.quantize(a, "e3m4"), nf.quantize(b, "e3m4")
    np.testing.assert_array_equal(paper().matmul(a, b), nf.matmul(qa, qb, engine=paper().engine))
    assert (nf.matmul(qa, qb, engine=paper().engine) != a @ b).any()


def test_it_explains_itself_pickles_and_is_an_accelerator() -> None:
    chip = paper()
    assert nf.accelerator(chip) is chip
    assert pickle.loads(pickle.dumps(chip)) == chip
    text = " ".join(chip.explain().split())
    assert "paper-chip" in text
    assert "32 at a time from zero; partial sums add up in FP32" in text
    assert "approximate" in text


@pytest.mark.parametrize("ending", ["json", "toml"])
def test_the_command_shows_its_file(ending: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"chip.{ending}"
    paper().save(path)
    assert load(path) == paper()
    done = CliRunner().invoke(app, ["show", str(path)])
    assert done.exit_code == 0
    assert done.stdout == paper().explain() + "\n"


def test_one_changed_field_is_another_chip() -> None:
    base = nf.accelerator("nvidia-h100-fp8")
    wider = dataclasses.replace(
        base, name="wider", engine=dataclasses.replace(base.engine, frac_bits=25)
    )
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
    assert (wider.matmul(a, b) != base.matmul(a, b)).mean() > 0.5


def test_one_scaling_means_all_stored_roles() -> None:
    chip = Accelerator("s", weights="e4m3", activations="e4m3", errors="mxfp8_e4m3", engine=HOPPER,
                       scaling=Scaling("tensor"))  # fmt: skip
    assert dict(chip.scaling) == dict.fromkeys(("weights", "activations"), Scaling("tensor"))
    assert chip.scaling_of("errors") is None


def chip(**changes: Any) -> Accelerator:
    return Accelerator(**{"name": "bad", "engine": HOPPER, "weights": "e4m3"} | changes)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"name": "My Chip"}, ValueError, "lower-case words"),
        ({"name": 3}, ValueError, "lower-case words"),
        ({"title": 3}, TypeError, "title=3; write text"),
        ({"engine": "wgmma"}, TypeError, "give an engine"),
        ({"weights": "e4m9"}, ValueError, "unknown format"),
        ({"weights": "bf16"}, ValueError, "choose an engine for bf16"),
        ({"weights": nf.parse("block<e4m3,block=32,axis=0>")}, ValueError, "axis=-1"),
        ({"rounding": "nearest"}, ValueError, "nearest_even"),
        ({"error_rounding": "nearest"}, ValueError, "nearest_even"),
        ({"confidence": "sure"}, ValueError, "known: silicon, model, documented, approximate"),
        ({"sources": "paper"}, TypeError, "tuple of texts"),
        ({"sources": ("",)}, TypeError, "tuple of texts"),
        ({"scaling": 448.0}, TypeError, "write Scaling"),
        ({"scaling": {"weight": Scaling("tensor")}}, ValueError, "did you mean 'weights'"),
        ({"scaling": {"weights": 448.0}}, TypeError, "write Scaling"),
        ({"scaling": {"errors": Scaling("tensor")}}, ValueError, "stored as they come"),
        (
            {"weights": "mxfp8_e4m3", "scaling": {"weights": Scaling("tensor")}},
            ValueError,
            "scales of its own",
        ),
        ({"requantize": ShiftRequantize(7)}, ValueError, "only integer accumulators"),
        ({"engine": IntegerDot(8, 8)}, ValueError, "write a fixed point"),
        (
            {"engine": nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05.mxf8f6f4")},
            ValueError,
            "block<e4m3,block=32,scale=e8m0>",
        ),
    ],
)
def test_parts_that_do_not_go_together(changes: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        chip(**changes)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"requantize": 7}, TypeError, "give one of MultiplierRequantize"),
        ({"scaling": Scaling("block", block=(1, 4))}, ValueError, "not of blocks"),
        (
            {"scaling": Scaling("channel"), "requantize": MultiplierRequantize(1 << 30, 1)},
            ValueError,
            "scale activations by tensor",
        ),
        ({"scaling": Scaling("tensor"), "requantize": ShiftRequantize(7)}, ValueError, "no scales"),
        ({"scaling": Scaling("tensor"), "requantize": ApFixed(8, 1, 14)}, ValueError, "no scales"),
        ({"requantize": ApFixed(8, 1, 13)}, ValueError, "write input_frac_bits=14"),
        ({"weights": "fixed<9,0>"}, ValueError, "fixed<8,0>"),
        ({"activations": "fixed<8,0,signed=false>"}, ValueError, "fixed<8,0>"),
    ],
)
def test_integer_parts_that_do_not_go_together(changes: Any, error: type, message: str) -> None:
    base = {"weights": "fixed<8,7>", "activations": "fixed<8,7>", "engine": IntegerDot(8, 8)}
    assert Accelerator("good", **base).integer
    with pytest.raises(error, match=message):
        Accelerator("bad", **base | changes)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"kind": "row"}, ValueError, "known: tensor, channel, block"),
        ({"kind": "block"}, ValueError, "has a shape"),
        ({"kind": "tensor", "block": (1, 2)}, ValueError, "has a shape"),
        ({"kind": "block", "block": [1, 2]}, TypeError, "tuple of two integers"),
        ({"kind": "block", "block": (0, 2)}, ValueError, "out of range"),
        ({"kind": "tensor", "limit": 0.0}, ValueError, "positive"),
        ({"kind": "tensor", "limit": "448"}, TypeError, "write a number"),
        # in float32 these are 0 and Inf: scales of Inf and 0, products of NaN and 0
        ({"kind": "tensor", "limit": 1e-50}, ValueError, "limit=1e-50; .* from 1.18e-38 to"),
        ({"kind": "tensor", "limit": 1e300}, ValueError, "limit=1e\\+300; .* to 3.4e\\+38"),
        ({"kind": "tensor", "exponents": (0, 1)}, ValueError, "power_of_two=True"),
        ({"kind": "tensor", "exponent_step": 2}, ValueError, "power_of_two=True"),
        (
            {"kind": "tensor", "power_of_two": True, "exponents": (1, 0)},
            ValueError,
            "lowest, highest",
        ),
    ],
)
def test_scalings_that_mean_nothing(arguments: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Scaling(**arguments)


ONES = np.ones((2, 2), np.float32)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"a": np.ones(2, np.float32)}, ValueError, "give matrices"),
        ({"a": np.ones((2, 2), np.int8)}, TypeError, "dtype int8"),
        ({"b": np.ones((3, 2), np.float32)}, ValueError, "2 columns"),
        ({"roles": "weights"}, TypeError, "write a pair"),
        ({"roles": ("activations", "weight")}, ValueError, "did you mean 'weights'"),
        ({"roles": ("gradients", "weights")}, ValueError, "known: weights, activations, errors"),
        ({"output_scale": 1.0}, ValueError, "does not requantize"),
    ],
)
def test_products_of_the_wrong_things(arguments: Any, error: type, message: str) -> None:
    given = {"a": ONES, "b": ONES} | arguments
    with pytest.raises(error, match=message):
        nf.accelerator("nvidia-h100-fp8").matmul(given.pop("a"), given.pop("b"), **given)


def test_a_limit_below_the_smallest_value_is_refused() -> None:
    chip = nf.accelerator("nvidia-h100-fp8")
    dataclasses.replace(chip, scaling=Scaling("tensor", limit=2.0**-9))  # of E4M3 the smallest
    with pytest.raises(ValueError, match=r"of weights has limit=0.001.* write a larger one"):
        dataclasses.replace(chip, scaling=Scaling("tensor", limit=0.001))


def test_integers_need_numbers_and_a_positive_step() -> None:
    chip = nf.accelerator("arm-cmsis-nn-int8")
    for bad in ("0.1", True, [0.1]):
        with pytest.raises(TypeError, match=r"output_scale=.* is a .*; write a positive number"):
            chip.matmul(ONES, ONES, output_scale=bad)
    with pytest.raises(ValueError, match="write a positive number"):
        chip.matmul(ONES, ONES, output_scale=-1.0)
    with pytest.raises(ValueError, match="NaN"):
        chip.matmul(ONES * np.nan, ONES)
    with pytest.raises(ValueError, match="has no multiplier"):
        nf.accelerator("max78000").matmul(ONES, ONES, output_scale=1.0)
    with pytest.raises(ValueError, match="multiplies activations by weights"):
        chip.matmul(ONES, ONES, roles=("errors", "weights"))


def test_roles_that_are_not_stored_must_fit_the_unit() -> None:
    unit = Accelerator("fp32", engine=FMAChain("fp32"))
    np.testing.assert_array_equal(unit.matmul(ONES, ONES), ONES * 2)
    odd = np.full((2, 2), 0.3, np.float32)
    with pytest.raises(ValueError, match="is no value of bf16"):
        Accelerator("bf16", engine=MACChain("bf16", "bf16", accumulator="fp32")).matmul(odd, ONES)


TELLING: list[tuple[Any, dict[str, Any]]] = [
    (
        MACChain("e4m3", "e4m3", accumulator="fp16", chunk=8, outer="fp32", product="bf16",
                 rounding="stochastic_a", random_bits=4),
        {"accumulator": "bf16", "rounding": "stochastic_b", "product": "fp16", "chunk": 4,
         "product_rounding": "toward_zero", "outer": "bf16", "outer_rounding": "to_odd",
         "order": "pairwise", "random_bits": 5},
    ),
    (
        IntegerDot(8, 8, overflow="saturate"),
        {"a_bits": 4, "b_bits": 4, "a_signed": False, "b_signed": False, "accumulator_bits": 24,
         "overflow": "wrap", "length": 8},
    ),
    (
        GroupScaledFDPA("e2m1", "e2m1", scale="e4m3", scale_block=16),
        {"scale": "e8m0", "scale_block": 32, "group": 4, "length": 128, "frac_bits": 34,
         "output": "fp16", "rounding": "nearest_even"},
    ),
    (
        RoundDownFDPA("fp16", "fp16", length=8),
        {"length": 4, "frac_bits": 20, "late_bits": 28, "grouped": True, "truncate_inputs": True},
    ),
]  # fmt: skip


@pytest.mark.parametrize("engine, changes", TELLING, ids=lambda x: "")
def test_what_changes_an_engine_is_in_the_words(engine: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        other = dataclasses.replace(engine, **{name: value})
        assert long_engine(other) != long_engine(engine), name


def test_the_zero_point_is_in_the_words() -> None:
    chip = nf.accelerator("arm-cmsis-nn-int8")
    rule = dataclasses.replace(chip.requantize, zero_point=-5)
    assert "plus -5, clamped" in dataclasses.replace(chip, requantize=rule).explain()
    assert "plus" not in chip.explain()
