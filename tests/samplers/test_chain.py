"""A chain is a plain training loop; damaged, foreign and diverging runs are named."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from samplers import SGLD, ChainSpec, CosineCycles, SampleStore, run_chain, run_folder
from samplers import chain as chain_module
from samplers.streams import INITIAL, BatchOrder, generator_seed
from tests.conftest import ROOT
from tests.samplers.chain_cases import Pull, halving, points, spec


def plain_samples(steps, burn_in, thinning, cycles, exploration):
    """The steps whose samples are kept, counted from 1, after the papers' definitions."""
    if cycles is None:
        return list(range(burn_in + thinning, steps + 1, thinning))
    length = math.ceil(steps / cycles)
    return [
        k
        for k in range(burn_in + 1, steps + 1)
        if ((k - 1) % length) / length >= exploration and (-k) % length % thinning == 0
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"steps": 25, "thinning": 1},
        {"cycles": None, "burn_in": 5, "thinning": 4},
        {"cycles": None, "thinning": 27},
        {"burn_in": 12, "thinning": 3, "exploration": 0.0},
    ],
)
def test_kept_steps(tmp_path, changes):
    wanted = spec(tmp_path, **changes)
    run_chain(wanted)
    names = ("steps", "burn_in", "thinning", "cycles", "exploration")
    steps = [entry.step for entry in SampleStore(tmp_path).entries]
    assert steps == plain_samples(**{name: getattr(wanted, name) for name in names})


def test_a_chain_that_another_process_ends_meanwhile_is_finished(tmp_path, monkeypatch):
    """Its last sample and its last checkpoint come after this call has looked at the folder."""
    real = chain_module.load_checkpoint

    def load(one):
        monkeypatch.setattr(chain_module, "load_checkpoint", real)
        run_chain(one)
        return real(one)

    monkeypatch.setattr(chain_module, "load_checkpoint", load)
    run_chain(spec(tmp_path))
    assert len(SampleStore(tmp_path)) == 6


def test_an_optimizer_that_takes_no_precision_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"torch.optim:SGD' takes no precision, seed, chain"):
        run_chain(spec(tmp_path / "run", optimizer="torch.optim:SGD"))
    assert not (tmp_path / "run").exists()


def linear():
    return torch.nn.Linear(4, 3)


