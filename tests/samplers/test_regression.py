"""Bayesian linear regression with real mini-batches: the exact stationary mean and covariance.

Kills a missing N/n, a prior applied per batch, a wrong reduction of the loss. 20 000 chains, six
comparisons at 5
standard errors: a correct sampler fails with probability below 4e-6.
"""

import numpy as np
import torch

from samplers import SGLD

POINTS, BATCH, DIM, CHAINS = 60, 6, 3, 20_000
NOISE_VARIANCE, PRIOR_VARIANCE, LR = 0.5, 2.0, 0.15


def data():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(POINTS, DIM)) * [1.0, 0.8, 0.6]
    return x, x @ [0.5, -1.0, 0.3] + rng.normal(size=POINTS) * NOISE_VARIANCE**0.5


def exact(x, y):
    """Posterior mean, and the covariance of the chain: of the posterior, of the step size and of
    the batches."""
    precision = np.eye(DIM) / PRIOR_VARIANCE + x.T @ x / NOISE_VARIANCE
    mean = np.linalg.solve(precision, x.T @ y / NOISE_VARIANCE)
    step = LR / POINTS
    scale = POINTS / NOISE_VARIANCE
    curvatures = scale * x[:, :, None] * x[:, None, :]
    forces = scale * x * (y - x @ mean)[:, None]
    average = curvatures.mean(0)
    spread = np.mean([np.kron(a, a) for a in curvatures], axis=0) - np.kron(average, average)
    shrink = np.eye(DIM) - step * precision
    system = np.eye(DIM**2) - np.kron(shrink, shrink) - step**2 / BATCH * spread
    source = 2 * step * np.eye(DIM) + step**2 / BATCH * np.cov(forces.T, bias=True)
    return mean, np.linalg.solve(system, source.ravel()).reshape(DIM, DIM)


def test_mean_and_covariance_of_minibatch_chains_are_exact():
    x, y = data()
    mean, covariance = exact(x, y)
    inputs, targets = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    weight = torch.nn.Parameter(torch.from_numpy(mean).float().repeat(CHAINS, 1))
    decay = 1 / (POINTS * PRIOR_VARIANCE)
    optimizer = SGLD([weight], LR, num_data=POINTS, weight_decay=decay)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        optimizer.zero_grad()
        batch = torch.randint(POINTS, (CHAINS, BATCH), generator=generator)
        residual = targets[batch] - torch.einsum("cnd,cd->cn", inputs[batch], weight)
        (residual**2 / (2 * NOISE_VARIANCE)).mean(dim=1).sum().backward()
        optimizer.step()
    drawn = weight.detach().double().numpy()
    errors = np.sqrt(np.diag(covariance) / CHAINS)
    assert np.all(np.abs(drawn.mean(0) - mean) < 5 * errors)
    ratio = drawn.var(0) / np.diag(covariance)
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt(2 / CHAINS)), ratio
