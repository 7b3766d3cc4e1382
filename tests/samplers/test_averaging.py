"""Averages that are kept while samples come, and what a store of samples predicts."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch.optim.swa_utils import update_bn

from samplers import PredictiveAverage, SampleStore, metrics, predictive
from samplers.norms import refresh_norms

pytestmark = pytest.mark.law


def log_predictions(samples=9, n=40, classes=5):
    rng = np.random.default_rng(0)
    return torch.log_softmax(torch.from_numpy(3 * rng.standard_normal((samples, n, classes))), 2)


def averaged(predictions):
    average = PredictiveAverage()
    for log_p in predictions:
        average.add(log_p)
    return average


def test_streaming_is_the_batch():
    log_p = log_predictions()
    p = log_p.exp().numpy()
    average = averaged(log_p)
    np.testing.assert_allclose(average.probabilities, p.mean(0), rtol=1e-12)
    np.testing.assert_allclose(average.expected_entropy, entropy(p, axis=2).mean(0), rtol=1e-12)


def test_memory_does_not_grow_and_a_state_goes_on():
    log_p = log_predictions()
    average = averaged(log_p[:4])
    size = sum(t.nbytes for t in average.state_dict().values() if isinstance(t, torch.Tensor))
    again = PredictiveAverage()
    again.load_state_dict(copy.deepcopy(average.state_dict()))
    for one in log_p[4:]:
        again.add(one)
        average.add(one)
    assert size == sum(t.nbytes for t in again.state_dict().values() if isinstance(t, torch.Tensor))
    assert torch.equal(again.probabilities, averaged(log_p).probabilities)
    assert torch.equal(again.expected_entropy, average.expected_entropy)


def test_a_buffer_that_is_filled_anew_does_not_change_the_average():
    log_p = log_predictions()
    buffer, average = torch.empty_like(log_p[0]), PredictiveAverage()
    for one in log_p:
        average.add(buffer.copy_(one))
    assert torch.equal(average.probabilities, averaged(log_p).probabilities)


def test_classes_without_probability_stay_finite():
    average = averaged(torch.eye(3)[None].log())
    assert torch.equal(average.probabilities, torch.eye(3, dtype=torch.float64))
    assert torch.equal(average.expected_entropy, torch.zeros(3, dtype=torch.float64))


def test_bad_predictions_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        _ = PredictiveAverage().probabilities
    with pytest.raises(ValueError, match=r"\(40, 4\).*\(40, 5\)"):
        averaged([log_predictions()[0], log_predictions(classes=4)[0]])


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 6),
        torch.nn.BatchNorm1d(6, momentum=0.3),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.5),
        torch.nn.BatchNorm1d(6, track_running_stats=False, affine=False),
        torch.nn.Linear(6, 3),
    )


@pytest.fixture
def case(tmp_path):
    """A model, a store of samples of it, test points, and training batches."""
    model, store = network(), SampleStore(tmp_path / "store")
    for step in range(5):
        store.append(
            {
                k: v + 0.1 * step if v.is_floating_point() else v
                for k, v in model.state_dict().items()
            },
            step=step,
        )
    x, y = torch.randn(30, 4), torch.randint(3, (30,))
    return model, store, (x, y), [(torch.randn(8, 4) + 1, torch.zeros(8)) for _ in range(4)]


def test_a_store_predicts_as_its_samples_do(case):
    model, store, data, _ = case
    found, listed = predictive(model, store, data), predictive(model, list(store), data)
    assert all(torch.equal(a, b) for a, b in zip(found, listed, strict=True))
    each = torch.stack([predictive(model, [sample], data).probabilities for sample in store])
    torch.testing.assert_close(found.probabilities, each.mean(0), rtol=1e-12, atol=0)
    expected = metrics.entropy(found.probabilities) - metrics.entropy(each).mean(0)
    np.testing.assert_allclose(found.mutual_information, expected, rtol=1e-6, atol=1e-12)
    assert float(found.mutual_information.max()) > 1e-4
    assert predictive(model, store[1:3], data).log_likelihoods.shape == (2, 30)


def test_refreshed_norms_are_those_of_update_bn(case):
    """torch's own routine on a copy of each sample; dropout off, as it is in refresh_norms."""
    model, store, data, training = case
    expected = []
    for sample in store:
        one = copy.deepcopy(model)
        one.load_state_dict(sample)
        one[3].p = 0.0
        update_bn([x for x, _ in training], one)
        expected.append(torch.log_softmax(one.eval()(data[0]).double(), 1).exp())
    before = copy.deepcopy(model.state_dict())
    found = predictive(model, store, data, refresh=training)
    torch.testing.assert_close(
        found.probabilities, torch.stack(expected).mean(0), rtol=1e-6, atol=1e-9
    )
    stale = predictive(model, store, data)
    assert float((found.probabilities - stale.probabilities).abs().max()) > 0.01
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model.training, model[1].momentum) == (True, 0.3)


