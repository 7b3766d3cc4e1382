"""Run chains as Ray Core tasks: on this machine, or on a cluster that sees the runs' folders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from samplers.chain import run_chain
from samplers.engines import REFRESH_SECONDS, Progress
from samplers.spec import ChainSpec

RETRIES = 3
"""Times that a chain goes on elsewhere when its worker or node dies."""


class Board:
    """Steps done of each chain, for all tasks to write and the caller to read."""

    def __init__(self) -> None:
        self.steps: dict[int, int] = {}

    def write(self, number: int, done: int) -> None:
        """Chain ``number`` has done so many steps."""
        self.steps[number] = done

    def read(self) -> dict[int, int]:
        """All chains that have begun."""
        return self.steps


def run_ray(
    specs: Sequence[ChainSpec], workers: int, progress: Progress
) -> dict[int, BaseException]:
    """As tasks with ``threads`` CPUs each, and a GPU where the device is one.

    A Ray that runs is used as it is; else one is started for ``workers`` chains, and ended.
    """
    ray = _ray()
    with _running(ray, workers * max(spec.threads for spec in specs)):
        board = ray.remote(Board).options(num_cpus=0).remote()
        task = ray.remote(_run)
        refs = [
            task.options(
                name=f"chain {spec.chain} of {spec.folder}",
                num_cpus=spec.threads,
                num_gpus=int(spec.device.startswith("cuda")),
                max_retries=RETRIES,
            ).remote(number, spec, board)
            for number, spec in enumerate(specs)
        ]
        pending = refs
        while pending:
            _, pending = ray.wait(pending, num_returns=len(pending), timeout=REFRESH_SECONDS)
            for number, done in ray.get(board.read.remote()).items():
                progress(number, done)
        found = {number: _error(ray, ref) for number, ref in enumerate(refs)}
    return {number: error for number, error in found.items() if error is not None}


def _run(number: int, spec: ChainSpec, board: Any) -> None:
    last = -REFRESH_SECONDS

    def told(done: int) -> None:
        nonlocal last
        if done == spec.steps or time.monotonic() - last >= REFRESH_SECONDS:
            last = time.monotonic()
            board.write.remote(number, done)

    run_chain(spec, progress=told)


def _error(ray: Any, ref: Any) -> BaseException | None:
    try:
        ray.get(ref)
    except Exception as error:
        return error
    return None


@contextmanager
def _running(ray: Any, cpus: int) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("ray is missing; write pip install 'numformats[ray]'") from error
    return ray
