"""Run several chains: in this process, in processes of this machine, or by another engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import format_exception_only

from samplers.engines import Engine, Progress
from samplers.integers import integer
from samplers.local_engine import run_local
from samplers.ray_engine import run_ray
from samplers.spec import ChainSpec

ENGINES: dict[str, Engine] = {"local": run_local, "ray": run_ray}


def run_chains(
    specs: ChainSpec | Sequence[ChainSpec],
    engine: str | Engine = "local",
    *,
    processes: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Run chains, each as `run_chain` does, with one progress bar for all their steps.

    Args:
        specs: one a chain; a single one may stand for itself.
        engine: ``"local"``, ``"ray"`` (Ray Core tasks; on a cluster the folders lie where all nodes
            see them), or an `Engine` of your own.
        processes: workers; 1 stays in this process, None takes as many as the CPUs have room for.
            A Ray that runs already has its own.
        progress: show the bar, on standard error.

    Returns:
        The folders, in the order of ``specs``. Promise: the samples do not depend on engine and
        processes.

    Raises:
        TypeError: what is no `ChainSpec`.
        ValueError: no chains, one twice, no processes, or an unknown engine.
        Exception: what the first chain that failed raised, with a note that names it and one for
            each other that failed; the others go on to their end.
    """
    specs = [specs] if isinstance(specs, ChainSpec) else list(specs)
    _check(specs)
    if processes is not None:
        processes = integer("processes", processes, 1)
    room = max(1, (os.cpu_count() or 1) // max(spec.threads for spec in specs))
    workers = min(processes or room, len(specs))
    run = _engine(engine)
    with _bar(specs, progress) as told:
        errors = run(specs, workers, told)
    if errors:
        raise _named(errors, specs)
    return [Path(spec.folder) for spec in specs]


def _named(errors: Mapping[int, BaseException], specs: Sequence[ChainSpec]) -> BaseException:
    """The first one, with notes that name its chain and the others that failed."""
    names = {
        number: f"chain {specs[number].chain} of {specs[number].folder!r}" for number in errors
    }
    for number, error in errors.items():
        error.add_note(names[number])
    number, *others = sorted(errors)
    for other in others:
        text = format_exception_only(errors[other])[0].strip()
        errors[number].add_note(f"{names[other]} failed too: {text}")
    return errors[number]


def _engine(engine: str | Engine) -> Engine:
    if not isinstance(engine, str):
        return engine
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}; write one of {list(ENGINES)}, or a function")
    return ENGINES[engine]


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
    for spec in specs:
        if not isinstance(spec, ChainSpec):
            raise TypeError(f"{spec!r} is of type {type(spec).__name__}; write ChainSpecs")
    names = [(Path(spec.folder).resolve(), spec.chain) for spec in specs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(
            f"chain(s) {sorted((str(f), c) for f, c in twice)} came twice; write another chain "
            "number or folder for each, for example dataclasses.replace(spec, chain=1)"
        )
