"""Run several chains: in this process, in processes of this machine, or by another engine."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, TypeAlias

from samplers.chain import run_chain
from samplers.spec import ChainSpec

Progress: TypeAlias = Callable[[int, int], None]
Engine: TypeAlias = Callable[[Sequence[ChainSpec], int, Progress], None]
"""Runs specifications with so many workers and tells (number of the chain, steps done)."""

REFRESH_SECONDS = 0.2
_steps: Any = None


def run_chains(
    specs: Sequence[ChainSpec],
    engine: str | Engine = "local",
    *,
    processes: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Run chains, each as `run_chain` does, with one progress bar for all their steps.

    Args:
        specs: one a chain.
        engine: ``"local"``, or a function that maps specifications to workers.
        processes: workers; 1 stays in this process, None takes as many as the CPUs have room for.
        progress: show the bar, on standard error.

    Returns:
        The folders, in the order of ``specs``. Promise: the samples do not depend on engine and
        processes.

    Raises:
        ValueError: no chains, one twice, or an unknown engine.
        Exception: what a chain raised first, with a note that names it; the others go on to their
            end.
    """
    specs = list(specs)
    _check(specs)
    room = max(1, (os.cpu_count() or 1) // max(spec.threads for spec in specs))
    workers = min(processes or room, len(specs))
    run = _engine(engine)
    with _bar(specs, progress) as told:
        run(specs, workers, told)
    return [Path(spec.folder) for spec in specs]


def run_local(specs: Sequence[ChainSpec], workers: int, progress: Progress) -> None:
    """In this process where one worker is wanted, else in processes of this machine."""
    errors = (_in_turn if workers == 1 else _in_processes)(specs, workers, progress)
    for number, error in sorted(errors.items()):
        error.add_note(f"chain {specs[number].chain} of {specs[number].folder!r}")
    if errors:
        raise errors[min(errors)]


ENGINES: dict[str, Engine] = {"local": run_local}


def _engine(engine: str | Engine) -> Engine:
    if not isinstance(engine, str):
        return engine
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}; write one of {list(ENGINES)}, or a function")
    return ENGINES[engine]


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


@contextmanager
def _bar(specs: Sequence[ChainSpec], shown: bool) -> Iterator[Progress]:
    """One bar; steps of an earlier call are not counted into its rate."""
    if not shown:
        yield lambda number, done: None
        return
    from tqdm import tqdm

    told: dict[int, int] = {}
    total = sum(spec.steps for spec in specs)
    with tqdm(total=total, desc=f"{len(specs)} chain(s)", unit="step") as bar:

        def progress(number: int, done: int) -> None:
            if number in told:
                bar.update(done - told[number])
            else:
                bar.initial, bar.n = bar.initial + done, bar.n + done
                bar.refresh()
            told[number] = done

        yield progress


def _check(specs: Sequence[ChainSpec]) -> None:
    if not specs:
        raise ValueError("no specifications came; write at least one")
    names = [(Path(spec.folder).absolute(), spec.chain) for spec in specs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(
            f"chain(s) {sorted((str(f), c) for f, c in twice)} came twice; write another chain "
            "number or folder for each, for example dataclasses.replace(spec, chain=1)"
        )
