"""Law: what cannot be computed is refused, with what came, what was wanted and what to write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import (
    EmulatedFDPA,
    ExactFDPA,
    FlushedAddMul,
    FMAChain,
    GroupScaledFDPA,
    IntegerDot,
    MACChain,
    RoundDownFDPA,
    ShiftRequantize,
    TruncatedFDPA,
)

FP8 = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")
SCALED = nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05.mxf8f6f4")
X = np.ones((4, 4), np.float32)
DRAWS = MACChain("fp16", "fp16", accumulator="fp16", rounding="stochastic")


def test_a_value_that_the_format_lacks_is_named() -> None:
    bad = np.ones((2, 3, 4), np.float32)
    bad[1, 2, 0] = 0.3
    with pytest.raises(ValueError, match=r"a\[1, 2, 0\] = 0\.30.* nf\.quantize\(a, 'e4m3'\)"):
        nf.matmul(bad, X, engine=FP8)
    with pytest.raises(ValueError, match=r"b\[0, 0\] = 500"):
        nf.matmul(X, X * 500, engine=FP8)
    with pytest.raises(ValueError, match=r"a\[0, 0\] = inf"):
        nf.matmul(X * np.inf, X, engine=FP8)
    with pytest.raises(ValueError, match=r"c\[0, 0\] = 0\.1"):
        nf.matmul(X, X, X * 0.1, engine=nf.engine("nvidia-h100", inputs="fp16", output="fp16"))


@pytest.mark.parametrize("name", ["float<3,2,specials=finite>", "fixed<8,4>"])
def test_nan_is_refused_where_the_format_has_none(name: str) -> None:
    engine = MACChain(name, name, accumulator="fp32")
    with pytest.raises(ValueError, match=r"a\[0, 0\] = nan .*numpy\.nan_to_num\(a\)"):
        nf.matmul(X * np.nan, X, engine=engine)


ARGUMENTS: list[tuple[type, str, tuple[Any, ...], dict[str, Any]]] = [
    (ValueError, r"4 columns and b 3 rows", (X, X[:3]), {}),
    (ValueError, r"b has shape \(4,\).* b\[None, :\]", (X, X[0]), {}),
    (ValueError, r"c has shape \(\).* numpy\.reshape\(c, \(1, 1\)\)", (X, X, np.float32(1)), {}),
    (ValueError, r"do not go together", (X[None].repeat(2, 0), X[None].repeat(3, 0)), {}),
    (ValueError, r"do not go together", (X, X, np.ones((3, 4))), {}),
    (TypeError, r"dtype int64", (X.astype(int), X), {}),
    (TypeError, r"give an engine", (X, X), {"engine": "h100"}),
    (ValueError, r"takes no scales", (X, X), {"scale_a": X}),
    (ValueError, "IntegerDot takes no scales", (X, X), {"scale_a": X, "engine": IntegerDot()}),
    (ValueError, r"give scale_a and scale_b", (X, X), {"engine": SCALED}),
    (ValueError, r"needs \(4, 1\)", (X, X), {"engine": SCALED, "scale_a": X, "scale_b": X}),
    (ValueError, r"key is missing", (X, X), {"engine": DRAWS}),
    (
        ValueError,
        r"unknown backend 'numba_cpo'; did you mean 'numba_cpu'",
        (X, X),
        {"backend": "numba_cpo"},
    ),
    (TypeError, r"backend is \['x'\]; write 'auto'", (X, X), {"backend": ["x"]}),
    (ValueError, r"out has shape \(4, 3\)", (X, X), {"out": X[:, :3]}),
    (ValueError, r"numpy\.float32", (X, X), {"out": X.astype(np.float16)}),
    (TypeError, r"takes? integer arrays", (X, X), {"engine": IntegerDot()}),
    (
        ValueError,
        r"the engine takes \[-8, 7\]",
        (np.full((2, 2), 9),) * 2,
        {"engine": IntegerDot(4, 4)},
    ),
]


@pytest.mark.parametrize("kind, message, operands, names", ARGUMENTS, ids=lambda x: "")
def test_arguments(kind: type, message: str, operands: Any, names: dict[str, Any]) -> None:
    with pytest.raises(kind, match=message):
        nf.matmul(*operands, **({"engine": FP8} | names))


WHOLE = np.ones((3, 2), np.int8)
SHARED = np.lib.stride_tricks.as_strided(np.zeros(2, np.int32), (3, 2), (0, 4))
FIXED = np.zeros((3, 2), np.int32)
FIXED.setflags(write=False)
INTEGER_ARRAYS: list[tuple[type, str, Any, Any]] = [
    (ValueError, r"elements of out share their memory \(strides \(0, 4\)", WHOLE, SHARED),
    (ValueError, "out is read-only", WHOLE, FIXED),
    (TypeError, r"a is a masked array.*write a\.filled\(0\)", np.ma.masked_array(WHOLE), None),
    (TypeError, "out is a masked array", WHOLE, np.ma.zeros((3, 2), np.int32)),
]


@pytest.mark.parametrize("kind, message, a, out", INTEGER_ARRAYS, ids=lambda x: "")
def test_integer_arrays_are_those_that_floats_could_be(
    kind: type, message: str, a: Any, out: Any
) -> None:
    with pytest.raises(kind, match=message):
        nf.matmul(a, np.ones((2, 2), np.int8), engine=IntegerDot(), out=out)
    with pytest.raises(TypeError, match="acc is a masked array"):
        nf.requantize(np.ma.masked_array(FIXED), ShiftRequantize(1))


def test_scales_must_be_powers_of_two() -> None:
    for bad in (0.0, -1.0, 3.0):
        with pytest.raises(ValueError, match=r"scale_a\[0, 0\]"):
            nf.matmul(X, X, engine=SCALED, scale_a=np.full((4, 1), bad), scale_b=np.ones((1, 4)))


def test_mixed_kinds() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="a is a torch array, b is a numpy array"):
        nf.matmul(torch.ones(4, 4), X, engine=FP8)
    whole, tensor = np.ones((4, 4), np.int8), torch.ones(4, 4, dtype=torch.int8)
    with pytest.raises(TypeError, match="a is a numpy array, b is a torch array"):
        nf.matmul(whole, tensor, engine=IntegerDot())
    with pytest.raises(TypeError, match="b is a numpy array, out is a torch array"):
        nf.matmul(whole, whole, engine=IntegerDot(), out=torch.empty(4, 4, dtype=torch.int32))
    with pytest.raises(TypeError, match="a is a torch array, b is a numpy array"):
        nf.accelerator("nvidia-h100-fp8").matmul(torch.ones(4, 4), X)


NAMES: list[tuple[str, str, dict[str, Any]]] = [
    (r"unknown chip 'nvidia-h10'; did you mean 'nvidia-h100'", "nvidia-h10", {"inputs": "fp16"}),
    (r"unknown inputs 'e2m1, e2m1' of nvidia-h100; .*known", "nvidia-h100", {"inputs": "e2m1"}),
    (r"unknown output 'bf16'", "nvidia-h100", {"inputs": "fp16", "output": "bf16"}),
    (
        r"unknown path 'wgma'.*did you mean 'wgmma'",
        "nvidia-h100",
        {"inputs": "fp16", "path": "wgma"},
    ),
    (r"several units.*path='wgmma'.*path='mma'", "nvidia-h100", {"inputs": "e4m3"}),
    (r"a pair", "nvidia-h100", {"inputs": ("fp16", "fp16", "fp16")}),
    (r"several units", "nvidia-b200", {"inputs": "e2m1", "scale": "e8m0"}),
]


@pytest.mark.parametrize("message, chip, names", NAMES, ids=lambda x: "")
def test_unit_names(message: str, chip: str, names: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        nf.engine(chip, **names)


def test_aliases_and_defaults() -> None:
    assert nf.engine("NVIDIA-H200", inputs="fp16") == nf.engine("nvidia-h100", inputs="fp16")
    with pytest.raises(TypeError, match="chip is 3; write its name"):
        nf.engine(3, inputs="fp16")  # type: ignore[arg-type]
    assert nf.engine("nvidia-h200", inputs="fp16") == nf.engine("nvidia-h100", inputs="fp16")
    assert nf.engine("nvidia-a100", inputs="fp64") == FMAChain("fp64")
    mixed = nf.engine("nvidia-ada", inputs=("e4m3", "e5m2"), output="fp16")
    assert (str(mixed.a_format), str(mixed.b_format), str(mixed.results)) == (
        "e4m3",
        "e5m2",
        "fp16",
    )


ENGINES: list[tuple[str, Any]] = [
    ("frac_bits=60", lambda: TruncatedFDPA("fp16", "fp16", length=8, frac_bits=60)),
    ("length=0", lambda: TruncatedFDPA("fp16", "fp16", length=0, frac_bits=24)),
    (
        r"zero_exp=-999 is out of range; write an int in \[-998, 999\]",
        lambda: TruncatedFDPA("fp16", "fp16", length=8, frac_bits=24, zero_exp=-999),
    ),
    (
        "zero_exp=-999",
        lambda: GroupScaledFDPA("e2m1", "e2m1", scale="e8m0", scale_block=32, zero_exp=-999),
    ),
    (
        "rounding='stochastic'",
        lambda: TruncatedFDPA("fp16", "fp16", length=8, frac_bits=24, rounding="stochastic"),
    ),
    ("scale='e4m3'", lambda: TruncatedFDPA("fp16", "fp16", length=8, frac_bits=24, scale="e4m3")),
    ("a_format='e8m0'", lambda: TruncatedFDPA("e8m0", "fp16", length=8, frac_bits=24)),
    ("a_format='fp64'", lambda: RoundDownFDPA("fp64", "fp16", length=8)),
    ("a_format='mxfp4' is a BlockFloat", lambda: RoundDownFDPA("mxfp4", "fp16", length=8)),
    ("late_bits=5", lambda: RoundDownFDPA("fp16", "fp16", length=8, late_bits=5)),
    ("a_format='e4m3'", lambda: GroupScaledFDPA("e4m3", "e2m1", scale="e8m0", scale_block=32)),
    ("scale_block=24", lambda: GroupScaledFDPA("e2m1", "e2m1", scale="e8m0", scale_block=24)),
    (
        "frac_bits=80",
        lambda: GroupScaledFDPA("e2m1", "e2m1", scale="e8m0", scale_block=32, frac_bits=80),
    ),
    ("fmt='fp16'", lambda: FMAChain("fp16")),
    ("pairs=3", lambda: FlushedAddMul("fp16", pairs=3)),
    ("fmt='fp32'", lambda: FlushedAddMul("fp32", pairs=2)),
    ("chunk=3", lambda: MACChain("fp16", "fp16", accumulator="fp16", order="pairwise", chunk=3)),
    ("outer.*need chunks", lambda: MACChain("fp16", "fp16", accumulator="fp16", outer="fp32")),
    ("unknown order 'tree'", lambda: MACChain("fp16", "fp16", accumulator="fp16", order="tree")),
    ("accumulator='fp64'", lambda: MACChain("fp16", "fp16", accumulator="fp64")),
    ("54 bits", lambda: MACChain(nf.Float(8, 26), nf.Float(8, 26), accumulator="fp32")),
    ("unknown rounding", lambda: MACChain("fp16", "fp16", accumulator="fp16", rounding="even")),
    ("random_bits=4", lambda: MACChain("fp16", "fp16", accumulator="fp16", random_bits=4)),
    ("length=0", lambda: ExactFDPA("fp16", "fp16", length=0)),
    ("chunk=6", lambda: EmulatedFDPA("e4m3", "e4m3", chunk=6)),
    ("a_format='bf16'", lambda: EmulatedFDPA("bf16", "e4m3")),
    ("accumulator_bits=50", lambda: IntegerDot(overflow="saturate", accumulator_bits=50)),
    ("unknown overflow 'clamp'", lambda: IntegerDot(overflow="clamp")),
]


@pytest.mark.parametrize("message, build", ENGINES, ids=[message for message, _ in ENGINES])
def test_engines_without_meaning(message: str, build: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        build()
