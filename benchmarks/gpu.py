"""Speed of rounding on a GPU as a share of a device-to-device copy in the same run, and of matrix
products.

Run ``make gpu-check`` (or ``python -m benchmarks.gpu --out FOLDER``) on a machine with a GPU. Every
case alternates with the copy; times come from CUDA events. Writes ``gpu.json`` and ``gpu.md`` after
every case; one that fails is a row with its error.
"""

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import numformats as nf
from benchmarks.gpu_about import about
from benchmarks.gpu_peers import peers
from benchmarks.gpu_tables import LAUNCH_BAR, Row, judged, report

CASES = [
    ("e4m3", "nearest_even", 0.90), ("e5m2", "nearest_even", 0.90), ("bf16", "nearest_even", 0.90),
    ("e4m3", "toward_zero", 0.90), ("fixed<8,4>", "nearest_even", 0.90),
    ("mxfp8_e4m3", "nearest_even", 0.80), ("mxfp4", "nearest_even", 0.80),
    ("nvfp4", "nearest_even", 0.80), ("nvfp4, scale given", "nearest_even", 0.80),
    ("bfp<8,block=16>", "nearest_even", 0.80),
    ("e4m3", "stochastic", 0.65), ("fixed<8,4>", "stochastic", 0.65),
    ("bfp<8,block=16>", "stochastic", 0.65), ("nvfp4", "stochastic", 0.65),
    ("nvfp4, scale given", "stochastic", 0.65),
    ("e4m3", "variance_corrected", 0.50), ("fixed<8,4>", "variance_corrected", 0.50),
    ("mxfp8_e4m3", "variance_corrected", 0.0), ("bfp<8,block=16>", "variance_corrected", 0.0),
    ("fixed<8,6>", "langevin_low", 0.0), ("fixed<8,6>", "langevin_vc", 0.50),
    ("fixed<8,6>", "underdamped_low", 0.0), ("fixed<8,6>", "underdamped_vc", 0.0),
    ("e4m3", "underdamped_vc", 0.0),
]  # fmt: skip
# moved for an element; others move 8. Gradient and velocity of underdamped steps are one array.
BYTES = {"langevin_low": 12, "langevin_vc": 12, "underdamped_low": 24, "underdamped_vc": 32}
# friction 2, inverse mass 1, step size 0.1, on 10^5 data
MOMENTS = nf.UnderdampedMoments(0.819, 0.0906, 0.0906, 0.0047, 3.3e-06, 1.1e-08, 1.6e-07)
PRODUCTS = [("nvidia-h100", "e4m3", "wgmma"), ("nvidia-h100", "fp16", "wgmma")]
PRODUCTS_BAR = 1e11  # multiply-adds a second of CuPy


def run(x: torch.Tensor, fmt: str, rounding: str, out: torch.Tensor, backend: str) -> Any:
    """One case, and what it gives."""
    kind, _, accumulator = rounding.partition("_")
    if rounding in BYTES:
        how = {"accumulator": "low" if accumulator == "low" else "variance_corrected"}
        how |= {"key": 1, "weight": fmt, "gradient": fmt, "backend": backend}
        if kind == "langevin":
            return nf.langevin_step(out, x, lr=0.1, variance=0.01, inplace=True, **how)
        return nf.underdamped_step(out, x, x, moments=MOMENTS, **how)
    if rounding == "variance_corrected":
        return nf.variance_corrected(x, 0.01, fmt, key=1, out=out, backend=backend)
    name, _, given = fmt.partition(", ")
    whole = 0.01 if given else None
    return nf.quantize(x, name, rounding, key=1, tensor_scale=whole, out=out, backend=backend)


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


def calls(backends: list[str]) -> Iterator[Row]:
    """A row for every backend: one small call."""
    for backend in backends:
        row: Row = {"backend": backend, "bar": LAUNCH_BAR if backend == "cupy_cuda" else 0.0}
        row = attempted(row, lambda b=backend: {"microseconds": launch_microseconds(b)})
        if row["bar"]:
            row["held"] = row.get("microseconds", float("inf")) < row["bar"]
        yield row


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


def measured(backends: list[str], elements: int, rounds: int) -> Iterator[Row]:
    """A row for every case and backend."""
    x = torch.randn(elements, device="cuda") * 4
    for fmt, rounding, bar in CASES:
        for backend in backends:
            case = partial(run, x, fmt, rounding, torch.zeros_like(x), backend)
            row = {"format": fmt, "rounding": rounding, "backend": backend, "bar": bar}
            moved = BYTES.get(rounding, 8)
            yield attempted(row, partial(bandwidth, case, x, moved, rounds))


def peer_rows(elements: int, rounds: int) -> Iterator[Row]:
    """As ``measured``, for other libraries, which allocate their results."""
    x = torch.randn(elements, device="cuda") * 4
    found, missing = peers()
    for name, (call, moved) in found.items():
        case = partial(bandwidth, partial(call, x), x, moved, rounds)
        yield attempted({"library": name}, case)
    yield from ({"library": name, "error": why} for name, why in missing.items())


def product_rate(engine: Any, inputs: str, size: int, backend: str) -> Row:
    """Multiply-adds a second of a square product, operands split anew."""
    a, b = (nf.quantize(torch.randn(size, size, device="cuda"), inputs) for _ in range(2))
    case = partial(nf.matmul, a, b, engine=engine, backend=backend)
    case()
    wall = statistics.median(milliseconds(case, 1) for _ in range(3))
    return {"multiply_adds_per_second": size**3 / wall * 1000}


def products(backends: list[str], size: int) -> Iterator[Row]:
    """A row for every unit and backend."""
    for chip, inputs, path in PRODUCTS:
        engine = nf.engine(chip, inputs=inputs, path=path)
        for backend in backends:
            row = {"unit": f"{chip} {path} {inputs}", "backend": backend, "size": size}
            row["bar"] = PRODUCTS_BAR
            yield attempted(row, partial(product_rate, engine, inputs, size, backend))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-check"))
    parser.add_argument("--elements", type=int, default=1 << 28)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", type=int, default=4096, help="of matrix products")
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
    for name, part in parts.items():
        try:
            for row in part():
                add(found, name, row, options.out)
        except Exception as error:  # what a part needs for all its cases
            found["about"][f"{name} ended early"] = said(error)
    print(report(found))


def add(found: dict[str, Any], name: str, row: Row, out: pathlib.Path) -> None:
    """Add a row to a part, and write everything so far."""
    found[name].append(row)
    if judge := {"rows": "share", "products": "multiply_adds_per_second"}.get(name):
        found[name] = judged(found[name], judge)
    (out / "gpu.json").write_text(json.dumps(found, indent=1))
    (out / "gpu.md").write_text(report(found))


if __name__ == "__main__":
    main()
