"""What a precision means for the weights: grids, accumulators, rules, counters."""

import re
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from samplers import SGLD, PerChannel, Precision
from samplers.precision import parse_format

pytestmark = pytest.mark.law

FORMATS = ["fixed<8,5>", "e4m3", "perchannel<8>", "bfp<8,block=4>"]
LOW = ["low", "variance_corrected"]


def net():
    torch.manual_seed(2)
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 8, 1)
    )


def on_grid(weight, fmt):
    """Whether rounding again changes nothing; it would where the largest weight of a block became
    -2^k, the end of two's complement, which asks for a larger scale. None does here.
    """
    fmt = fmt.resolve(tuple(weight.shape)) if isinstance(fmt, PerChannel) else fmt
    return torch.equal(nf.quantize(weight.detach(), fmt), weight.detach())


def one_step(model, precision, **options):
    optimizer = SGLD(model.named_parameters(), 0.05, num_data=50, precision=precision, **options)
    model(torch.ones(2, 2, 5, 5)).pow(2).mean().backward()
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("accumulator", ["full", *LOW])
@pytest.mark.parametrize("name", FORMATS)
def test_forward_sees_weights_of_the_format(name, accumulator):
    model = net()
    optimizer = one_step(model, Precision(name, name, accumulator))
    assert all(on_grid(p, parse_format(name)) for p in model.parameters())
    kept = ["accumulator" in optimizer.state[p] for p in model.parameters()]
    assert all(kept) if accumulator == "full" else not any(kept)


def test_construction_rounds_low_accumulators_to_nearest():
    weight = torch.nn.Parameter(torch.tensor([0.30, -0.05, 9.0]))
    optimizer = SGLD(
        [weight], 0.1, num_data=1, precision=Precision("fixed<8,4>", accumulator="low")
    )
    assert weight.tolist() == [0.3125, -0.0625, 7.9375]
    assert optimizer.counters() == (3, 0.0, 1 / 3, 1.0)


@pytest.mark.parametrize("accumulator", LOW)
def test_zero_temperature_rounds_the_sgd_step_without_bias(accumulator):
    """SGDLP-L: one of the two neighbours of θ - lr·g; P(up) within 5 binomial standard errors."""
    weight = torch.nn.Parameter(torch.zeros(40_000))
    precision = Precision("fixed<8,4>", accumulator=accumulator)
    optimizer = SGLD([weight], 0.1, num_data=1, temperature=0.0, precision=precision)
    weight.grad = torch.full_like(weight, -0.1)
    optimizer.step()
    up = 0.01 * 16
    assert set(weight.tolist()) == {0.0, 1 / 16}
    assert abs((weight > 0).double().mean() - up) < 5 * (up * (1 - up) / 40_000) ** 0.5


def test_accumulators_are_visible_and_give_back_what_was_there():
    weight = torch.nn.Parameter(torch.tensor([0.3]))
    optimizer = SGLD([weight], 0.1, num_data=1, precision=Precision("fixed<8,2>"))
    with optimizer.accumulators():
        assert weight.item() == pytest.approx(0.3)
    assert weight.item() == 0.25


def test_rules_go_by_index_name_and_predicate():
    rules = ((0, Precision("e4m3")), ("1.*", None), (lambda name, tensor: tensor.ndim == 1, None))
    precision = Precision("fixed<8,3>", accumulator="low", rules=rules)
    names = [n for n, _ in net().named_parameters()]
    found = [
        str(precision.for_parameter(i, n, p).weight)
        for i, (n, p) in enumerate(net().named_parameters())
    ]
    wanted = {"0.weight": "e4m3", "0.bias": "None", "1.weight": "None", "1.bias": "None"}
    assert dict(zip(names, found, strict=True)) == wanted | {
        "2.weight": "fixed<8,3>",
        "2.bias": "None",
    }


@pytest.mark.parametrize(
    "rules, message",
    [
        ((("bn*", None),), r"'bn\*' fits no parameter's name.*'1\.bias'"),
        ((("0.wieght", Precision("e4m3")),), r"closest are '0\.weight'"),
        (((6, None),), r"parameter 6 fits none.*6 parameters"),
    ],
)
def test_rules_that_fit_nothing_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        SGLD(net().named_parameters(), 0.1, num_data=1, precision=Precision(rules=rules))


def test_groups_have_precisions_of_their_own():
    """Their rules look at the group's parameters alone."""
    named = list(net().named_parameters())
    own = Precision("e4m3", accumulator="low", rules=(("0.bias", None),))
    groups = [{"params": named[:2], "precision": own}, {"params": named[2:]}]
    optimizer = SGLD(groups, 0.1, num_data=1, precision=Precision("fixed<8,3>"))
    assert [str(e.precision.weight) for e in optimizer._entries()] == [
        "e4m3", "None", *["fixed<8,3>"] * 4
    ]  # fmt: skip
    assert "Arithmetic of group 0: weights e4m3" in optimizer.describe()
    groups[1] = {"params": named[2:], "precision": Precision(rules=(("0.bias", None),))}
    with pytest.raises(ValueError, match="fits no parameter's name"):
        SGLD(groups, 0.1, num_data=1)


