"""Speed of rounding on a GPU as a share of a device-to-device copy in the same run, and of matrix
products.

Run ``make gpu-check`` (or ``python -m benchmarks.gpu --out FOLDER``) on a machine with a GPU. Every
case alternates with the copy; times come from CUDA events. Writes ``gpu.json`` and ``gpu.md``.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import numformats as nf

CASES = [
    ("e4m3", "nearest_even", 0.90), ("e5m2", "nearest_even", 0.90), ("bf16", "nearest_even", 0.90),
    ("e4m3", "toward_zero", 0.90), ("fixed<8,4>", "nearest_even", 0.90),
    ("mxfp8_e4m3", "nearest_even", 0.80), ("mxfp4", "nearest_even", 0.80),
    ("nvfp4", "nearest_even", 0.80), ("bfp<8,block=16>", "nearest_even", 0.80),
    ("e4m3", "stochastic", 0.65),
    ("fixed<8,4>", "stochastic", 0.65), ("bfp<8,block=16>", "stochastic", 0.65),
    ("e4m3", "variance_corrected", 0.50), ("fixed<8,4>", "variance_corrected", 0.50),
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
OF_CUPY = 0.7  # the bar of Numba CUDA, as a share of CuPy's


def run(x: torch.Tensor, fmt: str, rounding: str, out: torch.Tensor, backend: str) -> None:
    """One case."""
    kind, _, accumulator = rounding.partition("_")
    if rounding in BYTES:
        how = {"accumulator": "low" if accumulator == "low" else "variance_corrected"}
        how |= {"key": 1, "weight": fmt, "gradient": fmt, "backend": backend}
        if kind == "langevin":
            nf.langevin_step(out, x, lr=0.1, variance=0.01, inplace=True, **how)
        else:
            nf.underdamped_step(out, x, x, moments=MOMENTS, **how)
    elif rounding == "variance_corrected":
        nf.variance_corrected(x, 0.01, fmt, key=1, out=out, backend=backend)
    else:
        nf.quantize(x, fmt, rounding, key=1, out=out, backend=backend)


def milliseconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Time of one call on the device."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / repeats


def share(
    copy: Callable[[], object], case: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Median of copy time / case time, and the median case time in milliseconds."""
    case()
    pairs = [(milliseconds(copy), milliseconds(case)) for _ in range(rounds)]
    return statistics.median(a / b for a, b in pairs), statistics.median(b for _, b in pairs)


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


def measured(backends: list[str], elements: int, rounds: int) -> list[dict[str, Any]]:
    """A row for every case and backend."""
    x = torch.randn(elements, device="cuda") * 4
    out, copied = torch.empty_like(x), torch.empty_like(x)
    rows = []
    for fmt, rounding, bar in CASES:
        for backend in backends:
            case = partial(run, x, fmt, rounding, out, backend)
            moved = BYTES.get(rounding, 8)
            ratio, wall = share(lambda: copied.copy_(x), case, rounds)
            row = {"format": fmt, "rounding": rounding, "backend": backend}
            row |= {"share": ratio * moved / 8, "bar": bar}
            rows.append(row | {"gigabytes_per_second": moved * 1e-6 * elements / wall})
    return rows


def peers() -> dict[str, tuple[Callable[[torch.Tensor], object], int]]:
    """Published quantizers that can run here, and the bytes that each moves for an element."""
    found: dict[str, tuple[Callable[[torch.Tensor], object], int]] = {
        "torch .to(float8_e4m3fn)": (lambda x: x.to(torch.float8_e4m3fn), 5),
        "torch .to(bfloat16)": (lambda x: x.to(torch.bfloat16), 6),
    }
    try:
        from qtorch.quant import fixed_point_quantize, float_quantize
    except Exception as error:  # it compiles itself when it is imported
        print(f"qtorch is not measured: {str(error).splitlines()[0]}")
        return found
    for how in ("nearest", "stochastic"):
        found[f"qtorch e4m3 {how}"] = (partial(float_quantize, exp=4, man=3, rounding=how), 8)
        found[f"qtorch fixed<8,4> {how}"] = (
            partial(fixed_point_quantize, wl=8, fl=4, rounding=how), 8,
        )  # fmt: skip
    return found


