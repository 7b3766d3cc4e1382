"""Law: results lie in memory as torch's do, so that code which calls ``view`` runs unchanged."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from numformats.torch import simulate
from tests.torch.simulation.calls import CASES, arguments

CHIPS = ("e4m3", "nvidia-b200-mxfp8", "nvidia-h100-deepseek")
MODES = ("exact", "fast")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", CASES)
def test_results_have_the_strides_of_torch(name: str, chip: str, mode: str) -> None:
    case = CASES[name]
    values = arguments(case)
    wanted = case.call(*values)
    with simulate(chip, mode=mode):
        found = case.call(*values)
    assert found.stride() == wanted.stride()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("filters", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_convolutions_keep_channels_last(
    form: torch.memory_format, filters: torch.memory_format, chip: str, mode: str
) -> None:
    x = torch.randn(2, 32, 6, 5).contiguous(memory_format=form)
    w, t = (
        torch.randn(shape).contiguous(memory_format=filters)
        for shape in ((8, 32, 3, 3), (32, 4, 2, 2))
    )
    wanted = F.conv2d(x, w, padding=1), F.conv_transpose2d(x, t, padding=1)
    with simulate(chip, mode=mode):
        found = F.conv2d(x, w, padding=1), F.conv_transpose2d(x, t, padding=1)
    assert [y.stride() for y in found] == [y.stride() for y in wanted]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chip", CHIPS)
def test_elementwise_results_do(chip: str, mode: str) -> None:
    x = torch.randn(2, 8, 4, 5).to(memory_format=torch.channels_last)
    with simulate(chip, mode=mode, elementwise="bf16"):
        assert F.gelu(x).stride() == x.stride()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chip", CHIPS)
def test_code_that_views_runs_unchanged(chip: str, mode: str) -> None:
    """LeNet as it is often written; gradients are looked at through a view, too."""
    first, second, last = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 4, 3), nn.Linear(36, 10)
    seen = []
    with simulate(chip, mode=mode):
        x = F.max_pool2d(first(torch.randn(2, 1, 10, 10)).relu(), 2)
        x.register_hook(lambda grad: seen.append(grad.view(2, -1).shape))
        last(second(x).view(-1, 36)).sum().backward()
    assert seen == [torch.Size([2, 800])]
