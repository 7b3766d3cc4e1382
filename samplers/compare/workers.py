"""Chains one after the other in this process, or side by side in several, one thread each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager
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
        futures = {pool.submit(_run, row, chain, config): (row, chain) for row, chain in pending}
        for future in as_completed(futures):
            yield *futures[future], future.result()


def one_thread() -> AbstractContextManager[None]:
    """The networks are too small for threads: handing work over would cost more than it saves."""
    return threads(1)


def _start(data: str, folder: Path | None) -> None:
    set_threads(1)
    _images[data] = load_images(data, folder)


def _run(row: Row, chain: int, config: Config) -> dict[str, Any]:
    return run_chain(row, chain, config, _images[config.data])