def test_parameters_alone_can_be_refreshed_too(case):
    model, store, data, training = case
    names = {name for name, _ in model.named_parameters()}
    alone = [{k: v for k, v in sample.items() if k in names} for sample in store]
    a, b = (predictive(model, s, data, refresh=training) for s in (alone, store))
    assert torch.equal(a.probabilities, b.probabilities)


@pytest.mark.parametrize("name", ["data", "refresh"])
def test_iterators_that_end_after_the_first_sample_are_refused(case, name):
    """Without their batches the norms of the second sample would stay at mean 0, variance 1."""
    model, store, data, training = case
    given = {"data": [data], "refresh": training}
    once = given | {name: (batch for batch in given[name])}
    with pytest.raises(ValueError, match=rf"{name} is a generator.*read once.*DataLoader"):
        predictive(model, store, **once)
    single, listed = (predictive(model, store[:1], **g) for g in (once, given))
    assert torch.equal(single.probabilities, listed.probabilities)


class Draining:
    """Batches that are gone after the first reading, though this is no iterator itself."""

    def __init__(self, batches):
        self._left = iter(batches)

    def __iter__(self):
        return self._left


@pytest.mark.parametrize("batches", [[], Draining([(torch.ones(8, 4), torch.zeros(8, dtype=int))])])
@pytest.mark.parametrize("name", ["data", "refresh"])
def test_no_batch_is_refused(case, name, batches):
    model, store, data, training = case
    with pytest.raises(ValueError, match=rf"^{name} gave no batch.*a list"):
        predictive(model, store, **({"data": data, "refresh": training} | {name: batches}))


def test_norms_without_batches_leave_the_tensors_alone(case):
    model, store, _, _ = case
    tensors = dict(store[0])
    with pytest.raises(ValueError, match="batches gave no batch"):
        refresh_norms(model, tensors, [])
    assert all(torch.equal(value, store[0][name]) for name, value in tensors.items())


def test_a_model_with_tied_weights(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    model[1].weight = model[0].weight
    store = SampleStore(tmp_path)
    store.append({k: v + 1 for k, v in model.state_dict().items()})
    x, y = torch.randn(5, 3), torch.zeros(5, dtype=torch.long)
    found = predictive(model, store, (x, y)).probabilities
    model.load_state_dict(store[0])
    torch.testing.assert_close(found, torch.softmax(model(x).double(), 1), rtol=1e-6, atol=1e-9)


def test_samples_of_another_model_are_refused(case, tmp_path):
    model, store, data, _ = case
    sample = store[0]
    with pytest.raises(
        ValueError, match=r"'0.weight' of sample 1 has shape \(5, 4\), in the model \(6, 4\)"
    ):
        predictive(model, [sample, sample | {"0.weight": torch.zeros(5, 4)}], data)
    with pytest.raises(ValueError, match=r"sample 0 holds \['head'\], which the model lacks"):
        predictive(model, [sample | {"head": torch.zeros(1)}], data)
    with pytest.raises(ValueError, match=r"no samples came in .*none"):
        predictive(model, SampleStore(tmp_path / "none"), data)


def test_logits_and_probabilities_are_refused():
    """Each gave numbers that look like a prediction."""
    average = PredictiveAverage()
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    average.add(logits.log_softmax(dim=1))
    before = average.probabilities
    for wrong in (logits, logits.softmax(dim=1), torch.tensor([[0.0, 1.0, 0.0]])):
        with pytest.raises(ValueError, match=r"write torch.log_softmax\(logits, dim=1\)"):
            average.add(wrong)
    assert torch.equal(average.probabilities, before)
    assert average.samples == 1
