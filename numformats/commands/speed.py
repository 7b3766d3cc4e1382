"""``numformats bench``: how fast this machine rounds, beside a plain copy."""

import statistics
import time
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import numformats as nf
from numformats.commands.printing import AsJson, print_json, refusals

FORMATS = ("e4m3", "fixed<8,4>", "mxfp4", "bfp<8,block=16>")


def bench(
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="A format; may be given several times.")
    ] = None,
    rounding: Annotated[str, typer.Option(help="A name in nf.roundings().")] = "nearest_even",
    elements: Annotated[int, typer.Option(min=1, help="float32 elements.")] = 1 << 24,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of copy and rounding.")] = 9,
    backend: Annotated[str, typer.Option(help="A name in nf.backends(), or auto.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Elements rounded a second, and the share of numpy.copyto in the same rounds."""
    x = np.random.default_rng(0).normal(size=elements).astype(np.float32)
    out = np.empty_like(x)
    with refusals("bench"):
        rows = [_row(fmt, rounding, backend, x, out, rounds) for fmt in formats or list(FORMATS)]
    if as_json:
        print_json(rows)
        return
    table = Table(*rows[0], box=None)
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else f"{v}" for v in row.values()))
    Console().print(table)


def _row(fmt: str, rounding: str, backend: str, x: Any, out: Any, rounds: int) -> dict[str, Any]:
    def run() -> None:
        nf.quantize(x, fmt, rounding, key=0, backend=backend, out=out)

    def copy() -> None:
        np.copyto(out, x)

    run()
    pairs = [(_seconds(copy), _seconds(run)) for _ in range(rounds)]
    taken = statistics.median(b for _, b in pairs)
    return {
        "format": str(nf.parse(fmt)), "rounding": rounding,
        "M elements/s": round(x.size / taken / 1e6),
        "share of copy": statistics.median(a / b for a, b in pairs),
    }  # fmt: skip


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
