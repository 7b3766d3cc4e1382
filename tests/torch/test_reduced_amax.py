"""Law: with ``reduce_amax`` the histories of all ranks are those of all data."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import distributed

from numformats.torch import AmaxScaling, Quantizer

STEPS, RANKS = 3, 2
OPTIONS = {
    "tensor": {"history": 4},
    "channels": {"axis": 1, "history": 4, "channels": 5, "power_of_two": True},
}


def sample(step: int, rank: int) -> torch.Tensor:
    """(6, 5); the rank with the larger values takes turns."""
    made = torch.Generator().manual_seed(10 * step + rank)
    return torch.randn(6, 5, generator=made) * 10.0 ** ((step + rank) % 2)


def quantizer(kind: str, reduce: bool) -> Quantizer:
    scaling: Any = AmaxScaling(**OPTIONS[kind], reduce_amax=reduce)  # type: ignore[arg-type]
    return Quantizer("e4m3", "e5m2", forward_scaling=scaling, backward_scaling=scaling)


def _work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS
    )
    found = {}
    for kind in OPTIONS:
        for reduce in (True, False):
            module = quantizer(kind, reduce)
            for step in range(STEPS):
                x = sample(step, rank).requires_grad_()
                module(x).backward(sample(step + 7, rank))
            module.eval()(sample(9, rank))  # no collective: the other rank may not evaluate
            found[kind, reduce] = module.state_dict()
    torch.save(found, os.path.join(folder, f"{rank}.pt"))
    distributed.destroy_process_group()


@pytest.mark.slow
def test_histories_hold_the_largest_of_all_ranks(tmp_path: Any) -> None:
    torch.multiprocessing.spawn(_work, (str(tmp_path),), nprocs=RANKS)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(RANKS)]
    for kind in OPTIONS:
        for name, shift in (("history", 0), ("grad_history", 7)):
            kept = 1 if kind == "channels" else 2
            wanted = [
                torch.cat([sample(s + shift, r) for r in range(RANKS)]).abs().flatten(0, kept - 1)
                for s in reversed(range(STEPS))
            ]
            rows = torch.stack([*(x.amax(0) for x in wanted), torch.zeros_like(wanted[0][0])])
            for each in ranks:
                assert torch.equal(each[kind, True][name], rows)
            alone = [each[kind, False][name] for each in ranks]
            assert not torch.equal(*alone)
            assert torch.equal(torch.maximum(*alone), rows)
        again = quantizer(kind, True)
        again.load_state_dict(ranks[1][kind, True])
        assert torch.equal(again.history, ranks[0][kind, True]["history"])


def test_without_ranks_it_changes_nothing() -> None:
    one, two = quantizer("tensor", True), quantizer("tensor", False)
    for step in range(STEPS):
        assert torch.equal(one(sample(step, 0)), two(sample(step, 0)))
    assert torch.equal(one.history, two.history)
    compiled = torch.compile(one, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(sample(5, 0)), two(sample(5, 0)))
    assert "on all ranks" in repr(one)


def test_scales_of_one_call_have_nothing_to_share() -> None:
    with pytest.raises(ValueError, match=r"reduce_amax.*history=16"):
        Quantizer("e4m3", forward_scaling=AmaxScaling(reduce_amax=True))
