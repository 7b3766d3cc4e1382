"""Law: a format is frozen data, its text is lossless, its derived properties are as published."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import numformats as nf
from tests.inputs import MADE

# name: bits, max, smallest normal, smallest subnormal, Inf, NaN, -0   (OCP, IEEE 754, ml_dtypes)
PUBLISHED: dict[str, tuple[int, float, float, float | None, bool, bool, bool]] = {
    "fp16": (16, 65504.0, 2.0**-14, 2.0**-24, True, True, True),
    "bf16": (16, (2 - 2.0**-7) * 2.0**127, 2.0**-126, 2.0**-133, True, True, True),
    "tf32": (19, (2 - 2.0**-10) * 2.0**127, 2.0**-126, 2.0**-136, True, True, True),
    "fp32": (32, (2 - 2.0**-23) * 2.0**127, 2.0**-126, 2.0**-149, True, True, True),
    "fp64": (64, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022, 2.0**-1074, True, True, True),
    "e5m2": (8, 57344.0, 2.0**-14, 2.0**-16, True, True, True),
    "e4m3": (8, 448.0, 2.0**-6, 2.0**-9, False, True, True),
    "e4m3_ieee": (8, 240.0, 2.0**-6, 2.0**-9, True, True, True),
    "e3m4": (8, 15.5, 2.0**-2, 2.0**-6, True, True, True),
    "e4m3fnuz": (8, 240.0, 2.0**-7, 2.0**-10, False, True, False),
    "e5m2fnuz": (8, 57344.0, 2.0**-15, 2.0**-17, False, True, False),
    "e4m3b11fnuz": (8, 30.0, 2.0**-10, 2.0**-13, False, True, False),
    "e3m2": (6, 28.0, 2.0**-2, 2.0**-4, False, False, True),
    "e2m3": (6, 7.5, 1.0, 2.0**-3, False, False, True),
    "e2m1": (4, 6.0, 1.0, 0.5, False, False, True),
    "e8m0": (8, 2.0**127, 2.0**-127, None, False, True, False),
    "dlfloat16": (16, 8573157376.0, 2.0**-30, None, False, True, True),
    "binary8p4se": (8, 224.0, 2.0**-7, 2.0**-10, True, True, False),
    "binary8p3se": (8, 49152.0, 2.0**-15, 2.0**-17, True, True, False),
    "binary4p2sf": (4, 3.0, 0.5, 0.25, False, True, False),
}
# name: element, block, scale, emax of the element   (OCP MX 1.0; NVIDIA)
BLOCKS: dict[str, tuple[str, int, str, int]] = {
    "mxfp8_e5m2": ("e5m2", 32, "e8m0", 15),
    "mxfp8_e4m3": ("e4m3", 32, "e8m0", 8),
    "mxfp6_e3m2": ("e3m2", 32, "e8m0", 4),
    "mxfp6_e2m3": ("e2m3", 32, "e8m0", 2),
    "mxfp4": ("e2m1", 32, "e8m0", 2),
    "mxint8": ("fixed<8,6,symmetric=true>", 32, "e8m0", 0),
    "nvfp4": ("e2m1", 16, "e4m3", 2),
}
EVERY = nf.formats() | MADE


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_properties(name: str) -> None:
    bits, top, normal, subnormal, has_inf, has_nan, has_minus_zero = PUBLISHED[name]
    fmt = nf.parse(name)
    assert fmt.bits == bits
    assert fmt.max == top
    assert fmt.smallest_normal == normal
    assert fmt.smallest_subnormal == subnormal
    assert (fmt.has_inf, fmt.has_nan, fmt.has_negative_zero) == (has_inf, has_nan, has_minus_zero)
    assert fmt.min == (-top if fmt.signed else normal)
    assert fmt.code_count == 2**bits


def test_published_properties_of_e8m0_at_both_ends() -> None:
    assert (nf.E8M0.min, nf.E8M0.smallest) == (2.0**-127, 2.0**-127)


@pytest.mark.parametrize("name", BLOCKS)
def test_published_blocks(name: str) -> None:
    element, size, scale, emax = BLOCKS[name]
    fmt = nf.parse(name)
    assert fmt.element == nf.parse(element)
    assert fmt.block_size == size
    assert fmt.scale == nf.parse(scale)
    assert fmt.element_emax == emax
    assert fmt.axis == -1


def test_constants_of_the_package_are_the_catalog() -> None:
    """``nf.E4M3`` is ``nf.formats()["e4m3"]``, for every name that Python can spell."""
    for name, fmt in nf.formats().items():
        assert getattr(nf, name.upper()) == fmt, name


def test_the_catalog_is_a_copy() -> None:
    nf.formats().clear()
    assert "e4m3" in nf.formats()


@pytest.mark.parametrize("name", nf.formats())
def test_catalog_names_are_the_texts(name: str) -> None:
    assert str(nf.formats()[name]) == name
    assert nf.parse(name.upper()) == nf.formats()[name]


@pytest.mark.parametrize("name", EVERY)
def test_text_pickle_copy_and_hash(name: str) -> None:
    fmt: Any = EVERY[name]
    assert nf.parse(str(fmt)) == fmt
    assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert copy.deepcopy(fmt) == fmt
    assert {fmt: 1}[nf.parse(str(fmt))] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        fmt.overflow = "wrap"


def built(make: Any, **fields: Any) -> Any:
    """The format, or None where the fields do not go together."""
    try:
        return make(**fields)
    except ValueError:
        return None


flags = st.booleans()
fixed = st.builds(
    built,
    st.just(nf.FixedPoint),
    word_bits=st.integers(1, 32),
    frac_bits=st.integers(-40, 60),
    signed=flags,
    symmetric=flags,
    overflow=st.sampled_from(["saturate", "wrap"]),
).filter(lambda f: f is not None)
floats = st.builds(
    built,
    st.just(nf.Float),
    exp_bits=st.integers(1, 11),
    man_bits=st.integers(0, 52),
    bias=st.none() | st.integers(-20, 1040),
    signed=flags,
    subnormals=flags,
    zero=flags,
    specials=st.sampled_from(["ieee", "fn", "fnuz", "finite", "p3109", "p3109_finite"]),
    overflow=st.sampled_from(["saturate", "clamp", "infinity", "nan"]),
).filter(lambda f: f is not None)
sizes = st.none() | st.integers(1, 4096)
blocks = st.builds(
    built,
    st.just(nf.BlockFloat),
    element=fixed | floats,
    block_size=sizes | st.tuples(sizes, sizes),
    scale=st.sampled_from([nf.E8M0, nf.E4M3, nf.parse("binary8p1ue"), nf.Float(5, 3)]),
    axis=st.integers(-3, 3) | st.just((0, 1)) | st.just((-1,)),
    scale_rule=st.sampled_from(["floor", "ceil", "rceil", "even"]),
    tensor_scale=flags,
).filter(lambda f: f is not None)


@given(fixed | floats | blocks)
def test_any_format_survives_its_text(fmt: Any) -> None:
    assert nf.parse(str(fmt)) == fmt
    assert nf.parse(f" {str(fmt).upper()} ") == fmt


@pytest.mark.parametrize(
    "text, fmt",
    [
        ("fixed<8,3>", nf.FixedPoint(8, 3)),
        ("float<4,3,specials=fn>", nf.Float(4, 3, specials="fn")),
        ("bfp<8,block=16>", nf.BlockFloat(nf.FixedPoint(8, 6), 16)),
        ("E4M3", nf.Float(4, 3, specials="fn")),
        ("binary8p4se", nf.Float(4, 3, specials="p3109")),
        ("float<11,52>", nf.Float(11, 52)),
    ],
)
def test_texts_of_the_design(text: str, fmt: Any) -> None:
    assert nf.parse(text) == fmt


def test_tiles_over_a_whole_axis_come_back_from_their_text() -> None:
    fmt = nf.BlockFloat(nf.E4M3, (16, None), axis=(0, 1))
    assert str(fmt) == "block<e4m3,block=16xnone,axis=0x1>"
    assert nf.parse(str(fmt)) == fmt
    assert nf.parse("block<e4m3,block=nonex16,axis=0x1>").block_size == (None, 16)
