"""Law: ``torch.func.vmap`` of a Quantizer is one call a sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from numformats.torch import AmaxScaling, Quantizer
from tests.inputs import assert_same_bits
from tests.torch.written_out import CASES, SEED, WrittenOut, made, run, sample, to_numpy

STATELESS = [case for case in CASES if case not in ("delayed", "blocks")]


@pytest.mark.parametrize("case", STATELESS)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_vmap_of_what_does_not_scale_is_the_whole(case: str, dim: int) -> None:
    """vmap, vmap of grad, grad of vmap, and backward through vmap are one call a sample."""
    how = CASES[case]
    x, g = sample((6, 40), 0), sample((6, 40), 7)
    x, g = x.movedim(0, dim).contiguous(), g.movedim(0, dim).contiguous()
    random = "forward_rounding" in how
    each = torch.func.vmap(made(case), dim, dim, randomness="different" if random else "error")
    samples, grads = x.movedim(dim, 0), g.movedim(dim, 0)
    if random:  # the batch draws as one tensor with the batch in front
        wanted = WrittenOut(case)(to_numpy(samples.contiguous()), to_numpy(grads.contiguous()))
    else:
        pairs = zip(samples, grads, strict=True)
        parts = [
            WrittenOut(case)(to_numpy(a.contiguous()), to_numpy(b.contiguous())) for a, b in pairs
        ]
        wanted = tuple(np.stack(part) for part in zip(*parts, strict=True))
    got = run(each, x, g)
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(to_numpy(a.movedim(dim, 0).contiguous()), b)
    module = made(case)
    inner = torch.func.vmap(
        torch.func.grad(lambda x, g: (module(x) * g).sum()), randomness="different"
    )
    assert_same_bits(to_numpy(inner(samples, grads)), wanted[1])


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_vmap_within_vmap_and_compiled(backend: str) -> None:
    torch._dynamo.reset()
    x = sample((3, 5, 8), 0)
    module = Quantizer("e4m3", forward_scaling=AmaxScaling(0), gradient="clipped")
    wanted = torch.stack([torch.stack([module(part) for part in row]) for row in x])
    call = torch.func.vmap(torch.func.vmap(lambda x: module(x)))  # torch 2.9 prints a module
    assert torch.equal(torch.compile(call, fullgraph=True, backend=backend)(x), wanted)
    assert torch.equal(call(x), wanted)


def test_vmap_of_blocks_and_of_a_history() -> None:
    """Blocks stay within a sample; a history that samples share sees the largest of all."""
    x = sample((5, 3, 40), 0)
    for fmt in ("mxfp4", "nvfp4", "block<e2m1,block=3,axis=0>", "bfp<8,block=none,axis=none>"):
        module = Quantizer(fmt, gradient="clipped")
        wanted = torch.stack([module(part) for part in x])
        assert torch.equal(torch.func.vmap(module)(x), wanted), fmt
        grads = torch.stack([run(module, part, part)[1] for part in x])
        assert torch.equal(run(torch.func.vmap(module), x, x)[1], grads), fmt
        inner = torch.func.grad(lambda part, module=module: (module(part) * part.detach()).sum())
        assert torch.equal(torch.func.vmap(inner)(x), grads), fmt
    module = made("delayed")
    torch.func.vmap(module, randomness="different")(x)
    assert module.history.tolist() == [float(x.abs().max()), 0.0]


def test_vmap_says_that_it_draws() -> None:
    module, x = made("values, stochastic"), sample((2, 64), 0)
    with pytest.raises(RuntimeError, match="randomness='different'"):
        torch.func.vmap(module)(x)
    same = torch.func.vmap(module, randomness="same")(x[:1].expand(2, 64))
    assert torch.equal(same[0], same[1])
    other = torch.func.vmap(module, randomness="different")(x[:1].expand(2, 64))
    assert not torch.equal(other[0], other[1])


def test_an_ensemble_by_vmap_has_a_stream_a_member() -> None:
    members = [Quantizer(**CASES["delayed"], seed=SEED, stream=i) for i in range(3)]
    buffers = torch.func.stack_module_state(members)[1]
    x = sample((3, 4, 40), 0)
    call = torch.func.vmap(
        lambda b, x: torch.func.functional_call(members[0], b, (x,)), randomness="different"
    )
    for step in range(2):
        got = call(buffers, x)
        for i, member in enumerate(members):
            assert torch.equal(got[i], member(x[i])), (step, i)
            assert torch.equal(buffers["history"][i], member.history)
