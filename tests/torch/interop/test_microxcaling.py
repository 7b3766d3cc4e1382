"""Law: the calls of microxcaling round as its rules and its published examples say."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.torch.interop import microxcaling as mx
from numformats.torch.interop.microxcaling.elements import ELEMENTS
from numformats.torch.interop.microxcaling.elemwise_ops import quantize_elemwise_op
from numformats.torch.interop.microxcaling.mx_mapping import inject_pyt_ops
from numformats.torch.interop.microxcaling.mx_ops import _quantize_mx, quantize_mx_op
from numformats.torch.interop.microxcaling.specs import get_backwards_mx_specs
from tests.torch.interop.microxcaling_rules import LAYOUTS, blocks, elements

ROUNDS = ("nearest", "even", "floor")
INT8 = [  # rows of ten, rounded to int8 in blocks of ten, from the library's corner cases
    ([1.015625, 1.0234375, 1.03125, 1.0390625, 1.25, 1.2578125, 1.9375, 1.9453125, 1.984375,
      1.9921875],
     [1.015625, 1.03125, 1.03125, 1.046875, 1.25, 1.265625, 1.9375, 1.953125, 1.984375, 1.984375]),
    ([1.99609375, 1.98828125, 0.0, 0.00390625, 0.0078125, 0.01171875, -0.015625, -0.01171875,
      -0.0078125, -0.00390625],
     [1.984375, 1.984375, 0.0, 0.0, 0.015625, 0.015625, -0.015625, -0.015625, -0.015625, 0.0]),
]  # fmt: skip

E4M3 = [  # a block of 32 and what the library's tests want of it, with ties or without
    (-0.582733273506, -0.5625), (-0.256973713636, -0.25), (0.506033003330, 0.5),
    (0.400039970875, 0.40625), (-0.437093466520, -0.4375), (1.275019764900, 1.25),
    (-2.123294353485, -2.0), (1.514909625053, 1.5), (-2.660086154938, -2.75),
    (-0.200791791081, -0.203125), (-0.060985822231, -0.0625), (-0.209203109145, -0.203125),
    (2.385987281799, 2.5), (0.062245476991, 0.0625), (0.217003762722, 0.21875),
    (-0.857734560966, -0.875), (0.507945835590, 0.5), (0.896152675152, 0.875),
    (-0.751049160957, -0.75), (-0.488164335489, -0.5), (0.805381953716, 0.8125),
    (-0.172028362751, -0.171875), (0.271137863398, 0.28125), (-0.503807783127, -0.5),
    (1.879478693008, 1.875), (-0.294227510691, -0.28125), (0.968807995319, 1.0),
    (0.670037031174, 0.6875), (-0.871595799923, -0.875), (0.304561793804, 0.3125),
    (-0.567594051361, -0.5625), (-1.265962004662, -1.25),
]  # fmt: skip


def inputs(rows: int = 64, columns: int = 64) -> torch.Tensor:
    """Normal numbers at many scales, halves of small integers, zeros, a block of zeros."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns)) * 2.0 ** rng.integers(-40, 40, (rows, columns))
    x[::3] = rng.integers(-64, 65, x[::3].shape) / 2.0 ** rng.integers(0, 9, x[::3].shape)
    x[1, :32] = 0
    return torch.from_numpy(x.astype(np.float32))


@pytest.mark.parametrize("round", ROUNDS)
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("scale_bits", [8, 0])
def test_blocks_are_those_of_the_rule(name: str, round: str, scale_bits: int) -> None:
    x = inputs()
    specs = {"scale_bits": scale_bits, "block_size": 16}
    found = quantize_mx_op(x, specs, name, axes=[-1], round=round)
    wanted = torch.from_numpy(blocks(x.numpy(), name, 16, round).astype(np.float32))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_the_rules_tell_roundings_apart() -> None:
    """Negative control: every other rounding fails the comparison above."""
    found = {round: blocks(inputs().numpy(), "fp8_e4m3", 16, round) for round in ROUNDS}
    for one in ROUNDS:
        for other in ROUNDS:
            assert (one == other) == np.array_equal(found[one], found[other])


@pytest.mark.parametrize("x, wanted", INT8)
def test_published_int8_rows(x: list[float], wanted: list[float]) -> None:
    found = _quantize_mx(torch.tensor([x]), 8, "int8", block_size=10, axes=1, round="nearest")
    assert found[0].tolist() == wanted


def test_published_int4_rows_never_use_the_least_code() -> None:
    x = torch.tensor([[-1.0, -1.75, -1.99, 1.99], [1.0, -1.75, -1.99, 1.99]])
    found = _quantize_mx(x, 8, "int4", block_size=0, axes=1, round="nearest")
    assert found.tolist() == [[-1.0, -1.75, -1.75, 1.75], [1.0, -1.75, -1.75, 1.75]]


def test_published_e4m3_row_saturates_at_448() -> None:
    x = torch.tensor([485, 475, 400, -485, -475, -450, 2**-6, -(2**-6)])
    found = _quantize_mx(x, 8, "fp8_e4m3", block_size=8, axes=[-1])
    assert found.tolist() == [448, 448, 416, -448, -448, -448, 2**-6, -(2**-6)]


