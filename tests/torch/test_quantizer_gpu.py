"""Law: on a GPU a Quantizer gives the CPU's bits: values, gradients, state. Else skipped."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import numformats as nf
from tests.torch.written_out import CASES, DTYPES, made, run, sample

CUDA = [name for name in ("cupy_cuda", "numba_cuda") if nf.backends()[name].available]
pytestmark = pytest.mark.skipif(
    not (CUDA and torch.cuda.is_available()), reason="no CUDA device: see numformats backends"
)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_device_and_host_agree(case: str, dtype: Any, compiled: bool) -> None:
    torch._dynamo.reset()
    host = made(case)
    device = copy.deepcopy(host).cuda()
    call = torch.compile(device, fullgraph=True, backend="aot_eager") if compiled else device
    for step in range(3):
        x, g = sample((6, 40), step, dtype), sample((6, 40), 7 + step, dtype)
        pairs = zip(run(host, x, g), run(call, x.cuda(), g.cuda()), strict=True)
        assert all(torch.equal(a, b.cpu()) for a, b in pairs)
    assert all(
        torch.equal(a, b.cpu()) for a, b in zip(host.buffers(), device.buffers(), strict=True)
    )
