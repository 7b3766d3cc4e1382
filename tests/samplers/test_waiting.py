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
