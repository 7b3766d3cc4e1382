"""Run a chain in a child process, kill it (SIGKILL) at random moments, start it again.

    python -m tests.samplers.killed_chain FOLDER SEED KILLS

Prints for every kill the steps that were done.
"""

import mmap
import os
import random
import signal
import sys
import tempfile
import time

from samplers import run_chain
from tests.samplers.chain_cases import spec


def start(folder, counter):
    """The chain in a child, which tells its steps through shared memory."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run_chain(spec(folder), progress=counter.write)
        code = 0
    finally:
        os._exit(code)


class Counter:
    """Steps done, where another process can read them."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 2)

    def write(self, done):
        self.memory[:2] = done.to_bytes(2, "little")

    def read(self):
        return int.from_bytes(self.memory[:2], "little")


def kill(pid, counter, steps, delay):
    """End the child ``delay`` seconds after it has done so many steps."""
    while counter.read() < steps:
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise SystemExit("the chain ended by itself before it was killed")
        time.sleep(0.0005)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main(folder, seed, kills):
    """Kill at later and later steps, then let it finish; children find all imports done."""
    with tempfile.TemporaryDirectory() as other:
        run_chain(spec(other))
    rng, steps, counter = random.Random(seed), 0, Counter()
    for _ in range(kills):
        counter.write(0)
        steps = min(steps + rng.randrange(4), 24)
        kill(start(folder, counter), counter, steps, rng.random() * 0.02)
        print(counter.read(), flush=True)
    _, status = os.waitpid(start(folder, counter), 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
