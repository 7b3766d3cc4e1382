"""Laws of SGLD in full precision: exact reductions and closed forms.

False alarms: 5 standard errors (6e-7) a comparison; below 2e-5 for the file. Seeds are fixed.
"""

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.langevin_tasks import NOISE
from samplers import SGLD, Precision
from samplers.state import parameter_key

pytestmark = pytest.mark.law


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


def test_known_gradient_noise_can_be_taken_from_the_injected():
    """With T - lr·σ²·N/2 for T the noise of a step is 2·lr·T/N again, and the law that of exact
    gradients; 5 standard errors (6e-7)."""
    lr, sigma, num_data, coordinates = 0.2, 0.4, 4, 50_000
    weight = torch.nn.Parameter(torch.zeros(coordinates))
    optimizer = SGLD([weight], lr, num_data=num_data, temperature=1 - lr * sigma**2 * num_data / 2)
    for noise in gradients(60, (coordinates,)):
        weight.grad = weight.detach() + sigma * noise
        optimizer.step()
    expected = 1 / num_data / (1 - lr / 2)
    assert abs(float(weight.detach().var()) / expected - 1) < 5 * (2 / coordinates) ** 0.5


def bias(lr, coordinates=20_000):
    """Var θ - 1 on the standard normal, and its standard error; a chain with the exact transitions
    of the same noise takes most of the error away.
    """
    weight, exact = torch.nn.Parameter(torch.zeros(coordinates)), np.zeros(coordinates)
    optimizer, key = SGLD([weight], lr, num_data=1), parameter_key(0, 0, 0)
    rows = []
    for k in range(round(12 / lr)):
        weight.grad = weight.detach().clone()
        noise = nf.random.normal((coordinates,), key.fold(k).fold(NOISE))
        optimizer.step()
        exact = np.exp(-lr) * exact + np.sqrt(-np.expm1(-2 * lr)) * noise
        if k * lr >= 4 and k % max(1, round(1 / lr)) == 0:
            rows.append(weight.detach().double().numpy() ** 2 - exact**2)
    each = np.mean(rows, axis=0)
    return each.mean(), each.std() / coordinates**0.5


def test_bias_is_of_first_order_in_the_step_size():
    """Slope 1.0 ± 0.1 in log-log, and each bias 1/(1 - lr/2) - 1."""
    rates = np.array([0.04, 0.08, 0.16])
    found, errors = np.array([bias(lr) for lr in rates]).T
    assert np.all(np.abs(found - (1 / (1 - rates / 2) - 1)) < 5 * errors + 1e-4)
    assert np.polyfit(np.log(rates), np.log(found), 1)[0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("lr", [0.1, 0.2])
def test_correlation_decays_by_one_minus_the_step_size(lr):
    """Autocorrelation (1 - lr)^k: half the step size, half the effective samples a step."""
    coordinates = 50_000
    weight = torch.nn.Parameter(torch.zeros(coordinates))
    optimizer, states = SGLD([weight], lr, num_data=1), []
    for _ in range(90):
        weight.grad = weight.detach().clone()
        optimizer.step()
        states.append(weight.detach().clone())
    for lag in (1, 3, 10):
        found = float(torch.corrcoef(torch.stack([states[-1 - lag], states[-1]]))[0, 1])
        assert abs(found - (1 - lr) ** lag) < 5 / coordinates**0.5
