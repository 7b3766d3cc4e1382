"""The cosine cycles: closed forms of the schedule, and its effect on the sampler."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from samplers import SGLD, CosineCycles

pytestmark = pytest.mark.law


def optimizer(lr=0.7, temperature=0.25):
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(2))]},
        {"params": [torch.nn.Parameter(torch.zeros(2))]},
    ]
    groups[1]["lr"] = lr / 2
    return SGLD(groups, lr, num_data=10, temperature=temperature)


def trace(cycles, steps):
    rows = []
    for _ in range(steps):
        group = cycles.optimizer.param_groups[0]
        rows.append((group["lr"], group["temperature"], cycles.sampling))
        cycles.step()
    return rows


@pytest.mark.parametrize("steps, count", [(100, 4), (103, 4), (30, 30), (7, 1)])
def test_rates_follow_the_closed_form(steps, count):
    length = math.ceil(steps / count)
    cycles = CosineCycles(optimizer(), steps, count, exploration=0.0)
    rates = [lr for lr, _, _ in trace(cycles, steps)]
    for k, rate in enumerate(rates, start=1):
        assert rate == pytest.approx(
            0.35 * (math.cos(math.pi * ((k - 1) % length) / length) + 1), abs=1e-15
        )
    cycle = rates[:length]
    assert cycle[0] == 0.7
    assert all(a > b > 0 for a, b in itertools.pairwise(cycle))
    assert math.fsum(cycle) / length == pytest.approx(0.7 * (length + 1) / (2 * length), rel=1e-14)


@pytest.mark.parametrize("exploration", [0.0, 0.5, 0.9])
def test_noise_and_samples_come_in_the_last_part_of_a_cycle(exploration):
    rows = trace(CosineCycles(optimizer(), 80, 4, exploration), 80)
    expected = [Fraction(k % 20, 20) >= Fraction(str(exploration)) for k in range(80)]
    assert [sampling for _, _, sampling in rows] == expected
    assert [temperature for _, temperature, _ in rows] == [0.25 if s else 0.0 for s in expected]
    assert sum(expected) == 4 * (20 - math.ceil(exploration * 20))


def test_groups_keep_their_own_rates():
    sampler = optimizer()
    cycles = CosineCycles(sampler, 10, 1)
    cycles.step()
    assert sampler.param_groups[1]["lr"] == pytest.approx(sampler.param_groups[0]["lr"] / 2)


def test_resumes_in_the_middle_of_a_cycle():
    whole, first = CosineCycles(optimizer(), 40, 4), CosineCycles(optimizer(), 40, 4)
    rest = trace(whole, 40)[13:]
    trace(first, 13)
    second = CosineCycles(optimizer(lr=0.1), 5, 1, exploration=0.0)
    second.load_state_dict(first.state_dict())
    assert trace(second, 27) == rest


def test_nothing_is_sampled_after_the_last_step():
    cycles = CosineCycles(optimizer(), 10, 1, exploration=0.0)
    trace(cycles, 10)
    assert not cycles.sampling


@pytest.mark.parametrize("arguments", [(10, 0), (10, 11), (10, 1, 1.0), (10, 1, -0.1)])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="write"):
        CosineCycles(optimizer(), *arguments)


@pytest.mark.parametrize("steps, count, exploration", [(10, 2, 0.9), (9, 1, 0.9), (30, 30, 0.1)])
def test_cycles_that_would_keep_no_sample_are_refused(steps, count, exploration):
    length = math.ceil(steps / count)
    assert all(Fraction(k, length) < Fraction(str(exploration)) for k in range(length))
    with pytest.raises(ValueError, match=f"no sampling step in cycles of {length} step"):
        CosineCycles(optimizer(), steps, count, exploration)
    kept = CosineCycles(optimizer(), steps, count, math.floor(exploration * length - 1e-9) / length)
    assert any(sampling for _, _, sampling in trace(kept, steps))


@pytest.mark.parametrize(
    "arguments, message", [((10.5, 1), "steps=10.5"), ((4, 1.5), "cycles=1.5")]
)
def test_numbers_of_steps_and_cycles_are_whole(arguments, message):
    with pytest.raises(ValueError, match=f"{message} is of type float; write an int"):
        CosineCycles(optimizer(), *arguments, exploration=0.0)


def test_an_optimizer_without_a_temperature_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        CosineCycles(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1), 10, 1)


@pytest.mark.parametrize(
    "arguments, message", [(("10", 1), "steps='10'"), ((10, None), "cycles=None")]
)
def test_arguments_of_other_types_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"{message} is of type .*write an int"):
        CosineCycles(optimizer(), *arguments)


def test_groups_that_come_later_are_refused():
    sampler = optimizer()
    cycles = CosineCycles(sampler, 10, 1)
    sampler.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    with pytest.raises(ValueError, match=r"3 parameter group.*of 2; build.*add_param_group"):
        cycles.step()
    assert cycles.done == 0
    with pytest.raises(ValueError, match="after the last add_param_group"):
        cycles.load_state_dict(cycles.state_dict())


@pytest.mark.parametrize("state", [{}, {"base": [], "steps": 5}])
def test_states_of_something_else_are_refused(state):
    cycles = CosineCycles(optimizer(), 40, 2)
    with pytest.raises(ValueError, match=r"the state holds \[.*wanted \['base', 'cycles'"):
        cycles.load_state_dict(state)
    assert cycles.steps == 40
