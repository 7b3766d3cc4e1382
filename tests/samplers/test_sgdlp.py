"""The control without noise: SGD with the samplers' quantizers."""

import pytest
import torch

from samplers import SGDLP, CosineCycles, Precision
from tests.samplers.algorithms import ALGORITHMS
from tests.samplers.conduct import FMT, give_gradients, parameters

pytestmark = pytest.mark.law


@pytest.mark.parametrize("accumulator", ["full", "low"])
def test_the_control_is_sgd_with_the_samplers_quantizers(accumulator):
    ours, theirs = parameters((400,), (400,))
    precision = Precision(FMT, FMT, accumulator)
    control = SGDLP([ours], 0.1, precision=precision, seed=3, weight_decay=0.01)
    sampler = ALGORITHMS["SGLD"].build(
        [theirs],
        lr=0.1,
        num_data=9,
        temperature=0.0,
        precision=precision,
        seed=3,
        weight_decay=0.01,
    )
    for _ in range(5):
        give_gradients([ours, theirs], 0.07)
        control.step()
        sampler.step()
    assert torch.equal(ours, theirs)
    assert "control without noise" in control.describe()
    assert "minimises L(θ) + 0.005·‖θ‖²" in control.describe()


def test_the_control_is_torch_sgd_in_full_precision_and_cycles():
    ours, theirs = parameters((40,), (40,))
    control, sgd = (
        SGDLP([ours], 0.1, weight_decay=0.1),
        torch.optim.SGD([theirs], 0.1, weight_decay=0.1),
    )
    cycles = CosineCycles(control, 10, 2, exploration=0.5)
    for _ in range(10):
        give_gradients([ours, theirs], 0.07)
        sgd.param_groups[0]["lr"] = control.param_groups[0]["lr"]
        control.step()
        sgd.step()
        cycles.step()
    assert torch.equal(ours, theirs)


def test_the_control_refuses_noise_and_corrections():
    with pytest.raises(ValueError, match='write "low"'):
        SGDLP(parameters((3,)), 0.1, precision=Precision(FMT, None, "variance_corrected"))
    with pytest.raises(ValueError, match=r"samplers\.SGLD"):
        SGDLP([{"params": parameters((3,)), "temperature": 1.0}], 0.1)
