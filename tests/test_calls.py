"""Law: the benchmark of small calls runs every one of them without a device."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.calls import calls


def test_every_call_is_timed() -> None:
    command = [sys.executable, "-m", "benchmarks.calls", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    assert [name.strip() for name, _ in rows] == list(calls())
    assert all(0 < float(taken) < 1e5 for _, taken in rows)
