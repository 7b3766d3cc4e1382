"""Ctrl-C in a real process: exit code 130, one line that says how to go on, and going on works."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from samplers.compare import job, workers
from tests.conftest import ROOT
from tests.samplers.compare.running import invoke

SIZE = ["--steps", "300", "--samples", "5", "--chains", "4", "--hidden", "8", "--formats", "e4m3"]
ROWS = ["--rows", "SGD float32, SGLD float32"]
COMMAND = [sys.executable, "-m", "samplers.cli"]


def begun(arguments, folder):
    """A process in a group of its own, which a terminal would send Ctrl-C to."""
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.usefixtures("interruptible")
def test_a_process_group_is_interrupted_and_goes_on(tmp_path, monkeypatch):
    arguments = ["compare", "--out", "my out", *SIZE, *ROWS, "--workers", "2"]
    process = begun(arguments, tmp_path)
    chains = tmp_path / "my out" / "chains"
    wait_for(lambda: len(list(chains.glob("*.json"))) >= 1, process)
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == ""
    assert "Traceback" not in errors
    *_, last = errors.strip().splitlines()
    kept = {path.name: path.read_bytes() for path in chains.glob("*.json")}
    assert f"interrupted; {len(kept)} finished chain(s) are kept in my out;" in last
    words = shlex.split(last.partition("kept in my out; ")[2].partition(" goes on")[0])
    assert words == ["samplers", "compare", "--config", "my out/config.json", "--out", "my out"]
    monkeypatch.chdir(tmp_path)
    done = invoke(*words[1:], "--json", "--workers", "1")
    assert done.exit_code == 0, done.stderr
    assert [len(row["chains"]) for row in json.loads(done.stdout)["rows"]] == [4, 4]
    assert {n: (chains / n).read_bytes() for n in kept} == kept


def test_a_single_process_keeps_what_is_finished(tmp_path, monkeypatch):
    real, begun = workers.run_chain, []

    def run_chain(row, chain, *rest):
        begun.append(chain)
        if len(begun) > 3:
            raise KeyboardInterrupt
        return real(row, chain, *rest)

    monkeypatch.setattr(workers, "run_chain", run_chain)
    arguments = ["--out", tmp_path / "out", *SIZE, *ROWS, "--workers", "1"]
    done = invoke("compare", *arguments, "--json")
    assert (done.exit_code, done.stdout) == (130, "")
    assert "interrupted; 3 finished chain(s)" in done.stderr.splitlines()[-1]
    assert len(list((tmp_path / "out/chains").iterdir())) == 3


def test_interrupted_before_it_began(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "run", interrupt)
    done = invoke("compare", "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert done.stderr.strip() == (
        "samplers compare: interrupted; nothing was begun; run the command again"
    )
