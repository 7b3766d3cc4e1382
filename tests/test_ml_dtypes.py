"""Law: every float of 16, 8, 6 and 4 bits agrees with ml_dtypes, NumPy and torch bit for bit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import numformats as nf
from tests.inputs import assert_same, random_patterns, with_neighbours

# peer dtype -> (our name, how the peer treats what lies beyond the largest value)
PEERS: dict[str, tuple[Any, str, str]] = {
    "float8_e5m2": (ml_dtypes.float8_e5m2, "e5m2", "infinity"),
    "float8_e4m3": (ml_dtypes.float8_e4m3, "e4m3_ieee", "infinity"),
    "float8_e3m4": (ml_dtypes.float8_e3m4, "e3m4", "infinity"),
    "float8_e4m3fn": (ml_dtypes.float8_e4m3fn, "e4m3", "nan"),
    "float8_e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, "e4m3fnuz", "nan"),
    "float8_e5m2fnuz": (ml_dtypes.float8_e5m2fnuz, "e5m2fnuz", "nan"),
    "float8_e4m3b11fnuz": (ml_dtypes.float8_e4m3b11fnuz, "e4m3b11fnuz", "nan"),
    "float8_e8m0fnu": (ml_dtypes.float8_e8m0fnu, "e8m0", "nan"),
    "float6_e3m2fn": (ml_dtypes.float6_e3m2fn, "e3m2", "saturate"),
    "float6_e2m3fn": (ml_dtypes.float6_e2m3fn, "e2m3", "saturate"),
    "float4_e2m1fn": (ml_dtypes.float4_e2m1fn, "e2m1", "saturate"),
    "bfloat16": (ml_dtypes.bfloat16, "bf16", "infinity"),
    "float16": (np.float16, "fp16", "infinity"),
}
TORCH: dict[str, tuple[torch.dtype, str, str]] = {
    "float8_e5m2": (torch.float8_e5m2, "e5m2", "infinity"),
    "float8_e4m3fnuz": (torch.float8_e4m3fnuz, "e4m3fnuz", "nan"),
    "float8_e5m2fnuz": (torch.float8_e5m2fnuz, "e5m2fnuz", "nan"),
    "bfloat16": (torch.bfloat16, "bf16", "infinity"),
    "float16": (torch.float16, "fp16", "infinity"),
}
# ml_dtypes and torch round all of (2^-127, 1.5 * 2^-127), float32 subnormals, up to 2^-126 in E8M0;
# the nearest value is 2^-127. `test_e8m0_near_its_smallest_value` covers that interval.
E8M0_QUIRK = (2.0**-127, 1.5 * 2.0**-127)
CHUNK = 1 << 20
RANDOM_PATTERNS = 10_000_000


def ours(name: str, overflow: str) -> Any:
    return replace(nf.parse(name), overflow=overflow)


def peer_values(dtype: Any) -> np.ndarray:
    """All finite values of the peer's type, ascending."""
    size = np.dtype(dtype).itemsize
    codes = np.arange(1 << (8 * size), dtype=np.uint8 if size == 1 else np.uint16)
    values = codes.view(dtype).astype(np.float32)
    return np.unique(values[np.isfinite(values)])


@cache
def all_bfloat16_inputs() -> np.ndarray:
    return (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)


def ties_and_neighbours(dtype: Any) -> np.ndarray:
    """Every midpoint of the peer's values, every value, and the float32 next to each."""
    values = peer_values(dtype).astype(np.float64)
    middle = (values[:-1] + values[1:]) / 2
    past = values[-1] + (values[-1] - values[-2]) * np.array([0.5, 1.0, 1.5])
    points = np.concatenate([values, middle, past, -past])
    return with_neighbours(points.astype(np.float32))


