"""Processes of this machine that run chains; one that dies takes the chain it had, and no other."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import get_context, parent_process
from typing import Any

from samplers.chain import run_chain
from samplers.crossing import Crossing, arrived, packed
from samplers.spec import ChainSpec

_spawn = get_context("spawn")
NOT_BEGUN = -1


def shared_steps(count: int) -> Any:
    """Steps done of each chain, without a lock, which a killed process would keep."""
    return _spawn.RawArray("q", [NOT_BEGUN] * count)


class Worker:
    """A process that runs one chain after the other, and says how each ended.

    Args:
        steps: of `shared_steps`; it writes those of its chain.
    """

    def __init__(self, steps: Any) -> None:
        self.steps, self.number = steps, 0
        self.pipe, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=_serve, args=(theirs, steps))
        self.process.start()
        theirs.close()

    def give(self, number: int, spec: ChainSpec) -> None:
        """Begin chain ``number``."""
        self.number = number
        try:
            self.pipe.send((number, spec))
        except OSError:  # it is dead, as `ended` finds
            pass

    def ended(self) -> bool:
        """Whether `outcome` is there: the chain's end, or the process's."""
        # not the end of the pipe: processes that the worker forked may hold it open
        return not self.process.is_alive() or self.pipe.poll()

    def outcome(self) -> BaseException | None:
        """What the chain raised, or that the process died under it."""
        try:
            crossing: Crossing | None = self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, OSError):
            self.process.join()
        else:
            if self.process.is_alive() or crossing is not None:
                return None if crossing is None else arrived(crossing)
        return RuntimeError(_death(self.process.exitcode, self.steps[self.number] == NOT_BEGUN))

    def end(self) -> None:
        """After its chain, if it has one."""
        self.pipe.close()
        self.process.join()
