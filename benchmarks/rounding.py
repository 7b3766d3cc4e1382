"""Speed of rounding on the CPU as a share of ``torch.Tensor.copy_`` on the same buffers.

Run ``make bench`` (or ``python -m benchmarks.rounding``). Every case alternates with the copy, so
that a machine whose memory speeds up or slows down changes both; the share is the median over the
rounds of copy time / case time.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

import numformats as nf

CASES: list[tuple[str, str, str, float]] = [
    ("e4m3", "nearest_even", "scalar", 0.8),
    ("e5m2", "nearest_even", "scalar", 0.8),
    ("e2m1", "nearest_even", "scalar", 0.8),
    ("bf16", "nearest_even", "scalar", 0.8),
    ("fp16", "nearest_even", "scalar", 0.8),
    ("e4m3", "nearest_away", "scalar", 0.8),
    ("e4m3", "toward_zero", "scalar", 0.8),
    ("e4m3", "toward_positive", "scalar", 0.8),
    ("e4m3", "to_odd", "scalar", 0.8),
    ("fixed<8,4>", "nearest_even", "scalar", 0.8),
    ("fixed<16,8>", "toward_negative", "scalar", 0.8),
    ("e8m0", "nearest_even", "scalar, general", 0.8),
    ("float<4,3,subnormals=false>", "nearest_even", "scalar, general", 0.8),
    ("float<9,6>", "nearest_even", "scalar, general", 0.8),
    ("fixed<16,8,overflow=wrap>", "nearest_even", "scalar, general", 0.8),
    ("mxfp8_e4m3", "nearest_even", "blocks", 0.6),
    ("mxfp4", "nearest_even", "blocks", 0.6),
    ("mxint8", "nearest_even", "blocks", 0.6),
    ("bfp<8,block=16>", "nearest_even", "blocks", 0.6),
    ("mxfp8_e4m3 32x32", "nearest_even", "layouts", 0.0),  # no bar
    ("mxfp8_e4m3 columns", "nearest_even", "layouts", 0.0),
    ("bfp<8>, a row", "nearest_even", "layouts", 0.0),
    ("e4m3", "stochastic", "stochastic", 0.45),
    ("fixed<8,4>", "stochastic", "stochastic", 0.45),
    ("bfp<8,block=16>", "stochastic", "stochastic", 0.45),
    ("nvfp4", "nearest_even", "float scales", 0.0),
    ("nvfp4", "stochastic", "float scales", 0.0),
    ("nvfp4, scale given", "nearest_even", "float scales", 0.0),
    ("nvfp4, scale given", "stochastic", "float scales", 0.0),
    ("nvfp4 16x16", "nearest_even", "float scales", 0.0),
    ("nvfp4 columns", "nearest_even", "float scales", 0.0),
    ("e4m3", "variance_corrected", "draw", 0.0),
    ("fixed<8,4>", "variance_corrected", "draw", 0.0),
    ("e4m3, own variances", "variance_corrected", "draw", 0.0),
    ("fixed<8,4>, own variances", "variance_corrected", "draw", 0.0),
    ("mxfp8_e4m3", "variance_corrected", "draw", 0.0),
    ("mxfp8_e4m3 columns", "variance_corrected", "draw", 0.0),
    ("bfp<8,block=16>", "variance_corrected", "draw", 0.0),
    ("bfp<8>, a row", "variance_corrected", "draw", 0.0),
    ("e4m3", "encode", "codes", 0.0),
    ("e4m3", "decode", "codes", 0.0),
    ("bf16", "decode", "codes", 0.0),
    ("mxfp8_e4m3", "decode", "codes", 0.0),
    ("nvfp4", "decode", "codes", 0.0),
]
FORMATS = {
    "mxfp8_e4m3 32x32": replace(nf.MXFP8_E4M3, block_size=(32, 32), axis=(0, 1)),
    "mxfp8_e4m3 columns": replace(nf.MXFP8_E4M3, axis=0),
    "e4m3, own variances": nf.E4M3,
    "fixed<8,4>, own variances": nf.FixedPoint(8, 4),
    "bfp<8>, a row": nf.BlockFloat(nf.FixedPoint(8, 6), None, axis=1),
    "nvfp4, scale given": nf.NVFP4,
    "nvfp4 16x16": replace(nf.NVFP4, block_size=(16, 16), axis=(0, 1)),
    "nvfp4 columns": replace(nf.NVFP4, axis=0),
}
COLUMNS = 4096


def case_of(x: torch.Tensor, fmt: str, verb: str, out: torch.Tensor) -> Callable[[], object]:
    """One case: a verb by its name, else a rounding mode."""
    kind = FORMATS.get(fmt, fmt)
    if verb == "variance_corrected":
        variance = torch.full_like(x, 0.01) if fmt.endswith("own variances") else 0.01
        return partial(nf.variance_corrected, x, variance, kind, key=1, out=out)
    if verb == "encode":
        return partial(nf.encode, x, kind)
    if verb == "decode":
        return partial(nf.decode, nf.encode(x, kind), kind)
    whole = 0.01 if fmt.endswith("scale given") else None
    return partial(nf.quantize, x, kind, verb, key=1, tensor_scale=whole, out=out)


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def share(
    copy: Callable[[], object], case: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Median of copy time / case time, and the median case time."""
    case()
    pairs = [(seconds(copy), seconds(case)) for _ in range(rounds)]
    return statistics.median(a / b for a, b in pairs), statistics.median(b for _, b in pairs)


def main() -> None:
    """Print the table; ``--json FILE`` also writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=1 << 24)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    torch.manual_seed(0)
    x = torch.randn(options.elements // COLUMNS, COLUMNS) * 4
    out, copied = torch.empty_like(x), torch.empty_like(x)
    rows = []
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, {x.numel()} float32, "
        f"numpy {np.__version__}"
    )
    print(f"{'format':28} {'rounding':16} {'share of copy':>13} {'bar':>5} {'M elements/s':>13}")
    for fmt, rounding, kind, bar in CASES:
        if options.only not in f"{fmt} {rounding} {kind}":
            continue
        case = case_of(x, fmt, rounding, out)
        ratio, wall = share(lambda: copied.copy_(x), case, options.rounds)
        rate = x.numel() / wall / 1e6
        mark = "" if ratio >= bar else "  missed"
        print(f"{fmt:28} {rounding:16} {ratio:13.2f} {bar:5.2f} {rate:13.0f}{mark}")
        sys.stdout.flush()
        rows.append(
            {
                "format": fmt,
                "rounding": rounding,
                "kind": kind,
                "share": ratio,
                "bar": bar,
                "rate": rate * 1e6,
            }
        )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(
                {"machine": platform.processor() or platform.machine(), "rows": rows},
                file,
                indent=1,
            )


if __name__ == "__main__":
    main()
