"""Law: a process that was forked after kernels had threads computes on, the same bits."""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import Any

import numpy as np
import pytest

import numformats as nf

ENGINE = nf.engine("nvidia-h100", inputs="fp16")


def results() -> list[Any]:
    """Of many elements and few, of products, and of draws."""
    x = np.random.default_rng(2).normal(size=1 << 17).astype(np.float32)
    a = x[:4096].reshape(64, 64).astype(np.float16)
    found = [nf.quantize(x, "e4m3"), nf.quantize(x, "mxfp4", "stochastic", key=1)]
    found += [nf.matmul(a, a, engine=ENGINE), nf.variance_corrected(x, 0.01, "fixed<8,4>", key=1)]
    return found


def child(queue: Any) -> None:
    queue.put(results())


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_computes_on() -> None:
    wanted, context = results(), multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    found = queue.get(timeout=300)
    process.join(30)
    assert process.exitcode == 0
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
