"""Bayesian linear regression with real mini-batches: the exact stationary mean and covariance.

Kills a missing N/n, a prior applied per batch, a wrong reduction of the loss. 20 000 chains, six
comparisons for each sampler at 5 standard errors: correct ones fail with probability below 2e-5.
"""

import numpy as np
import pytest
import torch

from tests.samplers import linear
from tests.samplers.algorithms import ALGORITHMS

pytestmark = pytest.mark.law

POINTS, BATCH, DIM, CHAINS = 60, 6, 3, 20_000
NOISE_VARIANCE, PRIOR_VARIANCE = 0.5, 2.0


def data():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(POINTS, DIM)) * [1.0, 0.8, 0.6]
    return x, x @ [0.5, -1.0, 0.3] + rng.normal(size=POINTS) * NOISE_VARIANCE**0.5


def exact(x, y, recursion, share=1.0):
    """Posterior mean, and the covariance of the chain: of the posterior, of the step size and of
    the batches. Gradients are those of the mean loss: 1/N of the energy's; ``share`` multiplies
    their covariance.
    """
    precision = (np.eye(DIM) / PRIOR_VARIANCE + x.T @ x / NOISE_VARIANCE) / POINTS
    mean = np.linalg.solve(precision, x.T @ y / NOISE_VARIANCE / POINTS)
    curvatures = x[:, :, None] * x[:, None, :] / NOISE_VARIANCE
    forces = x * (y - x @ mean)[:, None] / NOISE_VARIANCE
    forces = forces - mean / (POINTS * PRIOR_VARIANCE)
    average = curvatures.mean(0)
    second = np.mean([np.kron(a, a) for a in curvatures], axis=0) - np.kron(average, average)
    share = share / BATCH
    covariance = linear.minibatch(
        recursion, precision, share * second, share * np.cov(forces.T, bias=True)
    )
    return mean, covariance[:DIM, :DIM]


def with_replacement(generator):
    return torch.randint(POINTS, (CHAINS, BATCH), generator=generator)


def without_replacement(generator):
    return torch.rand(CHAINS, POINTS, generator=generator).topk(BATCH).indices


def draws(name, x, y, start, steps=150, batches=with_replacement, **changes):
    """The last state of many chains, whose batches are independent over steps."""
    inputs, targets = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    weight = torch.nn.Parameter(torch.from_numpy(start).float().repeat(CHAINS, 1))
    decay = 1 / (POINTS * PRIOR_VARIANCE)
    options = {"num_data": POINTS, "weight_decay": decay} | changes
    optimizer = ALGORITHMS[name].build([weight], **options)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        optimizer.zero_grad()
        batch = batches(generator)
        residual = targets[batch] - torch.einsum("cnd,cd->cn", inputs[batch], weight)
        (residual**2 / (2 * NOISE_VARIANCE)).mean(dim=1).sum().backward()
        optimizer.step()
    return weight.detach().double().numpy()


def z_scores(drawn, mean, covariance):
    errors = np.sqrt(np.diag(covariance) / CHAINS)
    ratio = drawn.var(0) / np.diag(covariance)
    return np.abs(np.append((drawn.mean(0) - mean) / errors, (ratio - 1) / np.sqrt(2 / CHAINS)))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_mean_and_covariance_of_minibatch_chains_are_exact(name):
    x, y = data()
    mean, covariance = exact(x, y, ALGORITHMS[name].recursion(1 / POINTS))
    assert z_scores(draws(name, x, y, mean), mean, covariance).max() < 5


def test_batches_without_replacement_have_less_noise():
    """The factor (N - n)/(N - 1); with it dropped the same chains are rejected."""
    x, y = data()
    recursion = linear.langevin(0.35, 1 / POINTS)
    mean, covariance = exact(x, y, recursion, (POINTS - BATCH) / (POINTS - 1))
    drawn = draws("SGLD", x, y, mean, batches=without_replacement, steps=80, lr=0.35)
    assert z_scores(drawn, mean, covariance).max() < 5
    assert z_scores(drawn, *exact(x, y, recursion)).max() > 5


@pytest.mark.parametrize("change", [{"num_data": BATCH}, {"weight_decay": 0.0}, {"temperature": 2}])
def test_wrong_scales_are_rejected(change):
    """Negative controls: the batch's size for the data's, no prior, another temperature."""
    x, y = data()
    mean, covariance = exact(x, y, ALGORITHMS["SGLD"].recursion(1 / POINTS))
    assert z_scores(draws("SGLD", x, y, mean, **change), mean, covariance).max() > 5


def test_the_exact_covariance_reproduces_the_reference():
    """Without batches and for small steps it is the posterior's."""
    x, y = data()
    _, covariance = exact(x, y, linear.langevin(1e-6, 1 / POINTS))
    posterior = np.linalg.inv(np.eye(DIM) / PRIOR_VARIANCE + x.T @ x / NOISE_VARIANCE)
    np.testing.assert_allclose(covariance, posterior, rtol=1e-4, atol=1e-7)
