"""Entropy, mutual information, detection of other data, agreement, and adaptive bins, against
closed forms and peer libraries."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.metrics import roc_auc_score

from samplers import metrics

pytestmark = pytest.mark.law


def dirichlet(*shape, classes=4, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(classes), shape))


def test_entropy_agrees_with_scipy_and_knows_zero():
    p = dirichlet(7, 20)
    np.testing.assert_allclose(metrics.entropy(p), scipy.stats.entropy(p.numpy(), axis=-1))
    assert metrics.entropy(torch.tensor([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx(
        [0.0, math.log(2)]
    )


def test_mutual_information_is_a_mean_divergence():
    """I = 1/S Σ_s KL(p_s ‖ p̄), by scipy's relative entropy."""
    each = dirichlet(9, 30)
    mean = each.mean(0)
    expected = scipy.stats.entropy(each.numpy(), mean.numpy()[None], axis=-1).mean(0)
    found = metrics.mutual_information(mean, metrics.entropy(each).mean(0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_samples_that_agree_tell_nothing_and_opposed_ones_one_bit():
    alike = dirichlet(1, 50).expand(5, -1, -1)
    assert np.all(metrics.mutual_information(alike.mean(0), metrics.entropy(alike).mean(0)) < 1e-14)
    assert np.all(metrics.mutual_information(alike.mean(0), metrics.entropy(alike).mean(0)) >= 0)
    opposed = torch.eye(2)[:, None]
    found = metrics.mutual_information(opposed.mean(0), metrics.entropy(opposed).mean(0))
    assert found == pytest.approx([math.log(2)])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sizes", [(300, 200), (1, 5), (40, 1)])
def test_auroc_agrees_with_scikit_learn(sizes, ties):
    rng = np.random.default_rng(3)
    low, high = rng.normal(0, 1, sizes[0]), rng.normal(0.5, 1, sizes[1])
    if ties:
        low, high = low.round(), high.round()
    labels = np.repeat([0, 1], sizes)
    expected = roc_auc_score(labels, np.concatenate([low, high]))
    assert metrics.ood_auroc(low, torch.from_numpy(high)) == pytest.approx(expected, rel=1e-12)


def test_auroc_of_separated_and_equal_scores():
    assert metrics.ood_auroc([0, 1, 2], [3, math.inf]) == 1
    assert metrics.ood_auroc([3.0], [1.0, 2.0]) == 0
    assert metrics.ood_auroc(np.zeros(5), np.zeros(7)) == 0.5


def test_agreement_and_total_variation_by_hand():
    p = torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3]], dtype=torch.float64)
    q = torch.tensor([[0.5, 0.5], [0.6, 0.4], [0.7, 0.3]], dtype=torch.float64)
    assert metrics.agreement(p, q) == pytest.approx(2 / 3)
    assert metrics.total_variation(p, q) == pytest.approx((0.1 + 0.5 + 0) / 3)
    assert metrics.total_variation(torch.eye(2), torch.eye(2).flip(1)) == 1
    assert (metrics.agreement(p, p), metrics.total_variation(p, p)) == (1, 0)


@pytest.mark.parametrize("n, bins", [(60, 15), (61, 15), (7, 15), (1, 3), (100, 1)])
def test_adaptive_bins_hold_equally_many_points(n, bins):
    p = dirichlet(n)
    counts = metrics.reliability(
        p, torch.zeros(n, dtype=torch.long), metrics.adaptive_edges(p, bins)
    ).points
    assert counts.sum() == n
    assert len(counts) == min(n, bins)
    assert counts.max() - counts.min() <= 1


def test_equal_confidences_share_an_adaptive_bin_and_one_is_among_them():
    top = torch.tensor([1.0] * 40 + [0.75] * 20 + [0.5] * 3, dtype=torch.float64)
    p = torch.stack([top, 1 - top], dim=1)
    edges = metrics.adaptive_edges(p, 10)
    counts = metrics.reliability(p, torch.zeros(63, dtype=torch.long), edges).points
    assert list(counts) == [20 + 3, 40]
    assert metrics.ece(p, torch.zeros(63, dtype=torch.long), edges) == pytest.approx(
        (20 * 0.25 + 3 * 0.5) / 63
    )
    sure = torch.tensor([[1.0, 0.0]] * 4)
    assert metrics.ece(sure, torch.tensor([0, 0, 0, 1]), metrics.adaptive_edges(sure)) == 0.25


def test_adaptive_ece_by_sorting():
    """The same from groups of a sorted array, where no two confidences are equal."""
    p, y = dirichlet(90, seed=5), torch.from_numpy(np.random.default_rng(6).integers(0, 4, 90))
    top, hit = p.max(1).values.numpy(), (p.argmax(1) == y).numpy()
    groups = np.argsort(top).reshape(15, 6)
    expected = np.mean([abs(top[g].mean() - hit[g].mean()) for g in groups])
    assert metrics.ece(p, y, metrics.adaptive_edges(p)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: metrics.entropy(torch.tensor([2.0, -1.0])), "logits"),
        (lambda: metrics.mutual_information(dirichlet(3), torch.zeros(2)), "expected_entropy"),
        (lambda: metrics.ood_auroc([], [1.0]), "0 inside"),
        (lambda: metrics.ood_auroc([math.nan], [1.0]), "NaN in 1"),
        (lambda: metrics.agreement(dirichlet(3), dirichlet(4)), r"\(3, 4\).*\(4, 4\)"),
        (lambda: metrics.total_variation(dirichlet(0), dirichlet(0)), "n >= 1"),
        (lambda: metrics.adaptive_edges(dirichlet(3), 0), "bins=0"),
        (lambda: metrics.adaptive_edges(dirichlet(0)), "0 points"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
