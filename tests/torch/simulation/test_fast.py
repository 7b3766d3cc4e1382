"""Laws of the fast mode: it is torch's own arithmetic on stored operands, with stored errors; and
what is stored are the bits that ``Accelerator.matmul`` stores.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.accelerators.accelerator import ROLES
from numformats.accelerators.storing import store as reference
from numformats.torch import simulate
from numformats.torch.simulation.storing import decoded, store
from tests.torch.simulation.calls import CASES, arguments, gradients

SEVERAL = ("attention", "bilinear", "einsum, three", "einsum, summed", "embedding", "multi_dot")
SINGLE = [name for name in CASES if not name.startswith(SEVERAL)]


def addends(name: str) -> set[int]:
    """Which arguments are added, not multiplied."""
    if name.startswith(("add", "badd")):
        return {0}
    return {2} if name.startswith(("linear", "conv")) and len(CASES[name].shapes) == 3 else set()


@pytest.mark.parametrize("fmt", ["e4m3", "bf16"])
@pytest.mark.parametrize("name", SINGLE)
def test_torch_multiplies_what_is_stored(name: str, fmt: str) -> None:
    case, added = CASES[name], addends(name)
    values = arguments(case)
    kept = [
        (x.detach() if n in added else nf.quantize(x.detach(), fmt)).requires_grad_()
        for n, x in enumerate(values)
    ]
    wanted = case.call(*kept)
    seed = torch.linspace(-1, 1, wanted.numel()).reshape(wanted.shape)
    exact = torch.autograd.grad(wanted, kept, seed, retain_graph=True)
    stored = torch.autograd.grad(wanted, kept, nf.quantize(seed, fmt))
    with simulate(fmt, mode="fast"):
        got = gradients(case, values)
    torch.testing.assert_close(got[0], wanted.detach(), rtol=1e-5, atol=1e-5)
    for n, grad in enumerate(got[1:]):
        right = exact[n] if n in added else stored[n]
        if n in case.parameters and n not in added:
            right = nf.quantize(right.contiguous(), fmt)
            near = (grad - right).abs() <= right.abs() * 2**-3  # a sum in another order may switch
            assert near.all()
            assert (grad == right).float().mean() > 0.9
        else:
            torch.testing.assert_close(grad, right, rtol=1e-5, atol=1e-5)


ALL, DEEPSEEK = nf.accelerators(), "nvidia-h100-deepseek"


@pytest.mark.parametrize("name", ALL)
def test_stored_bits_are_those_of_the_accelerator(name: str) -> None:
    chip, key = ALL[name], nf.Key(4)
    rng = np.random.default_rng(2)
    for shape in ((5, 150), (2, 3, 256), (0, 5), (3, 0)):
        x = (rng.standard_normal(shape) * 3).astype(np.float32)
        x.reshape(-1)[:1] = -7.0
        for role in ROLES:
            kept = reference(chip, x, role, key, "auto")
            for lies in (x, x.swapaxes(-1, -2).copy().swapaxes(-1, -2), np.asfortranarray(x)):
                got = decoded(store(chip, torch.from_numpy(lies), role, key)).numpy()
                np.testing.assert_array_equal(got, _numbers(chip, kept, x, role))


def _numbers(chip: nf.accelerators.Accelerator, kept: object, x: object, role: str) -> object:
    """What elements and scales of ``accelerators.storing`` stand for."""
    values, k = kept.values, x.shape[-1]
    if kept.scale is not None:
        scale = kept.scale if kept.inner is None else np.repeat(kept.scale, kept.inner, -1)[..., :k]
        return values * scale
    if kept.block_scales is None:
        return values
    fmt = chip.storage(role)
    size = fmt.block_size if isinstance(fmt.block_size, int) else fmt.block_size[1]
    return values * np.repeat(kept.block_scales, size, -1)[..., :k] * kept.tensor_scale


@pytest.mark.parametrize("place", [(0, 3), (1, 200), (4, 149)])
def test_scales_of_blocks_are_found_among_finite_numbers(place: tuple[int, int]) -> None:
    x, chip = np.random.default_rng(0).standard_normal((5, 300), np.float32), ALL[DEEPSEEK]
    x[place] = np.inf
    x[place[0], place[1] + 1] = np.nan
    for role in ROLES:
        wanted = _numbers(chip, reference(chip, x, role, None, "auto"), x, role)
        got = decoded(store(chip, torch.from_numpy(x), role, None)).numpy()
        np.testing.assert_array_equal(got, wanted)
        assert np.isfinite(got).sum() > x.size - 3


def test_scales_are_found_among_finite_numbers() -> None:
    x = torch.tensor([[1.0, -3.0, float("inf"), float("nan")]])
    chip = ALL["nvidia-h100-fp8"]
    elements = store(chip, x, "weights", None)
    assert elements.scale == np.float32(3.0) / np.float32(448.0)
    assert elements.values[0, 1] == -448
