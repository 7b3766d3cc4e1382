"""Speed of ``nf.matmul`` on the CPU, beside NumPy's float32 product of the same matrices.

Run ``make bench-engines`` (or ``python -m benchmarks.engines``). A case alternates with NumPy's
product; rates are medians over the rounds, in million multiply-adds a second, with
the best round beside them (a shared machine shows both). The bar is the speed
that each family was designed for.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

import numformats as nf
from numformats.engines import FMAChain, IntegerDot, MACChain

CASES: list[tuple[str, Any, int]] = [
    ("h100 wgmma e4m3", nf.engine("nvidia-h100", inputs="e4m3", path="wgmma"), 2000),
    ("h100 fp16", nf.engine("nvidia-h100", inputs="fp16"), 1500),
    ("h100 bf16", nf.engine("nvidia-h100", inputs="bf16"), 0),
    ("a100 tf32", nf.engine("nvidia-a100", inputs="tf32"), 0),
    ("b200 tcgen05 e4m3", nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05"), 0),
    (
        "b200 nvfp4",
        nf.engine("nvidia-b200", inputs="e2m1", path="tcgen05.mxf4nvf4", scale="e4m3"),
        0,
    ),
    ("h100 mma e4m3", nf.engine("nvidia-h100", inputs="e4m3", path="mma"), 0),
    ("mi300 bf16", nf.engine("amd-mi300", inputs="bf16"), 0),
    ("mi300 e4m3fnuz", nf.engine("amd-mi300", inputs="e4m3fnuz"), 0),
    ("mi250 bf16", nf.engine("amd-mi250", inputs="bf16", path="mfma_1k"), 0),
    ("mi100 fp16", nf.engine("amd-mi100", inputs="fp16"), 0),
    ("fma fp32", FMAChain("fp32"), 0),
    ("mac fp16", MACChain("e4m3", "e4m3", accumulator="fp16"), 300),
    ("mac fp16 stochastic", MACChain("e4m3", "e4m3", accumulator="fp16", rounding="stochastic"), 0),
    (
        "mac chunks of 64",
        MACChain("e5m2", "e5m2", accumulator="dlfloat16", chunk=64, outer="fp32"),
        300,
    ),
    ("int8", IntegerDot(), 4000),
]


def operands(engine: Any, n: int) -> dict[str, Any]:
    """Arguments of ``nf.matmul`` for square matrices."""
    rng = np.random.default_rng(0)
    if isinstance(engine, IntegerDot):
        low, high = -128, 128
        a, b = (rng.integers(low, high, (n, n)).astype(np.int8) for _ in range(2))
        return {"a": a, "b": b}
    fmt_a = getattr(engine, "a_format", None) or engine.fmt
    fmt_b = getattr(engine, "b_format", None) or engine.fmt
    x, y = (rng.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    found = {"a": nf.quantize(x, fmt_a), "b": nf.quantize(y, fmt_b), "key": 1}
    if engine.scaled:
        count = -(-n // engine.scale_block)
        found |= {"scale_a": np.ones((n, count)), "scale_b": np.ones((count, n))}
    return found


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the table; ``--json FILE`` also writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    n, rows = options.size, []
    x = np.random.default_rng(1).standard_normal((n, n)).astype(np.float32)
    print(f"{platform.machine()}, {numba.get_num_threads()} threads, {n}^3, numpy {np.__version__}")
    print(f"{'engine':22} {'M multiply-adds/s':>18} {'best':>7} {'bar':>6} {'NumPy float32':>14}")
    for name, engine, bar in CASES:
        if options.only not in name:
            continue
        given = operands(engine, n)

        def case(engine: Any = engine, given: dict[str, Any] = given) -> object:
            return nf.matmul(**given, engine=engine)

        case()
        pairs = [(seconds(case), seconds(lambda: x @ x)) for _ in range(options.rounds)]
        rate, plain = (n**3 / statistics.median(p[i] for p in pairs) for i in (0, 1))
        best = n**3 / min(p[0] for p in pairs)
        mark = "" if rate >= bar * 1e6 else "  missed"
        speeds = f"{rate / 1e6:18.0f} {best / 1e6:7.0f} {bar or '-':>6} {plain / 1e6:14.0f}"
        print(f"{name:22} {speeds}{mark}")
        sys.stdout.flush()
        rows.append({"engine": name, "rate": rate, "best": best, "bar": bar * 1e6, "numpy": plain})
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": platform.machine(), "size": n, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
