"""The study of 25 Gaussians at a tenth of its length."""

import numpy as np
import pytest
import torch

from samplers.reproductions import grid25
from samplers.reproductions.grid25 import MEANS, VARIANCE, Settings, slope


def test_slope_is_the_gradient_of_the_negative_log_density():
    theta = torch.tensor([[0.3, -1.7], [4.4, 3.9]], dtype=torch.float64, requires_grad=True)
    squares = ((theta[:, None] - torch.from_numpy(MEANS).double()) ** 2).sum(-1)
    (-torch.logsumexp(squares / (-2 * VARIANCE), 1).sum()).backward()
    assert slope(theta.detach().numpy()) == pytest.approx(theta.grad.numpy(), rel=1e-5)


def test_a_mode_counts_within_three_standard_deviations():
    counts = np.zeros((3, 25), np.int64)
    places = MEANS[[3, 7, 9]] + np.float32([[0, 0.5], [0.53, 0], [0.1, -0.1]])
    grid25._count(places, counts)
    assert np.argwhere(counts).tolist() == [[0, 3], [2, 9]]


def test_cycles_find_many_modes_and_decaying_steps_few(tmp_path):
    """A tenth of the steps: 21 to 25 modes against 1 to 5 over three seeds of 16 chains; the bounds
    leave room for another stream."""
    outcome = grid25.run(Settings(steps=5_000, cycles=3), tmp_path)
    rows = {row[0]: row for row in outcome.rows}
    assert rows["cSGLD"][1] >= 15
    assert rows["SGLD"][3] <= 8
    assert [row[-1] for row in outcome.rows] == ["25", "few"]


def test_few_cycles_are_not_said_to_find_all(tmp_path):
    """Negative control."""
    outcome = grid25.run(Settings(steps=200, cycles=2), tmp_path)
    assert not outcome.claims[0].held
