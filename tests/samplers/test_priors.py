"""Priors: their gradients, their place in the step, and what is refused."""

import math

import pytest
import torch
from scipy import stats

from samplers import SGHMC, SGLD, Gaussian, Laplace
from samplers.priors import slope

pytestmark = pytest.mark.law


def gaussian(theta):
    return -0.5 * ((theta - 0.3) / 0.7) ** 2


def student(theta):
    return -2.0 * torch.log1p(theta**2 / 3).sum()


@pytest.mark.parametrize(
    "prior, logpdf",
    [
        (Gaussian(0.7, 0.3), stats.norm(0.3, 0.7).logpdf),
        (Laplace(0.4), stats.laplace(0, 0.4).logpdf),
        (gaussian, stats.norm(0.3, 0.7).logpdf),
        (student, stats.t(3).logpdf),
    ],
)
def test_slopes_are_of_the_densities(prior, logpdf):
    """Against central differences of scipy's densities; the error is of order h²."""
    theta, h = torch.tensor([-1.7, -0.2, 0.25, 2.0], dtype=torch.float64), 1e-5
    expected = -(logpdf(theta.numpy() + h) - logpdf(theta.numpy() - h)) / (2 * h)
    torch.testing.assert_close(
        slope(prior, theta), torch.from_numpy(expected), rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("build", [SGLD, lambda p, lr, **o: SGHMC(p, lr, friction=1.0, **o)])
def test_a_gaussian_prior_is_weight_decay(build):
    """Of 1/(num_data·std²), up to roundings."""
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 50)) for _ in range(2))
    pair = (
        build([ours], 0.1, num_data=8, prior=Gaussian(0.5)),
        build([theirs], 0.1, num_data=8, weight_decay=1 / (8 * 0.25)),
    )
    for _ in range(5):
        for weight, optimizer in zip((ours, theirs), pair, strict=True):
            weight.grad = torch.ones_like(weight)
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_groups_have_priors_of_their_own():
    flat, sparse = (torch.nn.Parameter(torch.tensor([1.0, -1.0])) for _ in range(2))
    groups = [{"params": [flat]}, {"params": [sparse], "prior": Laplace(0.5)}]
    optimizer = SGLD(groups, 0.1, num_data=10, temperature=0.0)
    for weight in (flat, sparse):
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert flat.tolist() == [1.0, -1.0]
    assert sparse.tolist() == pytest.approx([1 - 0.1 * 2 / 10, -1 + 0.1 * 2 / 10])
    assert "Laplace(0, 0.5)" in optimizer.describe()


def test_a_heavy_tailed_prior_is_sampled():
    """Student's t with 3 degrees of freedom and scale 1: P(|θ| > 2) = 0.139; 20 000 chains, 5
    standard errors and 0.006 for the step size."""
    weight = torch.nn.Parameter(torch.zeros(20_000))
    optimizer = SGLD([weight], 0.1, num_data=1, prior=student)
    for _ in range(400):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    expected = 2 * stats.t(3).sf(2.0)
    found = float((weight.detach().abs() > 2).double().mean())
    assert abs(found - expected) < 0.006 + 5 * math.sqrt(expected * (1 - expected) / 20_000)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"prior": "normal"}, TypeError, "samplers.Gaussian"),
        ({"prior": Laplace(1.0), "weight_decay": 0.1}, ValueError, "write one of them"),
    ],
)
def test_what_is_no_prior_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        SGLD([torch.nn.Parameter(torch.ones(3))], 0.1, num_data=1, **options)


@pytest.mark.parametrize(
    "kind, scale, end",
    [(Gaussian, 1e200, 2.0**63), (Gaussian, 1e-25, 2.0**-63), (Laplace, 1e-50, 2.0**-126)],
)
def test_scales_whose_slopes_float32_lacks_are_refused(kind, scale, end):
    """They sent weights to infinity in silence."""
    with pytest.raises(ValueError, match="so that float32 holds the slope"):
        kind(scale)
    assert torch.isfinite(kind(end).slope(torch.ones(1))).all()


@pytest.mark.parametrize("kind, scale", [(Gaussian, 0.0), (Laplace, -1.0), (Laplace, math.nan)])
def test_scales_out_of_their_domain_are_refused(kind, scale):
    with pytest.raises(ValueError, match="write a finite number > 0"):
        kind(scale)


@pytest.mark.parametrize(
    "prior, message",
    [(lambda theta: 1.0, "does not depend"), (lambda theta: theta.log().sum(), "not finite")],
)
def test_densities_without_a_usable_gradient_are_refused(prior, message):
    weight = torch.nn.Parameter(torch.zeros(3))
    weight.grad = torch.zeros(3)
    with pytest.raises(ValueError, match=message):
        SGLD([weight], 0.1, num_data=1, prior=prior).step()
