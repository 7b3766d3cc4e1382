"""Law: shapes, sizes and dtypes that torch refuses are refused under a simulation, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from numformats.torch import simulate


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


IMAGE, FILTERS, QKV = ones(1, 4, 8, 8), ones(4, 4, 3, 3), (ones(1, 2, 4, 8),) * 3
INTEGERS = torch.ones(4, 4, dtype=torch.int64)
REFUSED: dict[str, Callable[[], Any]] = {
    "mm of batches": lambda: torch.mm(ones(2, 3, 4), ones(2, 4, 5)),
    "mm of a vector": lambda: torch.mm(ones(4), ones(4, 5)),
    "bmm of matrices": lambda: torch.bmm(ones(3, 4), ones(4, 5)),
    "bmm, broadcast": lambda: torch.bmm(ones(1, 3, 4), ones(2, 4, 5)),
    "mv of matrices": lambda: torch.mv(ones(3, 4), ones(4, 5)),
    "mv of vectors": lambda: torch.mv(ones(4), ones(4)),
    "dot of matrices": lambda: torch.dot(ones(3, 4), ones(4, 3)),
    "vdot of matrices": lambda: torch.vdot(ones(3, 4), ones(4, 3)),
    "addmm of batches": lambda: torch.addmm(ones(3), ones(5, 2, 4), ones(5, 4, 3)),
    "addmm to a batch": lambda: torch.addmm(ones(7, 2, 3), ones(2, 4), ones(4, 3)),
    "baddbmm, broadcast": lambda: torch.baddbmm(ones(3, 5), ones(1, 3, 4), ones(3, 4, 5)),
    "addbmm, batches": lambda: torch.addbmm(ones(3, 5), ones(2, 3, 4), ones(4, 2, 5)),
    "addmv of matrices": lambda: torch.addmv(ones(2), ones(2, 3), ones(3, 1)),
    "addr of a matrix": lambda: torch.addr(ones(2, 3), ones(2, 1), ones(3)),
    "multi_dot of one": lambda: torch.linalg.multi_dot([ones(2, 3)]),
    "multi_dot, vector inside": lambda: torch.linalg.multi_dot([ones(3, 3), ones(3), ones(3, 4)]),
    "multi_dot of batches": lambda: torch.linalg.multi_dot([ones(2, 3, 3), ones(2, 3, 4)]),
    "linear, batch of weights": lambda: F.linear(ones(2, 5, 3), ones(2, 4, 3)),
    "linear, vector and bias": lambda: F.linear(ones(2, 3), ones(3), ones(1)),
    "linear, integers": lambda: F.linear(ones(2, 4), INTEGERS),
    "linear, integer bias": lambda: F.linear(ones(2, 3), ones(4, 3), INTEGERS[0]),
    "matmul, integers": lambda: ones(2, 4) @ INTEGERS,
    "bilinear, batches": lambda: F.bilinear(ones(1, 3), ones(3, 4), ones(5, 3, 4)),
    "bilinear, bias": lambda: F.bilinear(ones(2, 3), ones(2, 4), ones(5, 3, 4), ones(1)),
    "einsum, subscripts": lambda: torch.einsum("i1,1k->ik", ones(2, 3), ones(3, 5)),
    "conv2d, stride": lambda: F.conv2d(IMAGE, FILTERS, stride=0),
    "conv2d, strides": lambda: F.conv2d(IMAGE, FILTERS, stride=(1, 1, 1)),
    "conv2d, padding": lambda: F.conv2d(IMAGE, FILTERS, padding=-1),
    "conv2d, dilation": lambda: F.conv2d(IMAGE, FILTERS, dilation=0),
    "conv2d, groups": lambda: F.conv2d(IMAGE, ones(3, 2, 3, 3), groups=2),
    "conv2d, bias": lambda: F.conv2d(IMAGE, FILTERS, ones(1)),
    "conv2d, axes of bias": lambda: F.conv2d(IMAGE, FILTERS, ones(2, 2)),
    "conv2d, small": lambda: F.conv2d(IMAGE[..., :2], FILTERS),
    "conv2d, integers": lambda: F.conv2d(IMAGE, FILTERS.long()),
    "conv2d of one axis": lambda: F.conv2d(IMAGE[..., 0], FILTERS[..., 0]),
    "conv1d of two axes": lambda: F.conv1d(IMAGE, FILTERS),
    "conv1d, kernel": lambda: F.conv1d(IMAGE[..., 0], FILTERS[..., :0, 0]),
    "conv_transpose2d, padding": lambda: F.conv_transpose2d(IMAGE, FILTERS, padding=-1),
    "conv_transpose2d, stride": lambda: F.conv_transpose2d(IMAGE, FILTERS, stride=0),
    "conv_transpose2d, bias": lambda: F.conv_transpose2d(IMAGE, FILTERS, ones(1)),
    "conv_transpose2d, groups": lambda: F.conv_transpose2d(IMAGE, FILTERS, groups=3),
    "conv_transpose2d, output": lambda: F.conv_transpose2d(IMAGE, FILTERS, output_padding=1),
    "conv_transpose1d, small": lambda: F.conv_transpose1d(ones(1, 4, 1), ones(4, 3, 1), padding=1),
    "conv_tbc, bias": lambda: torch.conv_tbc(ones(8, 2, 4), ones(3, 4, 5), ones(1), 1),
    "attention, integer mask": lambda: F.scaled_dot_product_attention(*QKV, attn_mask=INTEGERS),
    "attention, large mask": lambda: F.scaled_dot_product_attention(
        *QKV, attn_mask=ones(7, 1, 2, 4, 4).bool()
    ),
    "attention, small mask": lambda: F.scaled_dot_product_attention(*QKV, attn_mask=ones(4)),
    "no steps": lambda: torch.nn.LSTM(2, 2)(ones(0, 1, 2)),
    "out and gradients": lambda: torch.mm(
        ones(2, 2).requires_grad_(), ones(2, 2), out=torch.empty(2, 2)
    ),
    "cell, states": lambda: torch.rnn_tanh_cell(ones(2, 3), ones(1, 4), ones(4, 3), ones(4, 4)),
    "cell, inputs": lambda: torch.gru_cell(ones(1, 3), ones(2, 4), ones(12, 3), ones(12, 4)),
}


@pytest.mark.parametrize("chip", ["fp32", "mxfp8_e4m3"])
@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_refused(name: str, mode: str, chip: str) -> None:
    refusals = (ValueError, TypeError, RuntimeError, IndexError)
    with pytest.raises(refusals):
        REFUSED[name]()
    with simulate(chip, mode=mode), pytest.raises(refusals) as caught:
        REFUSED[name]()
    assert len(str(caught.value)) > 20
