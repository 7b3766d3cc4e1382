"""Formats with float scales, and arrays that are hard for them: quotients at and beside ties and
values, scales at the ends of their ranges, zeros, subnormals, Inf and NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import numformats as nf
from tests.inputs import assert_same_bits

ONE_LEVEL = replace(nf.NVFP4, tensor_scale=False)
FORMATS = {
    "nvfp4": nf.NVFP4,
    "one level": ONE_LEVEL,
    "floor": replace(nf.NVFP4, scale_rule="floor"),
    "ceil": replace(nf.NVFP4, scale_rule="ceil"),
    "blocks of 64": replace(nf.NVFP4, block_size=64),
    "e5m2 scales": replace(nf.NVFP4, scale=nf.E5M2, block_size=32),
    "bytes": nf.BlockFloat(nf.E4M3, 4, scale=nf.E4M3, scale_rule="even", tensor_scale=True),
    "blocks of 12": replace(nf.NVFP4, block_size=12),
    "columns": replace(nf.NVFP4, axis=0),
    "integers": nf.BlockFloat(nf.FixedPoint(4, 0), 32, scale=nf.FP16, scale_rule="even"),
}
CASES = [(name, "nearest_even") for name in FORMATS]
CASES += [("nvfp4", mode) for mode in ("nearest_away", "toward_positive", "to_odd")]
DRAWN = [(name, "stochastic") for name in ("nvfp4", "blocks of 12", "columns")]
DRAWN += [("bytes", "stochastic_c")]


def ties(fmt: Any, rng: np.random.Generator) -> np.ndarray:
    """Values of the element format, and points halfway, in units of scales that are values of the
    scale format times a scale of the whole array."""
    element = nf.decode(np.arange(1 << min(fmt.element.bits, 8)).astype(np.uint8), fmt.element)
    points = np.unique(element[np.isfinite(element)]).astype(np.float64)
    points = np.concatenate([points, (points[1:] + points[:-1]) / 2])
    blocks = rng.choice(points, (64, fmt.block_size))
    top = float(fmt.element.max)
    blocks[:, 0] = top
    second = np.float32(rng.uniform(1, 2) * 2.0 ** int(rng.integers(-60, 60)))
    second = second if fmt.tensor_scale else np.float32(1)
    levels = nf.quantize(rng.uniform(0.01, 400, (64, 1)), fmt.scale)
    levels[0] = min(float(fmt.scale.max), 1e30)
    return (blocks * levels * second).astype(np.float32)


def hard_arrays(fmt: Any, seed: int = 0) -> Iterator[np.ndarray]:
    """Arrays of whole blocks."""
    rng, n = np.random.default_rng(seed), 64 * fmt.block_size
    normal = rng.normal(size=n)
    yield normal.astype(np.float32)
    yield (normal * np.exp2(rng.uniform(-145, 120, n))).astype(np.float32)
    yield rng.integers(0, 1 << 32, n, np.uint32).view(np.float32)  # NaN, Inf, all sizes
    for size in (2.0**-149, 1e-38, 2.0**-62, 2.0**66, 3e38):
        yield (np.round(normal, 1) * size / 8).astype(np.float32)
    yield np.where(normal > 0, np.float32(0), -np.float32(0))
    yield np.where(np.arange(n) % 100 > 40, normal, -0.0).astype(np.float32)  # zero blocks
    spoilt = normal.astype(np.float32)
    spoilt[3], spoilt[2 * fmt.block_size], spoilt[-1] = np.inf, np.nan, -np.inf
    yield spoilt
    for _ in range(3):
        exact = ties(fmt, rng).reshape(-1)
        yield exact
        yield np.nextafter(exact, (np.sign(normal) * np.inf).astype(np.float32))


def finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x), x, np.float32(1))


def key_of(mode: str, start: int = 0) -> nf.Key | None:
    return nf.Key(6, start=start) if nf.roundings()[mode].stochastic else None


#: scales of the array that are far too small, small, fitting, far too large
GIVEN = (1e-45, 1e-36, 1.3e-12, 0.0123, 7e17, 3e38)


def compare(backend: str, fmt: Any, mode: str) -> None:
    """Rounding and encoding on ``backend`` as the reference, which divides in float64."""
    for start, x in enumerate(hard_arrays(fmt)):
        how = {"rounding": mode, "key": key_of(mode, start)}
        compare_one(backend, fmt, x.reshape(8, -1), how)
        if fmt.tensor_scale:
            scale = GIVEN[start % len(GIVEN)]
            compare_one(backend, fmt, x.reshape(8, -1), {**how, "tensor_scale": scale})


def compare_one(backend: str, fmt: Any, given: np.ndarray, how: dict[str, Any]) -> None:
    wanted = nf.quantize(given, fmt, backend="reference", **how)
    assert_same_bits(nf.quantize(given, fmt, backend=backend, **how), wanted)
    coded = nf.encode(finite(given), fmt, backend="reference", **how)
    got = nf.encode(finite(given), fmt, backend=backend, **how)
    assert_same_bits(got.codes, coded.codes)
    assert_same_bits(got.scales, coded.scales)
    assert got[2:] == coded[2:]
