"""Run chains in this process, or in processes of this machine."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from samplers.chain import run_chain
from samplers.engines import REFRESH_SECONDS, Progress
from samplers.spec import ChainSpec

_steps: Any = None


def run_local(
    specs: Sequence[ChainSpec], workers: int, progress: Progress
) -> dict[int, BaseException]:
    """In this process where one worker is wanted, else in processes of this machine."""
    return (_in_turn if workers == 1 else _in_processes)(specs, workers, progress)


def _in_turn(
    specs: Sequence[ChainSpec], workers: int, progress: Progress
) -> dict[int, BaseException]:
    errors: dict[int, BaseException] = {}
    for number, spec in enumerate(specs):
        try:
            run_chain(spec, progress=functools.partial(progress, number))
        except Exception as error:
            errors[number] = error
    return errors


def _in_processes(
    specs: Sequence[ChainSpec], workers: int, progress: Progress
) -> dict[int, BaseException]:
    context = get_context("spawn")
    # without a lock, which a killed process would keep; -1 is a chain that has not begun
    steps = context.RawArray("q", [-1] * len(specs))
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(steps,)) as pool:
        futures = [pool.submit(_run, number, spec) for number, spec in enumerate(specs)]
        pending = set(futures)
        while pending:
            _, pending = wait(pending, timeout=REFRESH_SECONDS)
            for number, done in enumerate(steps):
                if done >= 0:
                    progress(number, done)
    found = {number: future.exception() for number, future in enumerate(futures)}
    return {number: error for number, error in found.items() if error is not None}


def _start(steps: Any) -> None:
    """In a worker: it ends with the process that started it, however that one ends."""
    global _steps
    _steps = steps
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(number: int, spec: ChainSpec) -> Path:
    return run_chain(spec, progress=lambda done: _steps.__setitem__(number, done))
