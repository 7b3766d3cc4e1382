"""Run chains in this process, or in processes of this machine."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait

from samplers.chain import run_chain
from samplers.crew import NOT_BEGUN, Worker, shared_steps
from samplers.engines import REFRESH_SECONDS, Progress
from samplers.spec import ChainSpec


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
    steps, waiting = shared_steps(len(specs)), deque(enumerate(specs))
    errors: dict[int, BaseException] = {}
    with _crew() as crew:
        while waiting or crew:
            while waiting and len(crew) < workers:
                crew.append(Worker(steps))
                crew[-1].give(*waiting.popleft())
            wait([worker.pipe for worker in crew], REFRESH_SECONDS)
            for worker in [worker for worker in crew if worker.ended()]:
                error = worker.outcome()
                if error is not None:
                    errors[worker.number] = error
                if waiting and worker.process.is_alive():
                    worker.give(*waiting.popleft())
                else:
                    crew.remove(worker)
                    worker.end()
            _tell(steps, progress)
    return errors


def _tell(steps: Sequence[int], progress: Progress) -> None:
    for number, done in enumerate(steps):
        if done != NOT_BEGUN:
            progress(number, done)


@contextmanager
def _crew() -> Iterator[list[Worker]]:
    """Workers that do not outlive the context; chains go on from their checkpoints."""
    crew: list[Worker] = []
    try:
        yield crew
    finally:
        for worker in crew:
            worker.process.terminate()
            worker.end()
