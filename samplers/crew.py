"""Processes of this machine that run chains; one that dies takes the chain it had, and no other."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from multiprocessing import get_context, parent_process
from typing import Any

from samplers.chain import run_chain
from samplers.crossing import Crossing, arrived, packed
from samplers.spec import ChainSpec

NOT_BEGUN = -1
_spawn = get_context("spawn")


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
        """Begin the chain at position ``number``."""
        self.number = number
        with contextlib.suppress(OSError):  # it has died, which `ended` finds
            self.pipe.send((number, spec))

    def ended(self) -> bool:
        """Whether the chain has an end: `outcome` says which."""
        # the pipe alone does not tell: processes that the worker has forked hold it open
        return not self.process.is_alive() or self.pipe.poll()

    def outcome(self) -> Exception | None:
        """What the chain raised, or that its process died; a dead process is not given another."""
        with contextlib.suppress(EOFError, OSError):
            if self.pipe.poll():
                crossing: Crossing | None = self.pipe.recv()
                return None if crossing is None else arrived(crossing)
        self.process.join()
        return RuntimeError(_death(self.process.exitcode, self.steps[self.number] == NOT_BEGUN))

    def end(self) -> None:
        """Without a chain it ends by itself when nobody is left to give one."""
        self.pipe.close()
        self.process.join()


def _death(code: int | None, early: bool) -> str:
    cause = f"exit code {code}"
    if code is not None and code < 0:
        cause = f"signal {-code}, {signal.strsignal(-code)}"
    if early:
        return (
            f"its process ended before the chain began ({cause}); where a script runs chains, "
            'write its calls under if __name__ == "__main__":'
        )
    return (
        f"its process ended in the middle of the chain ({cause}), as for want of memory; the same "
        "call goes on from the last checkpoint"
    )


def _serve(pipe: Any, steps: Any) -> None:
    """In a worker: it ends with the process that started it, however that one ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            number, spec = pipe.recv()
            pipe.send(_ended(number, spec, steps))


def _ended(number: int, spec: ChainSpec, steps: Any) -> Crossing | None:
    try:
        run_chain(spec, progress=lambda done: steps.__setitem__(number, done))
    except BaseException as error:
        return packed(error)
    return None


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
