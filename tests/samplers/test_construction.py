"""What a constructor refuses, before it has touched a weight."""

import math

import numpy as np
import pytest
import torch

from samplers import Gaussian, Laplace, Precision
from tests.samplers.conduct import FMT, NAMES, build, give_gradients

LOW = Precision(FMT, accumulator="low")


def unrounded(count):
    return [torch.nn.Parameter(torch.full((3,), 0.3)) for _ in range(count)]


REFUSED = [
    ({"lr": -1.0}, ValueError, "lr=-1.0"),
    ({"weight_decay": math.nan}, ValueError, "weight_decay=nan"),
    ({"precision": Precision(FMT, rules=((7, None),))}, ValueError, "rule for parameter 7"),
    ({"precision": Precision("block<fixed<8,6>,block=4,axis=1>")}, ValueError, "weight.*axis=1"),
    ({"precision": Precision(None, "block<fixed<8,6>,block=4,axis=1>")}, ValueError, "gradient"),
    ({"prior": "normal"}, TypeError, "samplers.Gaussian"),
]


@pytest.mark.parametrize("name", ["SGLD", "pSGLD", "SGHMC"])
@pytest.mark.parametrize("options, error, message", REFUSED)
def test_a_group_that_is_refused_later_stays_as_it_was(name, options, error, message):
    first, second = unrounded(2)
    optimizer = build(name, [first], precision=LOW)
    with pytest.raises(error, match=message):
        optimizer.add_param_group({"params": [second], **options})
    assert len(optimizer.param_groups) == 1
    assert second not in optimizer.state
    assert torch.equal(second, torch.full((3,), 0.3))


@pytest.mark.parametrize("name", ["SGLD", "pSGLD", "SGHMC"])
def test_a_refused_construction_leaves_the_weights_as_they_were(name):
    for options, error, message in REFUSED:
        first, second = unrounded(2)
        with pytest.raises(error, match=message):
            build(name, [{"params": [first]}, {"params": [second], **options}], precision=LOW)
        assert torch.equal(first, torch.full((3,), 0.3))
    first, second = unrounded(2)
    rules = Precision(FMT, accumulator="low", rules=(("missing", None),))
    with pytest.raises(ValueError, match="'missing' fits no parameter's name"):
        build(name, [("a", first), ("b", second)], precision=rules)
    assert torch.equal(first, torch.full((3,), 0.3))


@pytest.mark.parametrize(
    "dtype, fmt, held",
    [
        (torch.bfloat16, "fixed<24,20>", False),
        (torch.bfloat16, "fixed<9,6>", True),
        (torch.bfloat16, "fixed<10,6>", False),
        (torch.bfloat16, "perchannel<9>", True),
        (torch.bfloat16, "perchannel<10>", False),
        (torch.bfloat16, "bf16", True),
        (torch.bfloat16, "fp16", False),
        (torch.bfloat16, "nvfp4", False),  # its second scale is any float32
        (torch.bfloat16, "mxfp8_e4m3", True),
        (torch.float16, "fixed<12,24>", True),
        (torch.float16, "fixed<12,25>", False),
        (torch.float16, "fixed<13,6>", False),
        (torch.float16, "fixed<8,-8>", True),
        (torch.float16, "fixed<8,-9>", False),
        (torch.float16, "e5m2", True),
        (torch.float16, "bf16", False),
        (torch.float32, "fixed<24,20>", True),
        (torch.float64, "fixed<24,20>", True),
    ],
)
def test_a_format_that_the_dtype_cannot_hold_is_refused(dtype, fmt, held):
    weight = torch.nn.Parameter(torch.full((64,), 0.3, dtype=dtype))
    if held:
        optimizer = build("SGLD", [weight], precision=Precision(fmt))
        give_gradients([weight], 1e-6)
        optimizer.step()  # which refuses values that are not held
        return
    with pytest.raises(ValueError, match=rf"{dtype}, which cannot hold.*weight="):
        build("SGLD", [weight], precision=Precision(fmt))
    assert torch.equal(weight, torch.full((64,), 0.3, dtype=dtype))


