"""Speed of rounding on a GPU as a share of a device-to-device copy in the same run, and of matrix
products.

Run ``make gpu-check`` (or ``python -m benchmarks.gpu --out FOLDER``) on a machine with a GPU. Every
case alternates with the copy; times come from CUDA events. Writes ``gpu.json`` and ``gpu.md`` after
every case; one that fails is a row with its error, and after one that costs the process its device
(a fault in a kernel) a new process goes on.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import numformats as nf
from benchmarks.gpu_about import about
from benchmarks.gpu_cases import BYTES, CASES, PRODUCTS, PRODUCTS_BAR, run
from benchmarks.gpu_lost import lost
from benchmarks.gpu_peers import peers
from benchmarks.gpu_tables import LAUNCH_BAR, Row, judged, report

Case = tuple[Row, Callable[[], Row]]  # what a row says of itself, and what measures the rest


def milliseconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Time of one call on the device."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / repeats


def attempted(row: Row, measure: Callable[[], Row]) -> Row:
    """The row with what was measured, or with the error."""
    try:
        return row | measure()
    except Exception as error:  # one case is not the run
        return row | {"error": said(error)}


def said(error: Exception) -> str:
    """An error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def launch_microseconds(backend: str) -> float:
    """Time that one small call takes of the caller."""
    x, out = torch.randn(1024, device="cuda"), torch.empty(1024, device="cuda")
    call = partial(run, x, "e4m3", "nearest_even", out, backend)
    for _ in range(100):
        call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(1000):
        call()
    taken = time.perf_counter() - start
    torch.cuda.synchronize()
    return taken * 1000


def calls(backends: list[str]) -> Iterator[Case]:
    """One small call, for every backend."""
    for backend in backends:
        bar = LAUNCH_BAR if backend == "cupy_cuda" else 0.0
        row: Row = {"backend": backend, "bar": bar} | ({"held": False} if bar else {})
        yield row, partial(small_call, backend, bar)


def small_call(backend: str, bar: float) -> Row:
    """What a row of ``calls`` says."""
    taken = launch_microseconds(backend)
    return {"microseconds": taken} | ({"held": taken < bar} if bar else {})


def bandwidth(case: Callable[[], object], x: torch.Tensor, moved: int, rounds: int) -> Row:
    """Share of a copy of ``x``, and GB/s, of a case that moves so many bytes an element: medians of
    rounds in which the two alternate."""
    copied = torch.empty_like(x)
    case()
    pairs = [(milliseconds(lambda: copied.copy_(x)), milliseconds(case)) for _ in range(rounds)]
    copy, wall = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "share": statistics.median(a / b for a, b in pairs) * moved / 8,
        "gigabytes_per_second": moved * 1e-6 * x.numel() / wall,
        "copy_gigabytes_per_second": 8e-6 * x.numel() / copy,
    }


def measured(backends: list[str], elements: int, rounds: int) -> Iterator[Case]:
    """Every case, for every backend."""
    x = torch.randn(elements, device="cuda") * 4
    for fmt, rounding, bar in CASES:
        for backend in backends:
            case = partial(run, x, fmt, rounding, torch.zeros_like(x), backend)
            row = {"format": fmt, "rounding": rounding, "backend": backend, "bar": bar}
            moved = BYTES.get(rounding, 8)
            yield row, partial(bandwidth, case, x, moved, rounds)


def peer_rows(elements: int, rounds: int) -> Iterator[Case]:
    """As ``measured``, for other libraries, which allocate their results."""
    x = torch.randn(elements, device="cuda") * 4
    found, missing = peers()
    for name, (call, moved) in found.items():
        yield {"library": name}, partial(bandwidth, partial(call, x), x, moved, rounds)
    yield from (({"library": name, "error": why}, dict) for name, why in missing.items())


def product_rate(engine: Any, inputs: str, size: int, backend: str) -> Row:
    """Multiply-adds a second of a square product, operands split anew."""
    a, b = (nf.quantize(torch.randn(size, size, device="cuda"), inputs) for _ in range(2))
    case = partial(nf.matmul, a, b, engine=engine, backend=backend)
    case()
    wall = statistics.median(milliseconds(case, 1) for _ in range(3))
    return {"multiply_adds_per_second": size**3 / wall * 1000}


def products(backends: list[str], size: int) -> Iterator[Case]:
    """Every unit, for every backend."""
    for chip, inputs, path in PRODUCTS:
        engine = nf.engine(chip, inputs=inputs, path=path)
        for backend in backends:
            row = {"unit": f"{chip} {path} {inputs}", "backend": backend, "size": size}
            row["bar"] = PRODUCTS_BAR
            yield row, partial(product_rate, engine, inputs, size, backend)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-check"))
    parser.add_argument("--elements", type=int, default=1 << 28)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", type=int, default=4096, help="of matrix products")
    parser.add_argument("--resume", action="store_true", help="with the rows that are missing")
    options = parser.parse_args()
    able = [n for n in ("cupy_cuda", "numba_cuda") if nf.backends()[n].available]
    if not able:
        reasons = "; ".join(f"{n}: {b.reason}" for n, b in nf.backends().items() if b.reason)
        parser.exit(1, f"no CUDA backend can run here ({reasons})\n")
    found: dict[str, Any] = {"about": about(options.elements, able)}
    parts = {
        "calls": partial(calls, able),
        "rows": partial(measured, able, options.elements, options.rounds),
        "peers": partial(peer_rows, options.elements, options.rounds),
        "products": partial(products, able, options.size),
    }
    found |= {name: [] for name in parts}
    options.out.mkdir(parents=True, exist_ok=True)
    if options.resume:
        found |= json.loads((options.out / "gpu.json").read_text())
    for name, part in parts.items():
        try:
            for at, (row, measure) in enumerate(part()):
                if at < len(found[name]):
                    continue
                add(found, name, attempted(row, measure), options.out)
                if lost():
                    begin_anew()
        except Exception as error:  # what a part needs for all its cases
            found["about"][f"{name} ended early"] = said(error)
    print(report(found))


def begin_anew() -> None:
    """Go on in a new process, in the place of this one."""
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--resume"]
    os.execv(sys.executable, command)


def add(found: dict[str, Any], name: str, row: Row, out: pathlib.Path) -> None:
    """Add a row to a part, and write everything so far."""
    found[name].append(row)
    if judge := {"rows": "share", "products": "multiply_adds_per_second"}.get(name):
        found[name] = judged(found[name], judge)
    (out / "gpu.json").write_text(json.dumps(found, indent=1))
    (out / "gpu.md").write_text(report(found))


if __name__ == "__main__":
    main()
