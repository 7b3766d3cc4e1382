"""Law: bad input is refused before anything is computed, in words that name the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf

X = np.float32([1.0, 2.0])
COMPLEX = np.array([1 + 2j])
MAKING: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "unknown format": (lambda: nf.parse("e4m4"), ValueError, ["e4m4", "e4m3"]),
    "unknown format far from any": (lambda: nf.parse("zzz"), ValueError, ["zzz", "formats()"]),
    "unknown field": (
        lambda: nf.parse("float<4,3,special=fn>"),
        ValueError,
        ["special", "specials"],
    ),
    "unknown value": (lambda: nf.parse("float<4,3,specials=fm>"), ValueError, ["'fm'", "fn"]),
    "unclosed text": (lambda: nf.parse("float<4,3"), ValueError, ["float<4,3"]),
    "missing number": (lambda: nf.parse("float<4>"), ValueError, ["float<4>", "man_bits"]),
    "not a text": (lambda: nf.parse(8), TypeError, ["8", "int"]),
    "word of 0 bits": (lambda: nf.FixedPoint(0, 0), ValueError, ["word_bits=0", "1", "32"]),
    "word of 33 bits": (lambda: nf.FixedPoint(33, 0), ValueError, ["word_bits=33", "32"]),
    "fraction of bits": (lambda: nf.FixedPoint(8, 2.5), TypeError, ["frac_bits=2.5", "int"]),
    "bits as bool": (lambda: nf.FixedPoint(True, 0), TypeError, ["word_bits=True"]),
    "unknown fixed overflow": (
        lambda: nf.FixedPoint(8, 3, overflow="saturat"),
        ValueError,
        ["'saturat'", "saturate", "wrap"],
    ),
    "unsigned symmetric": (
        lambda: nf.FixedPoint(8, 3, signed=False, symmetric=True),
        ValueError,
        ["symmetric", "signed"],
    ),
    "no exponent": (lambda: nf.Float(0, 3), ValueError, ["exp_bits=0"]),
    "negative mantissa": (lambda: nf.Float(4, -1), ValueError, ["man_bits=-1"]),
    "mantissa of 53 bits": (lambda: nf.Float(11, 53), ValueError, ["man_bits=53", "52"]),
    "unknown specials": (
        lambda: nf.Float(4, 3, specials="fnu"),
        ValueError,
        ["'fnu'", "fnuz", "ieee"],
    ),
    "unsigned fnuz": (
        lambda: nf.Float(4, 3, signed=False, specials="fnuz"),
        ValueError,
        ["fnuz", "signed"],
    ),
    "no Inf to overflow to": (
        lambda: nf.Float(4, 3, specials="fn", overflow="infinity"),
        ValueError,
        ["infinity", "saturate"],
    ),
    "no NaN to overflow to": (
        lambda: nf.Float(2, 1, specials="finite", overflow="nan"),
        ValueError,
        ["nan", "saturate"],
    ),
    "signed without zero": (lambda: nf.Float(8, 1, zero=False), ValueError, ["zero", "signed"]),
    "no room for NaN": (lambda: nf.Float(4, 0), ValueError, ["man_bits=0", "NaN", "finite"]),
    "block of a name": (lambda: nf.BlockFloat("e4m3", 32), TypeError, ["e4m3", "Float"]),
    "block of 0": (lambda: nf.BlockFloat(nf.E2M1, 0), ValueError, ["block_size", "0"]),
    "scale that is none": (lambda: nf.BlockFloat(nf.E2M1, 32, scale=8), TypeError, ["scale", "8"]),
    "unknown scale rule": (
        lambda: nf.BlockFloat(nf.E2M1, 32, scale_rule="flor"),
        ValueError,
        ["'flor'", "floor"],
    ),
    "sizes and axes": (
        lambda: nf.BlockFloat(nf.E2M1, (2, 3), axis=(0,)),
        ValueError,
        ["axis", "block_size"],
    ),
    "one size for two axes": (
        lambda: nf.BlockFloat(nf.E2M1, 16, axis=(0, 1)),
        ValueError,
        ["axis", "block_size"],
    ),
    "tensor scale over powers of two": (
        lambda: nf.BlockFloat(nf.E2M1, 16, tensor_scale=True),
        ValueError,
        ["tensor_scale", "scale"],
    ),
}
CALLING: dict[str, tuple[Callable[[], Any], type[Exception] | tuple[Any, ...], list[str]]] = {
    "integers": (lambda: nf.quantize(np.arange(3), "e4m3"), TypeError, ["int64", "float32"]),
    "complex": (lambda: nf.quantize(COMPLEX, "e4m3"), TypeError, ["complex128", "float32"]),
    "objects": (lambda: nf.quantize(np.array([None]), "e4m3"), TypeError, ["object"]),
    "text": (lambda: nf.quantize("1.0", "e4m3"), TypeError, ["str"]),
    "none": (lambda: nf.quantize(None, "e4m3"), TypeError, ["None"]),
    "integer tensor": (lambda: nf.quantize(torch.arange(3), "e4m3"), TypeError, ["int64"]),
    "float8 tensor": (
        lambda: nf.quantize(torch.ones(3).to(torch.float8_e5m2), "e4m3"),
        TypeError,
        ["float8_e5m2"],
    ),
    "sparse tensor": (
        lambda: nf.quantize(torch.ones(3).to_sparse(), "e4m3"),
        (TypeError, ValueError),
        ["sparse"],
    ),
    "unknown format": (lambda: nf.quantize(X, "e4m33"), ValueError, ["e4m33", "e4m3"]),
    "format of another kind": (
        lambda: nf.quantize(X, np.int16),
        TypeError,
        ["int16", "format"],
    ),
    "unknown rounding": (
        lambda: nf.quantize(X, "e4m3", "nearest_evn"),
        ValueError,
        ["nearest_evn", "nearest_even"],
    ),
    "unknown backend": (
        lambda: nf.quantize(X, "e4m3", backend="numba_cpo"),
        ValueError,
        ["numba_cpo", "numba_cpu"],
    ),
    "no key": (lambda: nf.quantize(X, "e4m3", "stochastic"), ValueError, ["stochastic", "key"]),
    "no key for codes": (lambda: nf.encode(X, "e4m3", "stochastic"), ValueError, ["key"]),
    "key of another kind": (
        lambda: nf.quantize(X, "e4m3", "stochastic", key="7"),
        TypeError,
        ["'7'", "Key"],
    ),
    "fractional key": (
        lambda: nf.quantize(X, "e4m3", "stochastic", key=1.5),
        TypeError,
        ["1.5", "Key"],
    ),
    "negative seed": (lambda: nf.Key(-1), ValueError, ["seed=-1"]),
    "random bits for a plain mode": (
        lambda: nf.quantize(X, "e4m3", random_bits=4),
        ValueError,
        ["random_bits=4", "stochastic_a"],
    ),
    "0 random bits": (
        lambda: nf.quantize(X, "e4m3", "stochastic_a", key=0, random_bits=0),
        ValueError,
        ["random_bits=0", "1", "32"],
    ),
    "33 random bits": (
        lambda: nf.quantize(X, "e4m3", "stochastic_a", key=0, random_bits=33),
        ValueError,
        ["random_bits=33", "32"],
    ),
    "axis that x lacks": (
        lambda: nf.quantize(X, nf.BlockFloat(nf.E2M1, 4, axis=1)),
        ValueError,
        ["axis=1", "1 dimension"],
    ),
    "floats as codes": (lambda: nf.decode(X, "e4m3"), TypeError, ["float32"]),
    "codes beyond the format": (
        lambda: nf.decode(np.uint16([3, 300]), "e4m3"),
        ValueError,
        ["300", "256"],
    ),
    "block codes for a scalar format": (
        lambda: nf.decode(nf.encode(X, "mxfp4"), "e4m3"),
        TypeError,
        ["e4m3"],
    ),
    "plain codes for a block format": (
        lambda: nf.decode(np.uint8([1]), "mxfp4"),
        TypeError,
        ["mxfp4"],
    ),
    "NaN in a format without": (
        lambda: nf.encode(np.float32([0, np.nan]), "e2m1"),
        ValueError,
        ["NaN", "e2m1"],
    ),
    "error of nothing": (lambda: nf.error(X[:0], "e4m3"), ValueError, ["empty"]),
    "values of fp64": (lambda: nf.values("fp64"), ValueError, ["64"]),
}


def assert_words(error: BaseException, words: list[str]) -> None:
    missing = [word for word in words if word.lower() not in str(error).lower()]
    assert not missing, f"{error} does not say {missing}"


@pytest.mark.parametrize("what", MAKING)
def test_making_a_format(what: str) -> None:
    make, error, words = MAKING[what]
    with pytest.raises(error) as caught:
        make()
    assert_words(caught.value, words)


@pytest.mark.parametrize("what", CALLING)
def test_calling(what: str) -> None:
    call, error, words = CALLING[what]
    with pytest.raises(error) as caught:
        call()
    assert_words(caught.value, words)


def test_out_is_untouched_by_a_refused_call() -> None:
    out = np.full(2, 7.0, np.float32)
    with pytest.raises(ValueError, match="key"):
        nf.quantize(X, "e4m3", "stochastic", out=out)
    np.testing.assert_array_equal(out, np.float32([7.0, 7.0]))