def peer_rows(elements: int, rounds: int) -> list[dict[str, Any]]:
    """As ``measured``, for other libraries, which allocate their results."""
    x = torch.randn(elements, device="cuda") * 4
    copied, rows = torch.empty_like(x), []
    for name, (call, moved) in peers().items():
        ratio, wall = share(lambda: copied.copy_(x), partial(call, x), rounds)
        row = {"library": name, "share": ratio * moved / 8}
        rows.append(row | {"gigabytes_per_second": moved * 1e-6 * elements / wall})
    return rows


def peers_table(rows: list[dict[str, Any]]) -> str:
    """The readable form."""
    lines = ["", "| other library | share of copy | GB/s |", "|" + "---|" * 3]
    lines += [
        f"| {r['library']} | {r['share']:.2f} | {r['gigabytes_per_second']:.0f} |" for r in rows
    ]
    return "\n".join(lines) + "\n"


def products(backends: list[str], size: int) -> list[dict[str, Any]]:
    """Multiply-adds a second of square products on simulated units, operands split anew."""
    rows = []
    for chip, inputs, path in PRODUCTS:
        engine = nf.engine(chip, inputs=inputs, path=path)
        a, b = (nf.quantize(torch.randn(size, size, device="cuda"), inputs) for _ in range(2))
        for backend in backends:
            case = partial(nf.matmul, a, b, engine=engine, backend=backend)
            case()
            wall = statistics.median(milliseconds(case, 1) for _ in range(3))
            row = {"unit": f"{chip} {path} {inputs}", "backend": backend, "size": size}
            row |= {"multiply_adds_per_second": size**3 / wall * 1000, "bar": PRODUCTS_BAR}
            rows.append(row)
    return rows


def products_table(rows: list[dict[str, Any]]) -> str:
    """The readable form."""
    lines = ["", "| unit | backend | size | multiply-adds a second | bar |", "|" + "---|" * 5]
    for r in rows:
        bar = f"{r['bar']:.0e}" if r["backend"] == "cupy_cuda" else "-"
        cells = (r["unit"], r["backend"], str(r["size"]), f"{r['multiply_adds_per_second']:.2e}")
        lines.append(f"| {' | '.join(cells)} | {bar} |")
    return "\n".join(lines) + "\n"


def table(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """The readable form."""
    lines = [f"* {name}: {value}" for name, value in about.items()]
    lines += ["", "| format | rounding | backend | share of copy | bar | GB/s |", "|" + "---|" * 6]
    for r in rows:
        bar = r["bar"] if r["backend"] == "cupy_cuda" else f"{OF_CUPY} of CuPy"
        cells = (r["format"], r["rounding"], r["backend"], f"{r['share']:.2f}", str(bar))
        lines.append(f"| {' | '.join(cells)} | {r['gigabytes_per_second']:.0f} |")
    return "\n".join(lines) + "\n"


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
    major, minor = torch.cuda.get_device_capability()
    versions = {n: importlib.metadata.version(n) for n in ("torch", "numba-cuda", "numformats")}
    about = {
        "device": f"{torch.cuda.get_device_name()} (sm_{major}{minor})",
        "date": datetime.date.today().isoformat(),
        "elements": f"{options.elements} float32",
        "versions": ", ".join(f"{n} {v}" for n, v in versions.items()),
        "one small call": ", ".join(f"{n} {launch_microseconds(n):.1f} us" for n in able),
    }
    rows = measured(able, options.elements, options.rounds)
    others = peer_rows(options.elements, options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    matrices = products(able, options.size)
    found = {"about": about, "rows": rows, "peers": others, "products": matrices}
    (options.out / "gpu.json").write_text(json.dumps(found, indent=1))
    text = table(rows, about) + peers_table(others) + products_table(matrices)
    (options.out / "gpu.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
