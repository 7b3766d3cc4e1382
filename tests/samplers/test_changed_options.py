"""What a step refuses of options and priors that have changed since construction."""

import math

import pytest
import torch

from samplers import Precision
from tests.samplers.algorithms import CASES
from tests.samplers.conduct import FMT, NAMES, build, contents, give_gradients, parameters


@pytest.mark.parametrize("name, accumulator", CASES)
@pytest.mark.parametrize(
    "option, value, error",
    [
        ("lr", -0.1, ValueError),
        ("lr", math.nan, ValueError),
        ("lr", "0.1", TypeError),
        ("temperature", -1.0, ValueError),
        ("weight_decay", math.nan, ValueError),
        ("num_data", 0, ValueError),
        ("chain", -1, ValueError),
    ],
)
def test_options_changed_between_steps_are_checked_before_anything_moves(
    name, accumulator, option, value, error
):
    first, second = parameters((5,), (6,))
    groups = [{"params": [first]}, {"params": [second]}]
    optimizer = build(name, groups, precision=Precision(FMT, None, accumulator))
    give_gradients([first, second])
    before = contents(optimizer, [first, second])
    kept, optimizer.param_groups[1][option] = optimizer.param_groups[1][option], value
    with pytest.raises(error, match=f"{option}="):
        optimizer.step()
    after = contents(optimizer, [first, second])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    optimizer.param_groups[1][option] = kept
    optimizer.step()
    assert optimizer.state[second]["step"] == 1


@pytest.mark.parametrize(
    "name, option, value",
    [("pSGLD", "smoothing", 1.5), ("pSGLD", "damping", 0.0), ("SGHMC", "friction", -1.0)],
)
def test_own_options_changed_between_steps_are_checked(name, option, value):
    (weight,) = parameters((3,))
    optimizer = build(name, [weight])
    give_gradients([weight])
    optimizer.param_groups[0][option] = value
    with pytest.raises(ValueError, match=f"{option}={value}"):
        optimizer.step()
    assert torch.equal(weight, torch.full((3,), 0.25))


@pytest.mark.parametrize("name", NAMES)
def test_a_prior_without_a_finite_gradient_ends_the_step_before_anything_moved(name):
    first, second = parameters((3,), (4,))
    groups = [{"params": [first]}, {"params": [second], "prior": lambda t: (t * math.inf).sum()}]
    optimizer = build(name, groups)
    give_gradients([first, second])
    with pytest.raises(ValueError, match="not finite"):
        optimizer.step()
    assert torch.equal(first, torch.full((3,), 0.25))