@pytest.mark.parametrize("round", ["nearest", "even"])
def test_published_e4m3_block(round: str) -> None:
    x, wanted = (torch.tensor(column) for column in zip(*E4M3, strict=True))
    assert torch.equal(_quantize_mx(x, 8, "fp8_e4m3", block_size=32, axes=0, round=round), wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_block_with_a_special_is_nan(value: float) -> None:
    x = torch.tensor([[value, 0, 2.0**127, 0], [1, 1, 1, 1]])
    found = _quantize_mx(x, 8, "fp4_e2m1", block_size=4, axes=-1, round="floor")
    assert found.isnan().tolist() == [[True] * 4, [False] * 4]


def test_axes_of_any_sign_and_order_and_short_blocks() -> None:
    x = inputs(20, 28)
    padded = np.zeros((28, 32), np.float32)
    padded[:, :20] = x.T
    wanted = blocks(padded, "int8", 16, "even")[:, :20].T.astype(np.float32)
    for axis in (0, -2, [0]):
        found = _quantize_mx(x, 8, "int8", axes=axis, block_size=16, round="even")
        np.testing.assert_array_equal(found.numpy(), wanted)
    whole = _quantize_mx(x, 8, "int8", axes=[1], round="even")
    np.testing.assert_array_equal(whole.numpy(), blocks(x.numpy(), "int8", 28, "even"))


def test_tiles_and_single_elements() -> None:
    x = inputs(8, 8)
    tiles = x.numpy().reshape(2, 4, 2, 4).transpose(0, 2, 1, 3).reshape(4, 16)
    wanted = blocks(tiles, "fp6_e2m3", 16, "even").reshape(2, 2, 4, 4).transpose(0, 2, 1, 3)
    found = _quantize_mx(x, 8, "fp6_e2m3", axes=[0, 1], block_size=4, round="even")
    np.testing.assert_array_equal(found.numpy(), wanted.reshape(8, 8))
    alone = _quantize_mx(x, 8, "int8", "none", axes=[0], block_size=4, round="even")
    np.testing.assert_array_equal(alone.numpy(), blocks(x.numpy().reshape(-1, 1), "int8", 1,
                                                        "even").reshape(8, 8))  # fmt: skip


def test_narrow_scales_stop_at_their_least_exponent() -> None:
    x = torch.tensor([[2.0**-20, 2.0**-15, 2.0**-14, -(2.0**-22)]])
    found = _quantize_mx(x, 5, "int8", axes=[1], block_size=1, round="even")
    np.testing.assert_array_equal(found.numpy(), blocks(x.numpy(), "int8", 1, "even", scale_bits=5))
    assert found[0, 3] == 0


def test_blocks_of_subnormals_are_flushed_when_told_to() -> None:
    tiny = 2.0**-127
    x = torch.tensor([[tiny, -tiny, 0, tiny], [tiny, 2.0**-126, 0, 0]])
    kept = _quantize_mx(x, 8, "fp8_e5m2", axes=[1], block_size=4)
    flushed = _quantize_mx(x, 8, "fp8_e5m2", axes=[1], block_size=4, flush_fp32_subnorms=True)
    assert torch.equal(kept, x)
    assert torch.equal(flushed, torch.stack([0 * x[0], x[1]]))


def test_dither_is_unbiased_and_repeats_with_the_seed_of_torch() -> None:
    """65536 draws at 0.3 of a gap: the share that goes up is within 5 standard deviations; false
    alarm below 1e-6. Control: ``nearest`` is not."""
    x = torch.full((1 << 16,), 1.0 + 0.3 / 64)
    torch.manual_seed(1)
    found = _quantize_mx(x, 8, "int8", axes=[0], block_size=32, round="dither")
    torch.manual_seed(1)
    assert torch.equal(found, _quantize_mx(x, 8, "int8", axes=[0], block_size=32, round="dither"))
    up, sigma = (found > 1).double().mean().item(), (0.21 / x.numel()) ** 0.5
    assert abs(up - 0.3) < 5 * sigma
    assert abs((_quantize_mx(x, 8, "int8", axes=[0]) > 1).double().mean() - 0.3) > 5 * sigma


@pytest.mark.parametrize("round", ROUNDS)
@pytest.mark.parametrize("specs", [{"bfloat": 16}, {"bfloat": 12}, {"fp": 16}, {"fp": 8}], ids=str)
def test_elements_are_those_of_the_rule(specs: dict[str, int], round: str) -> None:
    """Within the range; beyond it nearest roundings give Inf."""
    exp = 8 if "bfloat" in specs else 5
    man = specs.get("bfloat", specs.get("fp", 0)) - exp - 1
    top = (2 - 2.0**-man) * 2.0 ** ((1 << exp - 1) - 1)
    x = inputs().clip(-top, top)
    wanted = elements(x.double().numpy(), exp, man, top, round).astype(np.float32)
    found = quantize_elemwise_op(x, specs, round)
    torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=0, atol=0)
    big = torch.tensor([np.inf, -np.inf, np.nan, 65520.0])
    out = quantize_elemwise_op(big, {"fp": 16}, "nearest")
    assert out[:2].tolist() == [np.inf, -np.inf]
    assert out[2].isnan()
    assert out[3] == np.inf


