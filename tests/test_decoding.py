"""Law: ``decode`` gives the value that a format says of each code, times the scales, on every host
backend and for few and many codes (which are looked up in a table).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf

SIZES = (5, 1 << 10, 70_001)  # the last is shared between threads
FORMATS = [
    "e4m3", "e5m2", "e2m1", "bf16", "fp16", "fixed<8,3>", "fixed<16,8>", "fixed<24,12>",
    "binary8p3se", "e8m0",
]  # fmt: skip
LAYOUTS = {  # and the tile, 0 for all
    "block<e4m3,block=32>": (1, 32),
    "block<e2m1,block=16,scale=e4m3,scale_rule=even,tensor_scale=true>": (1, 16),
    "block<fixed<8,6>,block=none,axis=0>": (0, 1),
    "block<e2m1,block=4x8,axis=-2x-1>": (4, 8),
    "block<fixed<16,14>,block=16>": (1, 16),
    "block<fixed<24,20>,block=7>": (1, 7),
    "block<e5m2,block=none,axis=none>": (0, 0),
}


def drawn_codes(fmt: Any, size: Any) -> np.ndarray:
    top, bits = 1 << fmt.bits, next(n for n in (8, 16, 32) if fmt.bits <= n)
    return np.random.default_rng(1).integers(0, top, size).astype(f"uint{bits}")


def told(codes: np.ndarray, fmt: Any) -> np.ndarray:
    """Values by the format's own definition, each code once."""
    found, at = np.unique(codes, return_inverse=True)
    values = [fmt.value(int(code)) for code in found]
    return np.array([float(v) for v in values])[at].reshape(codes.shape)


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FORMATS)
def test_codes(name: str, size: int, backend: str) -> None:
    fmt = nf.parse(name)
    codes = drawn_codes(fmt, size)
    wanted = told(codes, fmt)
    for dtype in (np.float32, np.float64):
        got = nf.decode(codes, fmt, dtype=dtype, backend=backend)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, wanted.astype(dtype))


@pytest.mark.parametrize("shape", [(6, 32), (256, 320)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_block_codes(name: str, shape: tuple[int, int]) -> None:
    fmt = nf.parse(name)
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    codes = nf.encode(x, fmt)
    elements, scales = told(codes.codes, fmt.element), told(codes.scales, fmt.scale)
    second = codes.tensor_scale if fmt.tensor_scale else 1.0
    rows, columns = (size or n for size, n in zip(LAYOUTS[name], shape, strict=True))
    scales = scales.reshape(-(-shape[0] // rows), -(-shape[1] // columns))
    spread = np.repeat(np.repeat(scales, rows, 0)[: shape[0]], columns, 1)[:, : shape[1]]
    wanted = elements * (spread * second)
    for dtype in (np.float32, np.float64):
        got = nf.decode(codes, fmt, dtype=dtype)
        np.testing.assert_array_equal(got, wanted.astype(dtype))
    np.testing.assert_array_equal(nf.decode(codes, fmt), nf.quantize(x, fmt))


def test_what_float32_cannot_hold_is_refused() -> None:
    """-2 times 2^127 is beyond float32 where 2 - 2^-6 times 2^127 is not."""
    fmt = nf.parse("block<fixed<8,6>,block=2>")
    top = nf.BlockCodes(np.uint8([0x7F, 0x7F]), np.uint8([254]))
    assert nf.decode(top, fmt, dtype=np.float32)[0] == np.float32(Fraction(127, 64) * 2**127)
    low = top._replace(codes=np.uint8([0x80, 0x7F]))
    with pytest.raises(ValueError, match="beyond float32"):
        nf.decode(low, fmt, dtype=np.float32)
    assert nf.decode(low, fmt, dtype=np.float64)[0] == -(2.0**128)
    with pytest.raises(ValueError, match="beyond float32"):
        nf.decode(np.uint32([1 << 30]), "fixed<32,-100>", dtype=np.float32)
