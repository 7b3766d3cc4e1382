"""Chains one after the other in this process, or side by side in several, one thread each."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from samplers.compare.chain import run_chain
from samplers.compare.config import Config
from samplers.compare.rows import Row
from samplers.images import Images, load_images
from samplers.threads import set_threads, threads

_images: dict[str, Images] = {}


def run_chains(
    pending: Iterable[tuple[Row, int]], config: Config, folder: Path | None, workers: int
) -> Iterator[tuple[Row, int, dict[str, Any]]]:
    """Each pending chain with its outcome, as they finish.

    Promise: the outcomes, but for their ``seconds``, do not depend on ``workers``.
    """
    if workers == 1:
        with one_thread():
            images = load_images(config.data, folder)
            yield from ((row, k, run_chain(row, k, config, images)) for row, k in pending)
        return
    spawn = get_context("spawn")
    start = (config.data, folder)
    with ProcessPoolExecutor(workers, spawn, initializer=_start, initargs=start) as pool:
        with _uninterrupted():
            futures = {pool.submit(_run, row, k, config): (row, k) for row, k in pending}
        try:
            for future in as_completed(futures):
                yield *futures[future], future.result()
        except BaseException:
            _end(pool)
            raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes begun in here never see Ctrl-C, which a terminal sends to all: this one ends them.

    It waits until the context is left. Where there are no signal masks, nothing is done.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    """Leave the chains that run: what is not finished is trained again."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def one_thread() -> AbstractContextManager[None]:
    """The networks are too small for threads: handing work over would cost more than it saves."""
    return threads(1)


def _start(data: str, folder: Path | None) -> None:
    set_threads(1)
    _images[data] = load_images(data, folder)


def _run(row: Row, chain: int, config: Config) -> dict[str, Any]:
    return run_chain(row, chain, config, _images[config.data])
