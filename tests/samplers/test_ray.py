"""Chains as Ray tasks give what they give here, also when their workers are killed."""

import contextlib
import os
import pathlib
import signal
import sys
import threading
import time

import pytest

from samplers import SampleStore, run_chain, run_chains
from samplers.run_folder import load_checkpoint
from tests.samplers.chain_cases import spec

LONG = {"steps": 300, "checkpoint_every": 10, "thinning": 25}


def contents(folder):
    return [(e.chain, e.step, e.sha256) for e in SampleStore(folder).entries]


def workers(folder):
    """Process numbers of the Ray workers that run a chain of ``folder``."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_text().startswith(f"ray::chain 0 of {folder}"):
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds the workers in /proc")
def test_a_worker_that_dies_is_replaced_and_the_samples_are_the_same(tmp_path, capfd):
    """One chain's worker is killed in mid-run, another chain fails by its own error."""
    pytest.importorskip("ray")
    folder = tmp_path / "ray"
    killed = []

    def kill_one():
        while not killed:
            time.sleep(0.01)
            done = load_checkpoint(spec(folder, **LONG)) or {"done": 0}
            if 20 <= done["done"] < 250:
                for pid in workers(folder):
                    os.kill(pid, signal.SIGKILL)
                    killed.append((pid, done["done"]))

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    bad = spec(tmp_path / "bad", data="tests.samplers:nothing")
    with pytest.raises(ValueError, match="nothing"):
        run_chains([spec(folder, **LONG), bad], "ray", processes=1)
    assert killed
    whole = spec(tmp_path / "whole", **LONG)
    run_chain(whole)
    assert contents(folder) == contents(whole.folder)
    assert load_checkpoint(spec(folder, **LONG))["done"] == 300
    assert "300/327" in capfd.readouterr().err


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"numformats\[ray\]"):
        run_chains([spec(tmp_path / "new")], "ray")
    assert not (tmp_path / "new").exists()