def without_quirk(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return x[~((wide > E8M0_QUIRK[0]) & (wide < E8M0_QUIRK[1]))]


def assert_agrees(peer: str, x: np.ndarray) -> None:
    """Values and codes of ``x`` in our format equal the peer's cast."""
    dtype, name, overflow = PEERS[peer]
    fmt = ours(name, overflow)
    mode = "nearest_away" if name == "e8m0" else "nearest_even"  # the peer's E8M0 rounds ties away
    if not fmt.has_nan:
        x = x[~np.isnan(x)]  # the peer turns NaN into -0 here; ours keeps NaN
    x = without_quirk(x) if name == "e8m0" else x
    with np.errstate(over="ignore", invalid="ignore"):
        cast = x.astype(dtype)
    wanted = cast.astype(np.float32)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)
    codes = nf.encode(x, fmt, mode)
    bits = cast.view(np.uint8 if np.dtype(dtype).itemsize == 1 else np.uint16)
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(codes[number], bits[number])
    assert np.isnan(codes[~number].astype(bits.dtype).view(dtype).astype(np.float32)).all()
    assert_same(nf.decode(codes, fmt), wanted, x)


@pytest.mark.parametrize("peer", PEERS)
def test_all_bfloat16_inputs(peer: str) -> None:
    assert_agrees(peer, all_bfloat16_inputs())


@pytest.mark.parametrize("peer", PEERS)
def test_all_ties_and_their_neighbours(peer: str) -> None:
    assert_agrees(peer, ties_and_neighbours(PEERS[peer][0]))


@pytest.mark.parametrize("peer", PEERS)
def test_random_float32_patterns(peer: str) -> None:
    for start in range(0, RANDOM_PATTERNS, CHUNK):
        count = min(CHUNK, RANDOM_PATTERNS - start)
        assert_agrees(peer, random_patterns(count, seed=start + 7))


@pytest.mark.parametrize("peer", PEERS)
def test_bfloat16_carrier(peer: str) -> None:
    """The same codes from a bfloat16 array as from its float32 copy."""
    dtype, name, overflow = PEERS[peer]
    x = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    fmt = ours(name, overflow)
    x = x if fmt.has_nan else x[~np.isnan(x)]
    x = without_quirk(x) if name == "e8m0" else x
    mode = "nearest_away" if name == "e8m0" else "nearest_even"
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = x.astype(np.float32).astype(dtype).astype(np.float32)
    codes = nf.encode(x, fmt, mode)
    assert_same(nf.decode(codes, fmt), wanted, x)


@pytest.mark.parametrize("peer", PEERS)
def test_every_code_has_the_peers_value(peer: str) -> None:
    dtype, name, overflow = PEERS[peer]
    fmt = ours(name, overflow)
    codes = np.arange(1 << fmt.bits, dtype=np.uint8 if fmt.bits <= 8 else np.uint16)
    wanted = codes.view(dtype).astype(np.float32)
    assert_same(nf.decode(codes, fmt), wanted, codes)
    np.testing.assert_array_equal(nf.values(fmt), np.unique(wanted[np.isfinite(wanted)]))


@pytest.mark.parametrize("peer", TORCH)
def test_torch_casts(peer: str) -> None:
    dtype, name, overflow = TORCH[peer]
    points = ties_and_neighbours(PEERS[peer][0])
    x = np.concatenate([all_bfloat16_inputs(), points, random_patterns(CHUNK, seed=3)])
    tensor = torch.from_numpy(x)
    got = nf.quantize(tensor, ours(name, overflow))
    assert isinstance(got, torch.Tensor)
    assert_same(got.numpy(), tensor.to(dtype).to(torch.float32).numpy(), x)


def test_torch_cast_to_e4m3fn_in_range() -> None:
    """Within the range only: torch releases differ beyond it (NaN or the largest value)."""
    x = np.concatenate([ties_and_neighbours(ml_dtypes.float8_e4m3fn), random_patterns(CHUNK, 5)])
    x = x[np.abs(x) <= 448]
    wanted = torch.from_numpy(x).to(torch.float8_e4m3fn).to(torch.float32).numpy()
    assert_same(nf.quantize(x, nf.E4M3), wanted, x)


@pytest.mark.parametrize("mode", ["nearest_even", "nearest_away"])
def test_e8m0_near_its_smallest_value(mode: str) -> None:
    """Below 1.5 * 2^-127 the nearest value is 2^-127; the tie goes to the even code 0 or away."""
    x = np.float32([1.0, 1.01, 1.49, 1.5, 1.51, 2.0]) * np.float32(2.0**-127)
    tie = 1.0 if mode == "nearest_even" else 2.0
    wanted = np.float32([1.0, 1.0, 1.0, tie, 2.0, 2.0]) * np.float32(2.0**-127)
    assert_same(nf.quantize(x, nf.E8M0, mode), wanted, x)
