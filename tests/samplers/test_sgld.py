"""Laws of SGLD in full precision: exact reductions, closed forms, and what it refuses."""

import copy
import pickle

import pytest
import torch

from samplers import SGLD, Precision


def gradients(steps, shape=(7, 5), seed=0):
    return torch.randn(steps, *shape, generator=torch.Generator().manual_seed(seed))


def run(optimizer, weight, grads):
    for grad in grads:
        weight.grad = grad.to(weight.dtype)
        optimizer.step()
    return weight.detach().clone()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_zero_temperature_is_sgd_bit_for_bit(dtype, weight_decay):
    start = gradients(1, (33, 17))[0].to(dtype)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    options = {"lr": 0.1, "weight_decay": weight_decay}
    grads = gradients(20, (33, 17), 1)
    drawn = run(SGLD([ours], num_data=10, temperature=0.0, **options), ours, grads)
    assert torch.equal(drawn, run(torch.optim.SGD([theirs], **options), theirs, grads))


def test_float32_as_a_format_is_full_precision_bit_for_bit():
    start, grads = gradients(1)[0], gradients(10)
    plain, formatted = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    precision = Precision("float<8,23>", "float<8,23>", "full")
    assert torch.equal(
        run(SGLD([plain], 0.1, num_data=5), plain, grads),
        run(SGLD([formatted], 0.1, num_data=5, precision=precision), formatted, grads),
    )


@pytest.mark.parametrize("lr, curvature, temperature, sigma", [(0.5, 2, 0.3, 1.0), (0.2, 1, 1, 0)])
def test_stationary_variance_on_a_quadratic(lr, curvature, temperature, sigma):
    """Var = (T/N + lr·σ²/2)/(λ(1 - lr·λ/2)); 50 000 coordinates, 5 standard errors (6e-7)."""
    num_data, coordinates = 4, 50_000
    weight = torch.nn.Parameter(torch.zeros(coordinates))
    optimizer = SGLD([weight], lr, num_data=num_data, temperature=temperature)
    for noise in gradients(60, (coordinates,)):
        weight.grad = curvature * weight.detach() + sigma * noise
        optimizer.step()
    scale = temperature / num_data
    expected = (scale + lr * sigma**2 / 2) / (curvature * (1 - lr * curvature / 2))
    assert abs(float(weight.detach().var()) / expected - 1) < 5 * (2 / coordinates) ** 0.5


def test_weight_decay_is_the_prior_precision():
    """A flat loss leaves the prior N(0, 1/(N·wd)), up to the factor 1/(1 - lr·wd/2)."""
    weight = torch.nn.Parameter(torch.zeros(50_000))
    run(SGLD([weight], 0.5, num_data=10, weight_decay=0.4), weight, torch.zeros(40, 50_000))
    expected = 1 / (10 * 0.4) / (1 - 0.5 * 0.4 / 2)
    assert abs(float(weight.detach().var()) / expected - 1) < 5 * (2 / 50_000) ** 0.5


def test_seeds_chains_parameters_and_steps_draw_different_noise():
    draws = []
    for seed in range(3):
        for chain in range(3):
            weights = [torch.nn.Parameter(torch.zeros(1000)) for _ in range(2)]
            optimizer = SGLD(weights, 1.0, num_data=2, seed=seed, chain=chain)
            for _ in range(2):
                for weight in weights:
                    weight.data.zero_()
                    weight.grad = torch.zeros(1000)
                optimizer.step()
                draws += [weight.detach().clone() for weight in weights]
    correlation = torch.corrcoef(torch.stack(draws)) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.2  # 630 pairs, 6.3 standard errors each


def test_options_of_groups_schedulers_and_closures():
    fast, slow = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    groups = [{"params": [fast]}, {"params": [slow], "lr": 0.01}]
    optimizer = SGLD(groups, 0.1, num_data=1, temperature=0.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (fast + slow).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 6
    scheduler.step()
    optimizer.step(closure)
    assert torch.allclose(fast, torch.full((3,), 1 - 0.1 - 0.05))
    assert torch.allclose(slow, torch.full((3,), 1 - 0.01 - 0.005))


def test_step_leaves_gradients_and_frozen_parameters_alone():
    weight, frozen = torch.nn.Parameter(torch.ones(4)), torch.nn.Parameter(torch.ones(4))
    weight.grad = torch.full((4,), 0.3)
    SGLD(
        [weight, frozen], 0.1, num_data=1, weight_decay=0.1, precision=Precision(gradient="e4m3")
    ).step()
    assert torch.equal(weight.grad, torch.full((4,), 0.3))
    assert torch.equal(frozen, torch.ones(4))
    assert not torch.equal(weight, torch.ones(4))


def test_pickle_and_deepcopy_go_on_alike():
    weight = torch.nn.Parameter(torch.ones(50))
    optimizer = SGLD([weight], 0.1, num_data=1, precision=Precision("fixed<8,4>"))
    run(optimizer, weight, gradients(3, (50,)))
    copies = [optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    results = [run(c, c.param_groups[0]["params"][0], gradients(3, (50,))) for c in copies]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_describe_states_the_density():
    text = SGLD([torch.nn.Parameter(torch.ones(3))], 0.1, num_data=50, weight_decay=0.02).describe()
    assert "exp(-(50/1)·(L(θ) + 0.01·‖θ‖²))" in text
    assert "N(0, 1·I)" in text


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lr": -1.0}, "lr=-1.0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"num_data": 0}, "num_data=0"),
        ({"temperature": -1}, "temperature=-1"),
        ({"weight_decay": float("inf")}, "weight_decay=inf"),
        ({"seed": -1}, "seed=-1"),
        ({"chain": 1.5}, "chain=1.5"),
    ],
)
def test_options_out_of_their_domain_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SGLD([torch.nn.Parameter(torch.ones(3))], **({"lr": 0.1, "num_data": 1} | change))


def test_unfit_parameters_and_gradients_are_refused():
    with pytest.raises(TypeError, match=r"complex64.*view_as_real"):
        SGLD([torch.nn.Parameter(torch.ones(3, dtype=torch.complex64))], 0.1, num_data=1)
    with pytest.raises(TypeError, match="Precision"):
        SGLD([torch.nn.Parameter(torch.ones(3))], 0.1, num_data=1, precision="e4m3")
    with pytest.raises(ValueError, match="maximize"):
        SGLD([{"params": [torch.nn.Parameter(torch.ones(3))], "maximize": True}], 0.1, num_data=1)
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = SGLD(table.parameters(), 0.1, num_data=1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match=r"sparse.*to_dense"):
        optimizer.step()