@pytest.mark.parametrize(
    "fmt, message", [("fixed<8,5,overflow=wrap>", "wraps around"), ("e8m0", "no zero")]
)
def test_formats_without_an_unbiased_draw_are_refused(fmt, message):
    with pytest.raises(ValueError, match=rf"weight=.*variance_corrected.*{message}"):
        Precision(fmt, accumulator="variance_corrected")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "option, value",
    [
        ("lr", "0.1"),
        ("lr", None),
        ("lr", torch.ones(2)),
        ("num_data", None),
        ("temperature", None),
        ("weight_decay", [0.1]),
    ],
)
def test_options_of_other_types_are_refused_by_name(name, option, value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=rf"(?s){option}=.* is of type {kind}; write .*(>= 0|>= 1)"):
        build(name, unrounded(1), **{option: value})


@pytest.mark.parametrize(
    "name, option",
    [
        ("SGHMC", "friction"),
        ("SGHMC", "inverse_mass"),
        ("pSGLD", "damping"),
        ("pSGLD", "smoothing"),
    ],
)
def test_own_options_of_other_types_are_refused_by_name(name, option):
    with pytest.raises(TypeError, match=rf"{option}='1' is of type str; write a"):
        build(name, unrounded(1), **{option: "1"})


@pytest.mark.parametrize("prior, name", [(Gaussian, "std"), (Laplace, "scale")])
def test_priors_of_other_types_are_refused_by_name(prior, name):
    with pytest.raises(TypeError, match=rf"{name}='1' is of type str"):
        prior("1")


@pytest.mark.parametrize(
    "rules, message",
    [
        ([("*norm*", None)], r"rules=.* is of type list; write a tuple of pairs"),
        ((([0, 1], None),), r"rule .*write a pair"),
    ],
)
def test_rules_that_have_no_hash_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        Precision(FMT, rules=rules)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "written, meant", [("temprature", "temperature"), ("num_dat", "num_data"), ("prioor", "prior")]
)
def test_misspelt_options_of_groups_are_refused(name, written, meant):
    """They would do nothing; options of the caller and of schedulers are left alone."""
    first, second = unrounded(2)
    optimizer = build(name, [first], precision=Precision(FMT))
    with pytest.raises(ValueError, match=f"option '{written}'; did you mean '{meant}'"):
        optimizer.add_param_group({"params": [second], written: 2.0})
    assert len(optimizer.param_groups) == 1
    assert torch.equal(second, torch.full((3,), 0.3))
    own = {"initial_lr": 0.1, "max_lr": 1.0, "base_temperature": 2.0, "name": "head"}
    optimizer.add_param_group({"params": [second], **own})
    assert optimizer.param_groups[1]["base_temperature"] == 2.0


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
def test_blocks_of_weights_that_the_dtype_lacks_are_refused(accumulator):
    """Scales with a significand of 4 bits put the grid of a block between float16's subnormals."""
    (first,) = unrounded(1)
    block = torch.nn.Parameter(torch.full((32,), 2.0**-24 * 5, dtype=torch.float16))
    fine = Precision("block<float<2,3>,block=32,scale=float<8,3>>", accumulator=accumulator)
    build("SGLD", [torch.nn.Parameter(torch.ones(32, dtype=torch.float16))], precision=fine)
    with pytest.raises(ValueError, match=r"parameter 1 has dtype torch.float16, which cannot hold"):
        build("SGLD", [first, block], precision=fine)
    assert torch.equal(first, torch.full((3,), 0.3))


@pytest.mark.parametrize("name", ["SGLD", "pSGLD", "SGHMC"])
def test_numpy_integers_are_seeds_and_checkpoints_hold_plain_ones(name):
    first, second = unrounded(2)
    optimizer = build(name, [first], seed=np.int64(7), chain=np.uint8(2))
    optimizer.add_param_group({"params": [second], "seed": np.int32(9)})
    groups = optimizer.state_dict()["param_groups"]
    assert [(g["seed"], g["chain"]) for g in groups] == [(7, 2), (9, 2)]
    assert all(type(g[n]) is int for g in groups for n in ("seed", "chain"))
