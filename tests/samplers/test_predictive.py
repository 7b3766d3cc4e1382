"""Laws of the averaged prediction."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from samplers import metrics, predictive

pytestmark = pytest.mark.law


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.5))
    samples = [
        {"0.weight": torch.randn(3, 4, generator=generator) * 9, "0.bias": torch.randn(3)}
        for _ in range(7)
    ]
    x, y = torch.randn(50, 4, generator=generator), torch.randint(3, (50,), generator=generator)
    return model, samples, x, y


def test_probabilities_are_averaged_and_not_logits(case):
    model, samples, x, y = case
    logits = np.stack([x.numpy() @ s["0.weight"].numpy().T + s["0.bias"].numpy() for s in samples])
    each = softmax(logits.astype(np.float64), axis=2)
    got = predictive(model, samples, (x, y))
    np.testing.assert_allclose(got.probabilities, each.mean(0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        got.log_likelihoods, np.log(each[:, np.arange(50), y]), rtol=1e-4, atol=1e-4
    )
    assert got.probabilities.dtype == got.log_likelihoods.dtype == torch.float64


def test_averaging_lowers_the_mean_nll_of_the_samples(case):
    model, samples, x, y = case
    for part in (slice(0, 10), slice(10, 50)):
        got = predictive(model, samples, (x[part], y[part]))
        assert metrics.nll(got.probabilities, got.labels) <= float(-got.log_likelihoods.mean())


def test_order_of_samples_batches_and_streaming_do_not_matter(case):
    model, samples, x, y = case
    whole = predictive(model, samples, (x, y))
    batches = list(zip(x.split(16), y.split(16), strict=True))
    streamed = predictive(model, (s for s in reversed(samples)), batches)
    torch.testing.assert_close(whole.probabilities, streamed.probabilities, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(
        whole.log_likelihoods, streamed.log_likelihoods.flip(0), rtol=1e-6, atol=1e-6
    )


def test_extreme_logits_stay_finite(case):
    model, samples, x, y = case
    wild = [{k: v * 1e4 for k, v in s.items()} for s in samples]
    got = predictive(model, wild, (x, y))
    assert torch.isfinite(got.log_likelihoods).all()
    torch.testing.assert_close(got.probabilities.sum(1), torch.ones(50, dtype=torch.float64))


def test_model_comes_back_as_it_was(case):
    model, samples, x, y = case
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predictive(model, samples, (x, y))
    assert (model.training, model[0].training, model[1].training) == (True, False, True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Tied(torch.nn.Module):
    """One weight under two names."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_samples_of_other_dtypes_are_taken_in_the_models(case, dtype):
    model, samples, x, y = case
    others = [{name: value.to(dtype) for name, value in each.items()} for each in samples]
    model.load_state_dict(others[0])  # which casts
    one = predictive(model, [{}], (x, y))
    assert torch.equal(predictive(model, others[:1], (x, y)).probabilities, one.probabilities)


def test_a_tied_tensor_counts_under_each_of_its_names(case):
    """The second name alone was passed over, and the model's own weight predicted."""
    _, _, x, y = case
    model, weight = Tied(), torch.eye(4) / 2
    for sample in ({"first.weight": weight}, {"second.weight": weight}):
        got = predictive(model, [sample], (x, y)).probabilities
        hidden = np.tanh(x.numpy() @ weight.numpy() + model.first.bias.detach().numpy())
        logits = hidden @ weight.numpy() + model.second.bias.detach().numpy()
        np.testing.assert_allclose(got, softmax(logits, axis=1), rtol=1e-5)


def test_bad_input_is_refused(case):
    model, samples, x, y = case
    with pytest.raises(ValueError, match="batch 0 of data is a Tensor, no pair"):
        predictive(model, samples, [x, y])
    flat = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Flatten(0))
    with pytest.raises(ValueError, match=r"logits of shape \(50,\).*gives \(batch, classes\)"):
        predictive(flat, [flat.state_dict()], (x, y))
    with pytest.raises(ValueError, match="no samples"):
        predictive(model, [], (x, y))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 10, shuffle=True)
    with pytest.raises(ValueError, match="shuffle=False"):
        predictive(model, samples, loader)


def test_labels_that_do_not_fit_are_refused(case):
    model, samples, x, y = case
    with pytest.raises(ValueError, match=r"batch 0 of data has labels of shape \(7,\).*\(50, 3\)"):
        predictive(model, samples, (x, y[:7]))
    uneven = [(x[:20], y[:30]), (x[20:], y[30:])]  # as many in all
    with pytest.raises(ValueError, match=r"labels of shape \(30,\).*\(20, 3\)"):
        predictive(model, samples, uneven)
    with pytest.raises(TypeError, match=r"labels in batch 0 of data have dtype torch.float32"):
        predictive(model, samples, (x, y + 0.7))
    with pytest.raises(ValueError, match=r"labels of 0 to 3 for 3 classes"):
        predictive(model, samples, (x, torch.where(y == 2, 3, y)))
