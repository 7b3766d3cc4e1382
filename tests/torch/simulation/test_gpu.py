"""Law: on a GPU exact products of a simulation have the CPU's bits, forward and backward. Skipped
where no GPU is.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import numformats as nf
from numformats.torch import simulate
from tests.torch.simulation.stored_products import error, leaf
from tests.torch.simulation.test_on_device import HOST, THERE

CUDA = [name for name in ("cupy_cuda", "numba_cuda") if nf.backends()[name].available]
pytestmark = pytest.mark.skipif(
    not (CUDA and torch.cuda.is_available()), reason="no CUDA device: see numformats backends"
)
CALLS: dict[str, tuple[Any, Any, Any, Any]] = {  # without sums that torch orders in its own way
    "linear": (F.linear, (5, 64), (7, 64), (5, 7)),
    "bmm": (torch.bmm, (2, 5, 64), (2, 64, 7), (2, 5, 7)),
    "conv2d": (F.conv2d, (2, 4, 6, 6), (8, 4, 3, 3), (2, 8, 4, 4)),
}


@pytest.mark.parametrize("chip", [*THERE, *HOST[:-1]])  # the last one trains in torch's sums
@pytest.mark.parametrize("name", CALLS)
def test_device_and_host_agree(name: str, chip: str) -> None:
    call, *shapes = CALLS[name]
    results = []
    for place in ("cpu", "cuda"):
        x, w = leaf(*shapes[0]), leaf(*shapes[1], seed=1, parameter=name != "bmm")
        a, b = (v.detach().to(place).requires_grad_() for v in (x, w))
        weight: Any = b if name == "bmm" else torch.nn.Parameter(b.detach())
        with simulate(chip):
            y = call(a, weight)
        y.backward(error(*shapes[2]).to(place))
        results.append([v.cpu() for v in (y.detach(), a.grad, weight.grad)])
        assert y.device.type == place
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)
