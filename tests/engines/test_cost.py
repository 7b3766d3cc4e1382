"""Laws: products hold decoded operands, O(MK + KN), and nothing as large as M·N·K; the time grows
with the size of the operands, not with its square."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import IntegerDot, MACChain, PhasedChain, stripes

OPERAND = 17  # bytes held at most for an element of a or b, in a phase
TILE = 12 << 20  # and beside operands and results: 1 << 20 sums in float64, among others
FP8 = ("e4m3", "e4m3")
UNITS = {type(unit.engine): unit for unit in nf.engines.units()}.values()
ENGINES = {
    **{type(u.engine).__name__: u.engine for u in UNITS},
    "FP8 in FP16": nf.engine("nvidia-h100", inputs="e4m3", path="wgmma", output="fp16"),
    "TF32": nf.engine("nvidia-h100", inputs="tf32"),
    "grouped": nf.engine("amd-mi300", inputs="e4m3fnuz"),
    "chain": MACChain(*FP8, accumulator="fp16"),
    "chunks": MACChain(*FP8, accumulator="fp16", rounding="stochastic", chunk=8, outer="fp32"),
    "tree": MACChain(*FP8, accumulator="fp32", order="pairwise"),
    "phases": PhasedChain("bf16", "bf16"),
    "int8": IntegerDot(),
    "saturating": IntegerDot(overflow="saturate"),
}


def call(engine: Any, m: int, k: int, n: int) -> Any:
    """A product of ones, and what it needs."""
    kind = np.int8 if isinstance(engine, IntegerDot) else np.float32
    a, b, names = np.ones((m, k), kind), np.ones((k, n), kind), {}
    if engine.scaled:
        count = -(-k // engine.scale_block)
        names = {"scale_a": np.ones((m, count)), "scale_b": np.ones((count, n))}
    names |= {"key": 1} if engine.keyed else {}
    return lambda: nf.matmul(a, b, engine=engine, **names)


@pytest.mark.parametrize("m, k, n", [(3000, 8, 1500), (96, 2048, 96), (300, 300, 300)])
@pytest.mark.parametrize("name", ENGINES)
def test_nothing_larger_than_operands_and_results_is_held(
    name: str, m: int, k: int, n: int
) -> None:
    """Beside operands and results, tiles. A second array of (3000, 1500) results would be 18 MB,
    all products at once 64 MB and more in float32."""
    peak, bound = held(ENGINES[name], m, k, n)
    assert peak < bound < 4 * m * n * k


def test_a_second_array_of_results_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: one stripe for all results."""
    monkeypatch.setattr(stripes, "RESULTS", 1 << 40)
    peak, bound = held(ENGINES["FP8 in FP16"], 3000, 8, 1500)
    assert peak > bound


def held(engine: Any, m: int, k: int, n: int) -> tuple[int, int]:
    """Bytes held at most, and the bound."""
    call(engine, 2, 64, 2)()  # compiles
    run = call(engine, m, k, n)
    tracemalloc.start()
    result = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    each = OPERAND * getattr(engine, "phases", 1)
    return peak, each * (m * k + k * n) + result.nbytes + TILE


@pytest.mark.parametrize("name", ["EmulatedFDPA", "TruncatedFDPA", "chain", "int8"])
def test_time_grows_with_the_operands(name: str) -> None:
    """Eight times the K takes about eight times the processor's time, far from 64 times."""
    found = []
    for k in (1 << 12, 1 << 15):
        run, times = call(ENGINES[name], 192, k, 4), []
        for _ in range(3):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        found.append(min(times))
    assert found[1] < 24 * found[0]