def test_subnormals_of_elements_are_flushed_before_they_are_rounded() -> None:
    low = 2.0**-14
    x = torch.tensor([low, low * (1 - 2.0**-20), -low / 2, 0.0])
    found = quantize_elemwise_op(x, {"fp": 16, "bfloat_subnorms": False}, "even")
    assert found.tolist() == [low, 0, 0, 0]
    assert quantize_elemwise_op(x, {"fp": 16}, "even")[1] == low


def test_specs_fill_what_is_absent_from_what_is_given() -> None:
    found = mx.finalize_mx_specs(
        {"w_elem_format": "int8", "round": "even", "round_grad_input": "floor"}
    )
    assert found is not None
    assert found["w_elem_format_bp"] == "int8"
    assert found["round_weight"] == "even"
    assert found["round_mx_weight_grad_input"] == "floor"
    assert mx.finalize_mx_specs({}, early_exit=False) == mx.MxSpecs()
    assert get_backwards_mx_specs({**found, "quantize_backprop": False})["w_elem_format"] is None


def test_arguments_of_a_program_become_specs() -> None:
    parser = mx.add_mx_args(argparse.ArgumentParser())
    given = "--a_elem_format int8 --block_size 32 --no_bfloat_subnorms --custom_cuda"
    found = mx.get_mx_specs(parser.parse_args(given.split()))
    assert found is not None
    wanted = {"a_elem_format": "int8", "a_elem_format_bp_os": "int8", "block_size": 32,
              "bfloat_subnorms": False, "custom_cuda": True, "round": "nearest"}  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert mx.get_mx_specs(parser.parse_args([])) is None


def test_gradients_of_bfloats_are_bfloats() -> None:
    x = torch.tensor([1.00390625], requires_grad=True)
    mx.quantize_bfloat(x, {"bfloat": 16, "round": "even"}).backward(torch.tensor([1.00390625]))
    assert x.grad is not None
    assert x.grad.item() == 1.0
    assert mx.quantize_bfloat(x, None) is x


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: mx.MxSpecs(w_elm_format="int8"), ValueError, "did you mean 'w_elem_format'"),
        (lambda: _quantize_mx(torch.ones(3), 8, "fp8_e4m4", axes=0), ValueError, "fp8_e4m3"),
        (lambda: _quantize_mx(torch.ones(3), 8, "int8"), ValueError, "axes is missing"),
        (lambda: _quantize_mx(torch.ones(3), 8, "int8", axes=0, round="down"), ValueError, "round"),
        (lambda: _quantize_mx([1.0], 8, "int8", axes=0), TypeError, "torch.Tensor"),
        (lambda: _quantize_mx(torch.ones(3), 8, "int8", "mean", 0), ValueError, "shared_exp_meth"),
        (lambda: quantize_elemwise_op(torch.ones(1), {"bfloat": 9}), ValueError, "10 to 32"),
        (lambda: quantize_elemwise_op(torch.ones(1), {"bfloat": 16, "fp": 16}), ValueError, "to 0"),
        (lambda: quantize_elemwise_op(torch.ones(1), {"bflot": 16}), ValueError, "mean 'bfloat'"),
        (lambda: quantize_mx_op(torch.ones(3), {"blocksize": 2}, "int8", axes=0), ValueError,
         "mean 'block_size'"),
        (lambda: quantize_mx_op(torch.ones(3), None, "int8", axes=0), TypeError, "a dictionary"),
        (lambda: quantize_mx_op(torch.ones(3), {}, "int8", axes=[]), ValueError, "axes is missing"),
        (lambda: mx.linear(torch.ones(3), torch.ones(2, 3), mx_specs="int8"), TypeError, "a dicti"),
        (lambda: mx.matmul(torch.ones(1, 1), torch.ones(1, 1), mode_config="ww"), ValueError, "aw"),
        (lambda: inject_pyt_ops({"a_elem_format": "int8"}), ValueError, "finalize_mx_specs"),
        (lambda: inject_pyt_ops({"bfloat": 16, "round": "even"}), ValueError, "several roundings"),
        (lambda: inject_pyt_ops({"bfloat": 16, "quantize_backprop": False}), ValueError, "True"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_elements_have_the_largest_values_of_the_standard() -> None:
    for name, (_, _, largest, _) in LAYOUTS.items():
        assert ELEMENTS[name].max == largest
    assert nf.parse(str(ELEMENTS["int2"])) == ELEMENTS["int2"]


def test_empty_tensors_stay_empty() -> None:
    for axis in (0, 1):
        x = torch.zeros(0, 3)
        found = _quantize_mx(x, 8, "int8", axes=axis, block_size=2, flush_fp32_subnorms=True)
        assert found.shape == (0, 3)


def test_specifications_are_written_as_json() -> None:
    specs = mx.MxSpecs(a_elem_format="int8", block_size=32)
    assert json.loads(str(specs)) == json.loads(specs.safe_json()) == dict(specs)
    assert "\n" not in specs.safe_json()
