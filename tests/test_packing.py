"""Law: packing puts codes bit after bit, the lowest first, into ceil(n * bits / 8) bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from tests.inputs import scalar_formats


def bytes_of(codes: list[int], bits: int) -> bytes:
    """Code i occupies bits [i * bits, (i + 1) * bits) of the little-endian bit string."""
    whole = sum(code << (i * bits) for i, code in enumerate(codes))
    return whole.to_bytes((len(codes) * bits + 7) // 8, "little")


def random_codes(bits: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(bits)
    codes = rng.integers(0, 1 << bits, count, dtype=np.uint64)
    return codes.astype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 31, 100, 1001])
@pytest.mark.parametrize("bits", range(1, 33))
def test_bit_string(bits: int, count: int) -> None:
    fmt = nf.FixedPoint(bits, 0, signed=False)
    codes = random_codes(bits, count)
    packed = nf.pack(codes, fmt)
    assert packed.dtype == np.uint8
    assert packed.shape == (-(-count * bits // 8),)
    assert packed.tobytes() == bytes_of(codes.tolist(), bits)
    np.testing.assert_array_equal(nf.unpack(packed, fmt, (count,)), codes)


@pytest.mark.parametrize("bits", range(1, 33))
def test_pieces_join(bits: int) -> None:
    """Codes of several pieces, beside NumPy's own bits."""
    codes, fmt = random_codes(bits, 2 * 65536 + 13), nf.FixedPoint(bits, 0, signed=False)
    shifts = np.arange(bits, dtype=np.uint64)
    single = codes[:, None].astype(np.uint64) >> shifts & np.uint64(1)
    packed = nf.pack(codes, fmt)
    np.testing.assert_array_equal(packed, np.packbits(single.astype(np.uint8), bitorder="little"))
    np.testing.assert_array_equal(nf.unpack(packed[::-1].copy()[::-1], fmt, codes.shape), codes)


@pytest.mark.parametrize("name", scalar_formats())
def test_every_format_of_the_catalog(name: str) -> None:
    fmt = scalar_formats()[name]
    x = np.random.default_rng(2).normal(size=(7, 13))
    codes = nf.encode(x, fmt)
    packed = nf.pack(codes, fmt)
    assert packed.size == -(-91 * fmt.bits // 8)
    back = nf.unpack(packed, fmt, (7, 13))
    assert back.dtype == codes.dtype
    np.testing.assert_array_equal(back, codes)


def test_four_bits_put_the_first_code_low() -> None:
    np.testing.assert_array_equal(nf.pack(np.uint8([1, 2, 3]), nf.E2M1), np.uint8([0x21, 0x03]))


def test_strided_codes() -> None:
    codes = np.arange(16, dtype=np.uint8)
    wanted = nf.pack(codes[::-2].copy(), nf.E2M1)
    np.testing.assert_array_equal(nf.pack(codes[::-2], nf.E2M1), wanted)


def test_torch() -> None:
    codes = torch.arange(16, dtype=torch.uint8)
    packed = nf.pack(codes, nf.E2M1)
    assert isinstance(packed, torch.Tensor)
    back = nf.unpack(packed, nf.E2M1, (16,))
    assert torch.equal(back, codes)


@pytest.mark.parametrize("shape", [(5,), (3, 2), (100,)])
def test_a_wrong_size_is_refused(shape: tuple[int, ...]) -> None:
    packed = nf.pack(np.zeros(8, np.uint8), nf.E2M1)
    with pytest.raises(ValueError, match=r"4|byte"):
        nf.unpack(packed, nf.E2M1, shape)


@pytest.mark.parametrize("code", [16, 255])
def test_codes_that_do_not_fit_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        nf.pack(np.uint8([1, code]), nf.E2M1)


@pytest.mark.parametrize("codes", [np.float32([1.0]), [1.5]])
def test_floats_are_not_codes(codes: Any) -> None:
    with pytest.raises(TypeError, match=r"float|list"):
        nf.pack(codes, nf.E2M1)


@pytest.mark.parametrize(
    "shape, error, words",
    [
        ((-1, -2), ValueError, r"shape is \(-1, -2\); write numbers of at least 0"),
        (-2, ValueError, "shape is -2"),
        (1.5, TypeError, "shape is 1.5; write an int or a tuple of ints"),
        ("ab", TypeError, "shape is 'ab'"),
    ],
)
def test_shapes_that_are_none(shape: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        nf.unpack(np.uint8([0x21]), "e2m1", shape)


def test_sizes_may_be_numpys() -> None:
    packed = nf.pack(np.uint8([1, 2, 3]), "e2m1")
    assert nf.unpack(packed, "e2m1", np.int64(3)).tolist() == [1, 2, 3]
    assert nf.Codes(packed, "e2m1", 3).values().tolist() == [0.5, 1.0, 1.5]