def test_normalisation_weights_stay_in_float32_by_name():
    """Fixed point with no integer bits would clip their ones to 127/256."""
    model = net()
    rules = (("1.*", None),)
    SGLD(model.named_parameters(), 0.1, num_data=1, precision=Precision("fixed<8,8>", rules=rules))
    assert torch.equal(model[1].weight, torch.ones(4))
    SGLD(model.named_parameters(), 0.1, num_data=1, precision=Precision("fixed<8,8>"))
    assert torch.equal(model[1].weight, torch.full((4,), 127 / 256))


def test_stuck_weights_are_counted():
    """Nearest rounding without noise never moves what is below half a gap."""
    weight = torch.nn.Parameter(torch.zeros(10))
    precision = Precision("fixed<8,4>", accumulator="low", rounding="nearest_even")
    optimizer = SGLD([weight], 0.1, num_data=1, temperature=0.0, precision=precision)
    weight.grad = torch.tensor([0.2] * 7 + [4.0] * 3)
    for _ in range(5):
        optimizer.step()
    assert optimizer.counters().stuck == 0.7
    optimizer.reset_counters()
    assert optimizer.counters() == (0, 0.0, 0.0, 1.0)
    weight.grad = torch.full((10,), 4.0)
    optimizer.step()
    assert optimizer.counters() == (10, 0.0, 0.0, 0.0)


def test_a_rule_by_name_needs_names():
    with pytest.raises(ValueError, match="named_parameters"):
        SGLD(net().parameters(), 0.1, num_data=1, precision=Precision(rules=(("norm*", None),)))


@pytest.mark.parametrize("bits", [1, 2, 25, 8.0, "8"])
def test_per_channel_has_the_bits_that_its_name_may_have(bits):
    """Others had names that a store of samples wrote and could not read again."""
    with pytest.raises(ValueError, match="write"):
        PerChannel(bits)


@pytest.mark.parametrize("bits", [3, 24])
def test_per_channel_is_known_by_its_name(bits):
    assert parse_format(str(PerChannel(bits))) == PerChannel(bits)


@pytest.mark.parametrize("shape, blocks", [((4, 3, 2), 4), ((5,), 5), ((6, 2), 6)])
def test_per_channel_has_one_exponent_per_index_of_dimension_0(shape, blocks):
    x = np.exp(np.random.default_rng(0).normal(size=shape) * 3).astype(np.float32)
    rows = x.reshape(blocks, -1).astype(np.float64)
    gap = 2.0 ** (np.floor(np.log2(np.abs(rows).max(axis=1, keepdims=True))) - 6)
    expected = np.clip(np.rint(rows / gap), -128, 127) * gap
    got = nf.quantize(x, PerChannel(8).resolve(shape))
    np.testing.assert_array_equal(got.reshape(blocks, -1), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # one pass, composition
def test_deficit_counts_what_the_grid_cannot_meet(dtype):
    """A mean in the middle of a gap has variance D²/4 at least, far above 2·lr·T/N here."""
    weight = torch.nn.Parameter(torch.zeros(1000, dtype=dtype))
    precision = Precision("fixed<8,4>", accumulator="variance_corrected")
    optimizer = SGLD([weight], 1.0, num_data=10**6, precision=precision)
    weight.grad = torch.full_like(weight, -1 / 32)
    optimizer.step()
    assert (
        optimizer.counters().deficit == 0.5
    )  # 1000 of 1000 in the step, none of the 1000 on construction
    assert 300 < (weight == 1 / 16).sum() < 700


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"accumulator": "half"}, "'half'"),
        ({"accumulator": "low"}, "weight is None"),
        ({"weight": "perchannel<x>"}, "perchannel<8>"),
        ({"weight": "fixed<8,z>"}, "fixed"),
        ({"rounding": "sideways"}, "sideways"),
        ({"rules": ((0, "e4m3"),)}, "rule"),
        ({"rules": (("*", Precision(rules=((0, None),))),)}, "rules of its own, which would do"),
    ],
)
def test_bad_precisions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Precision(**arguments)


@pytest.mark.parametrize("field", ["weight", "gradient"])
@pytest.mark.parametrize("given", [8, 3.5, ["e4m3"]], ids=str)
def test_what_is_no_format_is_refused(field: str, given: Any) -> None:
    with pytest.raises(TypeError, match=rf"{field}={re.escape(repr(given))}.* or None"):
        Precision(**{field: given})


def test_data_types_are_formats() -> None:
    assert Precision(weight=torch.float8_e4m3fn) == Precision("e4m3")
