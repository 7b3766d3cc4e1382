"""A chain that was stopped at any moment gives the bits of the undisturbed one: in its samples, its
store and its last state."""

import os
import subprocess
import sys

import pytest
import torch

from samplers import SampleStore, run_chain
from samplers.run_folder import load_checkpoint
from samplers.sealed import unsealed
from tests.conftest import ROOT
from tests.samplers.chain_cases import Augmented, Remembering, halving, spec

pytestmark = pytest.mark.law

SHORT = {"steps": 12, "cycles": 2, "checkpoint_every": 5}
CASES = {
    "mid-cycle, variance corrected": {},
    "full accumulator": {"precision": {"weight": "e4m3", "accumulator": "full"}},
    "augmented, no cycles": {"data": Augmented, "cycles": None, "precision": None, "burn_in": 3},
    "scheduled": {"schedule": halving, "cycles": None},
    "batches with replacement": {"replacement": True, "precision": None},
    "a model with state of other kinds": {"model": Remembering, "precision": None},
}


class Stopped(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def assert_same_run(one, other):
    """Equal bytes of every sample and equal entries of the last checkpoint."""
    entries = [
        [(e.chain, e.step, e.sha256) for e in SampleStore(s.folder).entries] for s in (one, other)
    ]
    assert entries[0] == entries[1]
    assert not SampleStore(one.folder).damaged()
    assert same(load_checkpoint(one), load_checkpoint(other))
    assert load_checkpoint(one)["done"] == one.steps


def interrupt(monkeypatch, name, number):
    """Call ``number`` of ``os.name`` does not come back, and does its work or not."""
    real, calls = getattr(os, name), []

    def call(*args):
        calls.append(args)
        if len(calls) == number:
            if number % 2:
                real(*args)
            raise Stopped
        return real(*args)

    monkeypatch.setattr(os, name, call)
    return calls


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_stopped_at_every_write_in_turn(tmp_path, monkeypatch, name):
    whole = spec(tmp_path / "whole", **SHORT)
    with monkeypatch.context() as patch:
        writes = interrupt(patch, name, -1)
        run_chain(whole)
    assert len(writes) >= 9  # marker, specification, 4 samples, 3 checkpoints
    for number in range(1, len(writes) + 1):
        stopped = spec(tmp_path / str(number), **SHORT)
        with monkeypatch.context() as patch:
            interrupt(patch, name, number)
            with pytest.raises(Stopped):
                run_chain(stopped)
        run_chain(stopped)
        assert_same_run(stopped, whole)


@pytest.mark.parametrize("name", CASES)
def test_stopped_after_every_few_steps(tmp_path, name):
    """Stops at steps that are no multiple of epoch, cycle or checkpoint."""
    whole, stopped = (spec(tmp_path / part, **CASES[name]) for part in ("whole", "stopped"))
    run_chain(whole)
    for stop in (3, 7, 8, 13, 22, 26):

        def progress(done, stop=stop):
            if done >= stop:
                raise Stopped

        with pytest.raises(Stopped):
            run_chain(stopped, progress=progress)
    run_chain(stopped)
    assert_same_run(stopped, whole)


def test_samples_after_the_checkpoint_would_come_twice(tmp_path, monkeypatch):
    """Negative control: without forgetting them, a resumed chain is refused or differs."""
    stopped = spec(tmp_path)

    def progress(done):
        if done == 11:  # samples of steps 7 and 9, a checkpoint at 8
            raise Stopped

    with pytest.raises(Stopped):
        run_chain(stopped, progress=progress)
    monkeypatch.setattr(SampleStore, "forget_after", lambda *args, **options: None)
    with pytest.raises(ValueError, match="index names 2"):
        run_chain(stopped)


@pytest.fixture
def halted(tmp_path):
    """A chain with a checkpoint at step 8, and the path of the checkpoint."""

    def progress(done):
        if done == 11:
            raise Stopped

    run = spec(tmp_path / "halted")
    with pytest.raises(Stopped):
        run_chain(run, progress=progress)
    return run, tmp_path / "halted/chain-00000/checkpoint.pt"


def test_a_checkpoint_with_a_flipped_bit_is_refused(halted):
    """Wherever the bit lies: in the checksum, the zip, the pickle or a tensor."""
    run, path = halted
    content = path.read_bytes()
    places = [*range(120), *range(120, len(content), 97), len(content) - 1]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"checkpoint\.pt.*a damaged checkpoint.*remove") as e:
            load_checkpoint(run)
        assert str(path) in str(e.value)
    with pytest.raises(ValueError, match="a damaged checkpoint"):
        run_chain(run)
    path.write_bytes(content)
    assert load_checkpoint(run)["done"] == 8


def test_a_checkpoint_without_a_checksum_goes_on(halted, tmp_path):
    """As those of earlier versions are."""
    run, path = halted
    path.write_bytes(unsealed(path.read_bytes()))
    assert path.read_bytes().startswith(b"PK")
    whole = spec(tmp_path / "whole")
    run_chain(whole)
    run_chain(run)
    assert_same_run(run, whole)


@pytest.mark.parametrize(
    "change",
    [
        {"done": None},
        {"samples": "3"},
        {"optimizer": {}},
        {"model": {"0.weight": 3}},
        {"cycles": 5},
    ],
    ids=str,
)
def test_a_checkpoint_of_other_parts_is_refused(halted, change):
    run, path = halted
    torch.save({**load_checkpoint(run), **change}, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt.*a damaged checkpoint"):
        run_chain(run)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt.*a damaged checkpoint"):
        run_chain(run)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_killed_at_random_moments(tmp_path):
    """SIGKILL, which a process cannot see coming, twelve times."""
    whole, killed = spec(tmp_path / "whole"), spec(tmp_path / "killed")
    run_chain(whole)
    command = [sys.executable, "-m", "tests.samplers.killed_chain", killed.folder, "1", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    stops = [int(line) for line in done.stdout.split()]
    assert len(stops) == 12
    assert len({stop for stop in stops if 0 < stop < whole.steps}) >= 4
    assert_same_run(killed, whole)