@pytest.mark.parametrize("chain, cyclical", [(0, True), (3, True), (0, False)])
def test_a_chain_is_the_plain_loop(tmp_path, chain, cyclical):
    """Equal bits from a loop over the same batches; once with the factors 1, ½ and ¼ of lr in
    place of cycles."""
    changes = {} if cyclical else {"cycles": None, "schedule": halving}
    run_chain(spec(tmp_path, model=linear, precision=None, chain=chain, **changes))
    x, y = points()
    torch.manual_seed(generator_seed(5, chain, INITIAL))
    model = linear()
    optimizer = SGLD(model.parameters(), 0.1, num_data=50, weight_decay=1e-3, seed=5, chain=chain)
    cycles, kept = CosineCycles(optimizer, 27, 3, 0.5) if cyclical else None, []
    wanted = plain_samples(27, 0, 2, 3 if cyclical else None, 0.5)
    order = BatchOrder(50, 8, seed=5, chain=chain)
    for k in range(27):
        optimizer.zero_grad()
        index = order(k)
        torch.nn.functional.cross_entropy(model(x[index]), y[index]).backward()
        if not cyclical:
            optimizer.param_groups[0]["lr"] = 0.1 * [1, 0.5, 0.25][k // 9]
        optimizer.step()
        if k + 1 in wanted:
            kept.append({name: p.detach().clone() for name, p in model.named_parameters()})
        if cyclical:
            cycles.step()
    assert len(kept) == len(wanted) > 5
    for sample, own in zip(SampleStore(tmp_path), kept, strict=True):
        assert all(torch.equal(sample[name], own[name]) for name in own)


def test_an_optimizer_of_ones_own_with_an_option_that_is_a_dataclass(tmp_path):
    own = {
        "optimizer": "tests.samplers.chain_cases:PulledSGD",
        "options": {"lr": 0.1, "pull": Pull(0.3)},
    }
    pulled = spec(tmp_path / "own", **own)
    run_chain(ChainSpec(**json.loads(json.dumps(pulled.to_json()))))
    run_chain(pulled)
    same = {"lr": 0.1, "weight_decay": 0.3, "temperature": 0.0, "num_data": 1}
    plain = spec(tmp_path / "plain", options=same)
    run_chain(plain)
    found, wanted = (SampleStore(run.folder) for run in (pulled, plain))
    assert [e.sha256 for e in found.entries] == [e.sha256 for e in wanted.entries]


def test_an_epoch_has_every_point_once_in_an_order_of_its_own():
    order = BatchOrder(50, 10, seed=1, chain=0)
    epochs = [torch.cat([order(5 * epoch + k) for k in range(5)]) for epoch in range(3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(50))
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(torch.cat([order(k) for k in range(5)]), epochs[0])
    other = BatchOrder(50, 10, seed=1, chain=1)
    assert not torch.equal(other(0), order(0))


def test_batches_with_replacement_are_uniform():
    """χ² of 20000 draws over 50 points; false alarms 1e-6. Epoch after epoch is far too even."""

    def statistic(replacement):
        order = BatchOrder(50, 10, seed=2, chain=0, replacement=replacement)
        counts = np.bincount(torch.cat([order(k) for k in range(2000)]), minlength=50)
        return float(((counts - 400) ** 2 / 400).sum())

    low, high = chi2.ppf([5e-7, 1 - 5e-7], 49)
    assert low < statistic(True) < high
    assert statistic(False) < low


def test_chains_share_a_folder_and_nothing_else(tmp_path):
    for chain in (0, 1):
        run_chain(spec(tmp_path, chain=chain))
    store = SampleStore(tmp_path)
    assert store.chains == (0, 1)
    first, second = store.chain(0), store.chain(1)
    for a, b in zip(first, second, strict=True):
        assert not torch.equal(a["0.weight"], b["0.weight"])
    alone = spec(tmp_path / "alone", chain=1)
    run_chain(alone)
    hashes = [e.sha256 for e in SampleStore(alone.folder).entries]
    assert hashes == [e.sha256 for e in second.entries]


def test_weights_are_stored_as_codes_and_the_rest_as_it_is(tmp_path):
    run_chain(spec(tmp_path, model_options={"width": 1000}))
    store = SampleStore(tmp_path)
    packed = 4 * 1000 + 1000 + 3 * 1000 + 3  # a byte each; the norm's five vectors stay as they are
    assert packed + 4 * 4 * 1000 < store.entries[0].bytes < packed + 4 * 4 * 1000 + 1500
    grid = store[-1]["0.weight"] * 32
    assert torch.equal(grid, grid.round())
    assert store[-1]["1.num_batches_tracked"] == 27


def test_a_finished_chain_and_the_callers_generator_are_left_alone(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    run_chain(spec(tmp_path))
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name != "lock"}
    seen = []
    assert run_chain(spec(tmp_path, checkpoint_every=9), progress=seen.append) == tmp_path
    assert seen == [27]
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_that_no_run_left_are_not_touched(tmp_path):
    SampleStore(tmp_path).append({"w": torch.ones(1)})
    with pytest.raises(ValueError, match="no run has left them"):
        run_chain(spec(tmp_path))
    assert len(SampleStore(tmp_path)) == 1


def test_a_diverging_chain_is_named_and_keeps_no_broken_sample(tmp_path):
    run = spec(tmp_path, precision=None, options={"lr": 1e30}, cycles=None, thinning=1)
    with pytest.raises(ValueError, match=r"chain 0 of .* loss of step \d+ is (nan|inf)"):
        run_chain(run)
    for sample in SampleStore(tmp_path):
        assert all(torch.isfinite(t).all() for t in sample.values())


def every_loss(output, target):
    return torch.nn.functional.cross_entropy(output, target, reduction="none")


def test_a_loss_that_is_no_number_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"every_loss' gave shape \(8,\)"):
        run_chain(spec(tmp_path, loss=every_loss))


def test_damaged_state_is_named(tmp_path):
    run_chain(spec(tmp_path))
    index = tmp_path / "chain-00000/index.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(lines[:-1]))
    with pytest.raises(ValueError, match=r"kept 6 samples in 27 steps, but its index names 5"):
        run_chain(spec(tmp_path))
    checkpoint = tmp_path / "chain-00000/checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"checkpoint\.pt cannot be read"):
        run_chain(spec(tmp_path))


HOLD = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_chain_has_one_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "LOCK_SECONDS", 0.1)
    run = spec(tmp_path)
    folder = tmp_path / "chain-00000"
    SampleStore(tmp_path).prepare()
    folder.mkdir()
    command = [sys.executable, "-c", HOLD, str(folder / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RuntimeError, match="another process runs chain 0"):
            run_chain(run)
        other.kill()
        other.wait()
    run_chain(run)
    assert len(SampleStore(tmp_path)) == 6
