"""What every sampler refuses or warns of, before anything has moved."""

import math
import warnings

import pytest
import torch

from samplers import Precision
from tests.samplers.algorithms import ALGORITHMS, CASES
from tests.samplers.conduct import FMT, NAMES, build, contents, give_gradients, parameters


@pytest.mark.parametrize("name, accumulator", CASES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_gradients_that_are_not_finite_end_the_step_before_anything_moved(name, accumulator, bad):
    first, second = parameters((5,), (6,))
    named = [("body.weight", first), ("head.bias", second)]
    optimizer = build(name, named, precision=Precision(FMT, None, accumulator))
    give_gradients([first, second])
    optimizer.step()
    before = contents(optimizer, [first, second])
    counts = optimizer.counters()
    second.grad[3] = bad
    with pytest.raises(ValueError, match=r"'head.bias'.*step 1 holds 1 of 6 elements"):
        optimizer.step()
    after = contents(optimizer, [first, second])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert optimizer.counters() == counts
    assert optimizer.state[first]["step"] == 1


def test_large_finite_gradients_whose_sum_overflows_are_taken():
    (weight,) = parameters((8,))
    optimizer = build("SGLD", [weight], lr=1e-30)
    give_gradients([weight], 3e38)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        optimizer.step()
    assert optimizer.state[weight]["step"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_grad_scalers_are_refused(name):
    (weight,) = parameters((3,))
    optimizer = build(name, [weight])
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(weight.mean() / 9).backward()
    with pytest.raises(TypeError, match=r"GradScaler.*bfloat16"):
        scaler.step(optimizer)
    assert torch.equal(weight, torch.full((3,), 0.25))
    weight.grad /= scaler.get_scale()  # as the message says
    optimizer.step()
    assert optimizer.state[weight]["step"] == 1


@pytest.mark.parametrize("name, accumulator", CASES)
def test_a_state_of_other_shapes_is_refused_before_anything_is_loaded(name, accumulator):
    precision = Precision(FMT, None, accumulator)
    flat, square = parameters((4,), (2, 4))
    one = build(name, [flat], lr=0.1, precision=precision)
    other = build(name, [square], lr=0.2, precision=precision)
    before = contents(other, [square])
    with pytest.raises(ValueError, match=r"parameter 0 has shape \(4,\).*wanted shape \(2, 4\)"):
        other.load_state_dict(one.state_dict())
    after = contents(other, [square])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert other.param_groups[0]["lr"] == 0.2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change, message",
    [
        ({"lr": -1.0}, "lr=-1.0"),
        ({"lr": math.nan}, "lr=nan"),
        ({"num_data": 0}, "num_data=0"),
        ({"temperature": -1}, "temperature=-1"),
        ({"weight_decay": math.inf}, "weight_decay=inf"),
        ({"seed": -1}, "seed=-1"),
        ({"chain": 1.5}, "chain=1.5"),
    ],
)
def test_options_out_of_their_domain_are_refused(name, change, message):
    with pytest.raises(ValueError, match=message):
        build(name, parameters((3,)), **change)


@pytest.mark.parametrize("name", NAMES)
def test_num_data_is_required(name):
    with pytest.raises(TypeError, match="num_data"):
        ALGORITHMS[name].build(parameters((3,)))


@pytest.mark.parametrize("name", NAMES)
def test_unfit_parameters_and_gradients_are_refused(name):
    with pytest.raises(TypeError, match=r"complex64.*view_as_real"):
        build(name, [torch.nn.Parameter(torch.ones(3, dtype=torch.complex64))])
    with pytest.raises(TypeError, match="Precision"):
        build(name, parameters((3,)), precision="e4m3")
    with pytest.raises(TypeError, match="Precision"):
        build(name, [{"params": parameters((3,)), "precision": "e4m3"}])
    with pytest.raises(ValueError, match="maximize"):
        build(name, [{"params": parameters((3,)), "maximize": True}])
    with pytest.raises(TypeError, match="sparse"):
        build(name, [torch.nn.Parameter(torch.eye(3).to_sparse())])
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = build(name, table.parameters())
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match=r"sparse.*to_dense"):
        optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_looks_summed_is_warned_of_once(name):
    weight = torch.nn.Parameter(torch.full((50,), 0.1))
    optimizer = build(name, [weight], temperature=0.0)
    give_gradients([weight], 300.0)
    with pytest.warns(UserWarning, match='summed over the batch.*reduction="mean"') as seen:
        optimizer.step()
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    other = torch.nn.Parameter(torch.full((50,), 0.1))

    def closure():
        other.grad = torch.zeros_like(other)
        return torch.tensor(640.0)

    with pytest.warns(UserWarning, match="first loss is 640"):
        build(name, [other]).step(closure)


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_losses_are_not_warned_of(name):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    optimizer = build(name, model.parameters())
    x, y = torch.randn(64, 20), torch.randint(10, (64,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_group_leaves_the_optimizer_as_it_was(name):
    first, second = parameters((3,), (4,))
    optimizer = build(name, [first])
    with pytest.raises(ValueError, match="lr=-1"):
        optimizer.add_param_group({"params": [second], "lr": -1})
    give_gradients([first, second])
    optimizer.step()
    assert len(optimizer.param_groups) == 1
    assert torch.equal(second, torch.full((4,), 0.25))
    optimizer.add_param_group({"params": [second]})
    assert second in optimizer.state


@pytest.mark.parametrize("name, accumulator", CASES)
def test_weights_that_the_dtype_lacks_end_the_step_before_anything_moved(name, accumulator):
    """float16 has no values below 2**-24; blocks whose weights shrink reach far below."""
    first = torch.nn.Parameter(torch.ones(8))
    second = torch.nn.Parameter(torch.full((32,), 2.0**-10, dtype=torch.float16))
    precision = Precision("mxfp8_e4m3", accumulator=accumulator)
    small = {"params": [second], "precision": precision, "weight_decay": 0.7}
    optimizer = build(name, [{"params": [first]}, small], temperature=0.0)
    before = []

    def shrink():
        for _ in range(400):
            give_gradients([first], 0.1)
            give_gradients([second], 0.0)
            before[:] = contents(optimizer, [first, second])
            optimizer.step()

    with pytest.raises(ValueError, match=r"parameter 1 has dtype torch.float16, which cannot hold"):
        shrink()
    after = contents(optimizer, [first, second])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert optimizer.state[first]["step"] == optimizer.state[second]["step"]
