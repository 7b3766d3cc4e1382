"""How every sampler behaves as an optimizer: keys, groups, closures, and what it leaves alone."""

import copy
import pickle

import pytest
import torch

from samplers import CosineCycles, Precision
from tests.samplers.algorithms import CASES
from tests.samplers.conduct import FMT, NAMES, build, contents, give_gradients, parameters

pytestmark = pytest.mark.law


@pytest.mark.parametrize("name", NAMES)
def test_seeds_chains_parameters_and_steps_draw_different_noise(name):
    """325 pairs of 1000 draws; 6.3 standard errors each."""
    draws = []
    for seed in range(3):
        for chain in range(2):
            params = parameters((1000,), (1000,))
            optimizer = build(name, params, seed=seed, chain=chain)
            for _ in range(2):
                before = [p.detach().clone() for p in params]
                give_gradients(params, 0.0)
                for param in params:
                    if "velocity" in optimizer.state[param]:
                        optimizer.state[param]["velocity"].zero_()
                optimizer.step()
                draws += [p.detach() - b for p, b in zip(params, before, strict=True)]
    correlation = torch.corrcoef(torch.stack(draws)) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.2


@pytest.mark.parametrize("name, accumulator", CASES)
def test_equal_keys_give_equal_bits_whatever_the_global_generator(name, accumulator):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        params = parameters((40, 7))
        optimizer = build(name, params, precision=Precision(FMT, FMT, accumulator))
        for _ in range(3):
            give_gradients(params)
            torch.nn.functional.dropout(params[0].detach(), 0.5)
            optimizer.step()
        results.append(contents(optimizer, params))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("name, accumulator", CASES)
def test_weights_and_velocities_of_low_accumulators_stay_on_the_grid(name, accumulator):
    params = parameters((50, 3))
    optimizer = build(name, params, precision=Precision(FMT, FMT, accumulator))
    for _ in range(4):
        give_gradients(params, 0.3)
        optimizer.step()
        assert torch.equal(params[0] * 32, (params[0] * 32).round())
    assert ("accumulator" in optimizer.state[params[0]]) == (accumulator == "full")
    with optimizer.accumulators():  # a full one keeps what the grid has not
        on_grid = (params[0] * 32 == (params[0] * 32).round()).double().mean()
        assert on_grid < 0.1 if accumulator == "full" else on_grid == 1
    if "velocity" in optimizer.state[params[0]] and accumulator != "full":
        state = optimizer.state[params[0]]
        steps = state["velocity"] / state["velocity_scale"] * 32
        assert torch.equal(steps, steps.round())


@pytest.mark.filterwarnings("ignore:the first gradients")
@pytest.mark.parametrize("name, accumulator", CASES)
def test_weights_reach_both_ends_of_the_range(name, accumulator):
    up, down = parameters((50,), (50,))
    optimizer = build(name, [up, down], precision=Precision(FMT, None, accumulator))
    for _ in range(60):
        give_gradients([up], -5.0)
        give_gradients([down], 5.0)
        optimizer.step()
    assert torch.equal(up, torch.full((50,), 127 / 32))
    assert torch.equal(down, torch.full((50,), -4.0))
    assert optimizer.counters().saturated > 0.2


@pytest.mark.parametrize("name", NAMES)
def test_gradients_frozen_parameters_and_empty_ones_are_left_alone(name):
    moving, frozen, empty = parameters((4,), (4,), (0, 3))
    optimizer = build(
        name, [moving, frozen, empty], weight_decay=0.1, precision=Precision(gradient="e4m3")
    )
    give_gradients([moving, empty], 0.3)
    optimizer.step()
    assert torch.equal(moving.grad, torch.full((4,), 0.3))
    assert torch.equal(frozen, torch.full((4,), 0.25))
    assert not torch.equal(moving, torch.full((4,), 0.25))


@pytest.mark.parametrize("name", NAMES)
def test_closures_schedulers_and_cycles(name):
    fast, slow = parameters((3,), (3,))
    optimizer = build(name, [{"params": [fast]}, {"params": [slow], "temperature": 0.0}])
    cycles = CosineCycles(optimizer, steps=4, cycles=1, exploration=0.5)

    def closure():
        optimizer.zero_grad()
        loss = 0.125 * (fast + slow).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0.1875
    for sampling in (False, True, True):
        cycles.step()
        groups = optimizer.param_groups
        assert [g["temperature"] for g in groups] == [float(sampling), 0.0]
        optimizer.step(closure)
    assert len(set(fast.tolist())) == 3
    assert len(set(slow.tolist())) == 1  # a group without noise moves all alike


@pytest.mark.parametrize("name", NAMES)
def test_exploration_has_no_noise(name):
    """Equal weights with equal gradients stay equal while the temperature is 0."""
    (weight,) = parameters((100,))
    optimizer = build(name, [weight], temperature=0.0)
    for _ in range(5):
        give_gradients([weight])
        optimizer.step()
    assert len(set(weight.tolist())) == 1
    assert weight[0] < 0.25


@pytest.mark.parametrize("name, accumulator", CASES)
def test_pickle_and_deepcopy_go_on_alike(name, accumulator):
    params = parameters((50,))
    optimizer = build(name, params, precision=Precision(FMT, None, accumulator))
    give_gradients(params)
    optimizer.step()
    results = []
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)), optimizer):
        own = twin.param_groups[0]["params"]
        give_gradients(own)
        twin.step()
        results.append(contents(twin, own))
    for other in results[:2]:
        assert all(torch.equal(a, b) for a, b in zip(other, results[2], strict=True))


@pytest.mark.parametrize("name, accumulator", CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes(name, accumulator, dtype):
    weight = torch.nn.Parameter(torch.full((30,), 0.25, dtype=dtype))
    optimizer = build(name, [weight], precision=Precision("fixed<6,4>", None, accumulator))
    for _ in range(3):
        weight.grad = torch.full_like(weight, 0.1)
        optimizer.step()
    assert weight.dtype == dtype
    assert torch.isfinite(weight).all()
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    kept = {k: v.dtype for k, v in optimizer.state[weight].items() if torch.is_tensor(v)}
    assert set(kept.values()) - {torch.bool} <= {wide}


@pytest.mark.parametrize("name", NAMES)
def test_strided_parameters_step_like_contiguous_ones(name):
    values = torch.linspace(-1, 1, 24).reshape(4, 6)
    plain, turned = (torch.nn.Parameter(v) for v in (values.clone(), values.t().contiguous().t()))
    assert not turned.is_contiguous()
    for param in (plain, turned):
        optimizer = build(name, [param])
        for _ in range(2):
            param.grad = values.clone() / 8
            optimizer.step()
    assert torch.equal(plain, turned)


@pytest.mark.parametrize("name", NAMES)
def test_describe_states_density_update_and_arithmetic(name):
    text = build(name, parameters((3,)), num_data=50, weight_decay=0.02, precision=None).describe()
    assert "exp(-(50/1)·(L(θ) + 0.01·‖θ‖²))" in text
    assert "N(0, 1·I)" in text
    assert "θ ← θ" in text
    assert name.split(",")[0] in text
