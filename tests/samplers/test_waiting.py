"""Law: a step looks at a device's numbers once, however many parameters there are; what it counts
may stay there, and is read where somebody asks."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from samplers import SGLD, Precision
from samplers.state import take_over
from samplers.steps import Draw


class Looks(TorchDispatchMode):
    """Counts tensors that become Python numbers, which waits where they are on a device."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.found += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def sampler(parameters: int, accumulator: str, dtype: torch.dtype = torch.float32) -> SGLD:
    held = [torch.nn.Parameter(torch.full((5,), 0.25, dtype=dtype)) for _ in range(parameters)]
    for param in held:
        param.grad = torch.full_like(param, 0.01)
    formats = () if accumulator == "full" else ("fixed<8,6>", "fixed<8,6>")
    return SGLD(held, 0.1, num_data=10, precision=Precision(*formats, accumulator=accumulator))


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
def test_one_look_a_step(accumulator):
    optimizer = sampler(30, accumulator)
    for step in range(1, 9):
        with Looks() as looks:
            optimizer.step()
        seldom = step & (step - 1) == 0  # at whether weights have moved, while some have not
        assert looks.found == 1 or step == 1 or (seldom and accumulator != "full")


def test_gradients_of_several_dtypes_are_looked_at_together():
    optimizer = sampler(2, "full")
    for dtype in (torch.float64, torch.bfloat16):
        optimizer.add_param_group(sampler(2, "full", dtype).param_groups[0])
    optimizer.step()
    with Looks() as looks:
        optimizer.step()
    assert looks.found == 3


def test_counts_of_a_device_are_added_there_and_saved_as_numbers():
    optimizer = sampler(1, "low")
    (param,) = optimizer.param_groups[0]["params"]
    state = optimizer.state[param]
    for _ in range(3):
        values = param.detach().clone()
        with torch.no_grad(), Looks() as looks:
            take_over(param, state, Draw(values, values, torch.tensor(2), torch.tensor(1)))
        assert looks.found <= 1  # at whether weights have moved
    assert isinstance(state["deficit"], torch.Tensor)
    assert optimizer.counters() == (20, 6 / 20, 3 / 20, 1.0)  # the first 5 are the initial values
    saved = optimizer.state_dict()["state"][0]
    assert (saved["deficit"], saved["saturated"]) == (6, 3)
    assert all(type(saved[name]) is int for name in ("deficit", "saturated"))


@pytest.mark.parametrize(
    "precision",
    [Precision()]
    + [Precision("fixed<8,6>", "e4m3", a) for a in ("full", "low", "variance_corrected")],
    ids=str,
)
def test_steps_of_one_pass_write_where_parameters_and_accumulators_lie(precision):
    """And give the bits of steps that do not, as those of parameters in another order of memory."""
    begin = torch.linspace(-0.9, 0.9, 4096).reshape(64, 64)
    there, turned = (torch.nn.Parameter(v) for v in (begin.clone(), begin.t().contiguous().t()))
    optimizers = [SGLD([p], 0.1, num_data=2, precision=precision) for p in (there, turned)]
    for _ in range(70):  # until every weight has moved: none is looked at before a step then
        for param, optimizer in zip((there, turned), optimizers, strict=True):
            param.grad = 0.1 * begin
            held = optimizer.state[param].get("accumulator", param)
            places = param.data_ptr(), held.data_ptr()
            optimizer.step()
            held = optimizer.state[param].get("accumulator", param)
            if param is there:
                assert (param.data_ptr(), held.data_ptr()) == places
    assert optimizers[0].state[there]["still"] == 0
    assert torch.equal(there, turned)
    assert optimizers[0].counters() == optimizers[1].counters()
