"""Preconditioned SGLD: the preconditioner, its reductions, and its law while it adapts."""

import numpy as np
import pytest
import torch

from samplers import PSGLD, SGLD, Precision

pytestmark = pytest.mark.law


def run(optimizer, weight, gradients):
    for grad in gradients:
        weight.grad = grad.clone()
        optimizer.step()
    return weight.detach().clone()


def test_descent_is_rmsprops():
    """At T = 0 with s started at 1: torch's RMSprop from the same mean square."""
    start, rows = torch.linspace(-1, 1, 40), torch.randn(12, 40, generator=torch.manual_seed(1))
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    sampler = PSGLD([ours], 0.01, num_data=5, temperature=0.0, smoothing=0.9, damping=1e-3)
    rmsprop = torch.optim.RMSprop([theirs], 0.01, alpha=0.9, eps=1e-3)
    rmsprop.state[theirs] = {"step": torch.tensor(0.0), "square_avg": torch.ones(40)}
    torch.testing.assert_close(
        run(sampler, ours, rows), run(rmsprop, theirs, rows), rtol=1e-5, atol=1e-6
    )


def test_a_constant_preconditioner_is_sgld_of_its_step_size():
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 40)) for _ in range(2)]
    rows = torch.randn(12, 40, generator=torch.manual_seed(1))
    ours = PSGLD([weights[0]], 0.3, num_data=5, damping=0.5, adapt_steps=0, seed=2)
    theirs = SGLD([weights[1]], 0.2, num_data=5, seed=2)
    found = run(ours, weights[0], rows), run(theirs, weights[1], rows)
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_adaptation_ends_where_it_is_told_to():
    weight = torch.nn.Parameter(torch.zeros(4))
    optimizer = PSGLD([weight], 0.1, num_data=5, smoothing=0.5, adapt_steps=3)
    run(optimizer, weight, torch.full((3, 4), 2.0))
    square = optimizer.state[weight]["square"].clone()
    assert torch.allclose(square, torch.full((4,), 0.125 + 4 * 0.875))
    run(optimizer, weight, torch.full((3, 4), 7.0))
    assert torch.equal(optimizer.state[weight]["square"], square)


def test_the_gradient_that_counts_is_the_rounded_one_without_the_prior():
    weight = torch.nn.Parameter(torch.ones(4))
    precision = Precision(gradient="fixed<4,1>", rounding="nearest_even")
    optimizer = PSGLD(
        [weight], 0.1, num_data=5, smoothing=0.0, weight_decay=3.0, precision=precision
    )
    run(optimizer, weight, torch.full((1, 4), 0.7))
    assert torch.equal(optimizer.state[weight]["square"], torch.full((4,), 0.25))


def variance_ratios(adapt_steps):
    """Var θ over (T + lr·G·σ²/2)/(λ(1 - lr·G·λ/2)), G from the state, and its standard error, for
    the curvatures 1/4, 1, 8 and 64; SGLD at this step size is unstable on the last two."""
    curvature = torch.tensor([0.25, 1.0, 8.0, 64.0]).repeat_interleave(20_000)
    weight = torch.nn.Parameter(torch.zeros(80_000))
    optimizer = PSGLD([weight], 0.3, num_data=1, damping=1e-3, adapt_steps=adapt_steps)
    rows, generator = [], torch.manual_seed(0)
    for k in range(500):
        noise = 0.1 * curvature**0.5 * torch.randn(80_000, generator=generator)
        weight.grad = curvature * weight.detach() + noise
        optimizer.step()
        if k >= 300 and k % 20 == 0:
            rows.append(weight.detach().double() ** 2)
    step = 0.3 / (1e-3 + optimizer.state[weight]["square"].double().sqrt())
    expected = (1 + step * 0.01 * curvature / 2) / (curvature * (1 - step * curvature / 2))
    ratio = (torch.stack(rows).mean(0) / expected).reshape(4, -1).numpy()
    return ratio.mean(axis=1), ratio.std(axis=1) / 20_000**0.5


def test_coordinates_of_all_scales_have_their_variance_after_adaptation():
    """5 standard errors (6e-7) each."""
    ratio, error = variance_ratios(adapt_steps=150)
    assert np.all(np.abs(ratio - 1) < 5 * error), ratio


def test_adaptation_without_end_is_rejected():
    """Negative control, and why `adapt_steps` is there: Γ is left out."""
    ratio, error = variance_ratios(adapt_steps=None)
    assert np.any(np.abs(ratio - 1) > 5 * error)
    assert np.all(np.abs(ratio - 1) < 0.15)


@pytest.mark.parametrize("dtype, top", [(torch.float32, 1e20), (torch.float64, 1e155)])
def test_gradients_whose_square_is_infinite_are_refused_while_s_adapts(dtype, top):
    """One of them was taken in silence, and its weight never moved again."""
    first, second = (torch.nn.Parameter(torch.zeros(2, dtype=dtype)) for _ in range(2))
    optimizer = PSGLD([first, second], 0.1, num_data=5, adapt_steps=2, temperature=0.0)
    first.grad, second.grad = torch.ones(2, dtype=dtype), torch.ones(2, dtype=dtype)
    optimizer.step()
    before = first.detach().clone()
    second.grad = torch.tensor([1.0, -top], dtype=dtype)
    with pytest.raises(ValueError, match=r"parameter 1 holds 1 element.*squares are infinite"):
        optimizer.step()
    assert torch.equal(first, before)
    second.grad = torch.tensor([1.0, -1.0], dtype=dtype)
    optimizer.step()
    second.grad = torch.tensor([1.0, -top], dtype=dtype)
    optimizer.step()  # s stays as it is
    assert optimizer.state[first]["step"] == 3
    assert torch.isfinite(optimizer.state[second]["square"]).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"smoothing": 1.0}, "smoothing=1.0"),
        ({"damping": 0.0}, "damping=0.0"),
        ({"adapt_steps": -1}, "adapt_steps=-1"),
        ({"adapt_steps": 1.5}, "adapt_steps=1.5"),
    ],
)
def test_options_out_of_their_domain_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PSGLD([torch.nn.Parameter(torch.ones(3))], 0.1, num_data=1, **change)
