"""Scores on hand-made predictions, and their laws."""

import math

import numpy as np
import pytest
import torch

from samplers import metrics

pytestmark = pytest.mark.law


def random_case(n=400, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.dirichlet(np.ones(classes), n)), torch.from_numpy(
        rng.integers(0, classes, n)
    )


def test_scores_of_a_hand_made_table():
    p, y = torch.tensor([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]), torch.tensor([0, 0, 1])
    assert metrics.accuracy(p, y) == pytest.approx(1 / 3)
    assert metrics.error(p, y) == pytest.approx(2 / 3)
    assert metrics.nll(p, y) == pytest.approx(-math.log(0.8 * 0.4 * 0.5) / 3, rel=1e-6)
    assert metrics.brier(p, y) == pytest.approx((0.08 + 0.72 + 0.5) / 3, rel=1e-6)


@pytest.mark.parametrize(
    "confidence, first, edge_bin",
    [(1.0, 0, 9), (0.9, 0, 8), (0.90001, 0, 9), (0.1, 0, 0), (0.1, 1, 0)],
)
def test_bins_are_closed_on_the_right_and_hold_both_ends(confidence, first, edge_bin):
    p = torch.full((1, 20), (1 - confidence) / 19, dtype=torch.float64)
    p[0, 0] = confidence
    edges = np.arange(first, 11) / 10
    assert metrics.reliability(p, torch.tensor([0]), edges).points.argmax() == edge_bin


def test_ece_of_hand_made_bins():
    p = torch.tensor([[0.95, 0.05]] * 4 + [[0.65, 0.35]] * 6, dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 1] + [0] * 3 + [1] * 3)
    assert metrics.ece(p, y) == pytest.approx((4 * 0.2 + 6 * 0.15) / 10)
    assert metrics.ece(p, y, metrics.papers_edges()) == pytest.approx(0.17)
    assert metrics.ece(torch.tensor([[1.0, 0.0]]), torch.tensor([0])) == 0


def test_ece_agrees_with_digitize_on_the_papers_edges():
    p, y = random_case()
    top, hit = p.max(1).values.numpy(), (p.argmax(1) == y).numpy()
    index = np.digitize(top, np.linspace(0, 1, 10), right=True)
    gaps = [
        abs(top[index == b].mean() - hit[index == b].mean()) * (index == b).mean()
        for b in set(index)
    ]
    assert metrics.ece(p, y, metrics.papers_edges()) == pytest.approx(sum(gaps))


def test_brier_is_calibration_plus_refinement_for_two_classes():
    """Brier = E(p - P(y|p))² + E P(1 - P), twice for two classes, over the distinct values of p."""
    rng = np.random.default_rng(0)
    values = rng.choice([0.1, 0.4, 0.8], 3000)
    y = (rng.random(3000) < 0.5).astype(int)
    parts = 0.0
    for v in set(values):
        rate = y[values == v].mean()
        parts += (values == v).mean() * ((v - rate) ** 2 + rate * (1 - rate))
    p = torch.from_numpy(np.stack([1 - values, values], axis=1))
    assert metrics.brier(p, torch.from_numpy(y)) == pytest.approx(2 * parts)


def test_an_impossible_label_has_infinite_nll():
    assert metrics.nll(torch.tensor([[1.0, 0.0]]), torch.tensor([1])) == math.inf


@pytest.mark.parametrize(
    "p, y, message",
    [
        (torch.ones(3) / 3, torch.tensor([0]), "shape"),
        (torch.ones(3, 2) / 2, torch.tensor([0, 1]), "shape"),
        (torch.ones(0, 2), torch.zeros(0, dtype=torch.long), "n >= 1"),
        (torch.tensor([[2.0, -1.0]]), torch.tensor([0]), "logits"),
        (torch.tensor([[math.nan, 1.0]]), torch.tensor([0]), "softmax"),
        (torch.tensor([[0.5, 0.5], [0.4, 0.4]]), torch.tensor([0, 0]), r"sum to 0\.8, not 1"),
        (torch.tensor([[0.5, 0.5]]), torch.tensor([2]), "labels"),
        (torch.tensor([[0.5, 0.5]]), torch.tensor([0.0]), "labels"),
    ],
)
def test_bad_input_is_refused(p, y, message):
    with pytest.raises(ValueError, match=message):
        metrics.ece(p, y)


def test_bfloat16_scores_are_those_of_its_values():
    p = torch.tensor([[0.9, 0.1], [0.3, 0.7]]).bfloat16()
    y = torch.tensor([0, 1])
    wide = p.float().numpy().astype(np.float64)
    assert metrics.nll(p, y) == -np.log(wide[[0, 1], [0, 1]]).mean()
    np.testing.assert_array_equal(metrics.entropy(p), metrics.entropy(wide))


def test_adaptive_edges_ascend_where_confidences_round_above_one():
    p = torch.tensor([[1 + 1e-7], [1 + 5e-7], [1 + 9e-7]], dtype=torch.float64)
    assert metrics.adaptive_edges(p, 3).tolist() == [0.0, 1.0]
    mixed = torch.cat([torch.tensor([[0.5]], dtype=torch.float64), p])
    assert metrics.adaptive_edges(mixed, 4).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (3, 0)])
def test_adaptive_edges_refuse_other_shapes(shape):
    with pytest.raises(ValueError, match=rf"shape \({shape[0]},.*write \(n, classes\)"):
        metrics.adaptive_edges(torch.full(shape, 0.5))


@pytest.mark.parametrize("edges", [[0.0], [], [[0.0, 1.0]], [0.0, 0.6, 0.5, 1.0], [0.0, math.nan]])
def test_bad_edges_are_refused(edges):
    p, y = random_case(5)
    with pytest.raises(ValueError, match=r"edges=.*at least two, ascending"):
        metrics.ece(p, y, np.asarray(edges))
