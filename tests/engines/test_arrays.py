"""Law: batches, strides, dtypes, tensors and ``out`` change where results go, not their bits."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from numformats.engines import ExactFDPA, IntegerDot, MACChain, TruncatedFDPA
from tests.engines.inputs import assert_equal_bits

torch = pytest.importorskip("torch")
ENGINE = nf.engine("nvidia-h100", inputs="fp16")
HALF = nf.engine("nvidia-h100", inputs="fp16", output="fp16")
RNG = np.random.default_rng(9)
A = RNG.standard_normal((2, 3, 7, 21)).astype(np.float16)
B = RNG.standard_normal((3, 21, 300)).astype(np.float16)
C = RNG.standard_normal((3, 7, 300)).astype(np.float32)
BACKENDS = ["numba_cpu", "reference"]


def by_hand(a: Any, b: Any, c: Any) -> Any:
    """One product of matrices after another."""
    return np.stack(
        [[nf.matmul(a[i, j], b[j], c[j], engine=ENGINE) for j in range(3)] for i in range(2)]
    )


def test_batches_are_broadcast() -> None:
    got = nf.matmul(A, B, C, engine=ENGINE)
    assert_equal_bits(got, by_hand(A, B, C))
    row = nf.matmul(A, B, C[:, :1], engine=ENGINE)  # c as well
    assert_equal_bits(row, by_hand(A, B, np.broadcast_to(C[:, :1], C.shape)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_strides_do_not_matter(backend: str) -> None:
    wanted = nf.matmul(A[0], B, C, engine=ENGINE)
    wide = np.zeros((3, 14, 42), np.float16)
    wide[:, ::2, ::-2] = A[0]
    turned = np.ascontiguousarray(B.transpose(2, 0, 1)).transpose(1, 2, 0)
    got = nf.matmul(wide[:, ::2, ::-2], turned, C, engine=ENGINE, backend=backend)
    assert_equal_bits(got, wanted)


def test_read_only_operands() -> None:
    a, b, c = A[0].copy(), B.copy(), C.copy()
    for x in (a, b, c):
        x.flags.writeable = False
    assert_equal_bits(nf.matmul(a, b, c, engine=ENGINE), nf.matmul(A[0], B, C, engine=ENGINE))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ml_dtypes.bfloat16])
def test_operand_dtypes_do_not_matter(dtype: Any) -> None:
    a, b = (nf.quantize(x.astype(np.float32), "bf16") for x in (A[0], B))
    engine = nf.engine("nvidia-h100", inputs="bf16")
    wanted = nf.matmul(a, b, C, engine=engine)
    assert_equal_bits(nf.matmul(a.astype(dtype), b.astype(dtype), C, engine=engine), wanted)


def test_truncated_operands_keep_ten_bits() -> None:
    """TF32 operands of any low bits; with other formats these would be refused."""
    engine = nf.engine("nvidia-a100", inputs="tf32")
    a, b = RNG.standard_normal((9, 12)).astype(np.float32), np.eye(12, dtype=np.float32)
    bits = a.view(np.uint32)
    wanted = (bits & np.uint32(0xFFFFE000)).view(np.float32)
    assert (wanted != a).any()
    assert_equal_bits(nf.matmul(a, b, engine=engine), wanted)


def test_results_are_in_the_output_format() -> None:
    got = nf.matmul(A, B, engine=HALF)
    assert got.dtype == np.float16
    wide = nf.matmul(A, B, engine=HALF, out=np.empty(got.shape, np.float32))
    np.testing.assert_array_equal(got.astype(np.float32), wide)
    assert nf.matmul(A, B, engine=ExactFDPA("fp16", "fp16", length=4)).dtype == np.float32


@pytest.mark.parametrize("engine", [ENGINE, HALF], ids=["fp32", "fp16"])
def test_out(engine: Any) -> None:
    wanted = nf.matmul(A, B, engine=engine)
    whole = np.full((2, 3, 300, 9), np.nan, wanted.dtype)
    out = whole[..., 1:8].swapaxes(2, 3)
    assert nf.matmul(A, B, engine=engine, out=out) is out
    np.testing.assert_array_equal(out, wanted)
    assert np.isnan(whole[..., 0]).all()


def test_out_may_be_an_operand() -> None:
    a, b = (RNG.integers(-3, 4, (16, 16)).astype(np.float32) for _ in range(2))
    for x in (a, b):
        first, second = a.copy(), b.copy()
        out = first if x is a else second
        assert nf.matmul(first, second, a, engine=ENGINE, out=out) is out
        np.testing.assert_array_equal(out, a @ b + a)


def test_tensors() -> None:
    a, b, c = (torch.from_numpy(x) for x in (A, B, C))
    got = nf.matmul(a, b, c, engine=ENGINE)
    assert isinstance(got, torch.Tensor)
    assert_equal_bits(got.numpy(), nf.matmul(A, B, C, engine=ENGINE))
    assert nf.matmul(a, b, engine=HALF).dtype == torch.float16
    chain = MACChain("bf16", "bf16", accumulator="bf16")
    low = nf.matmul(a.bfloat16(), b.bfloat16(), engine=chain)
    assert low.dtype == torch.bfloat16
    out = torch.empty(low.shape, dtype=torch.float32)
    assert nf.matmul(a.bfloat16(), b.bfloat16(), engine=chain, out=out) is out
    assert torch.equal(out, low.float())
    numbers = torch.ones(2, 3, dtype=torch.int8)
    assert nf.matmul(numbers, numbers.T, engine=IntegerDot()).dtype == torch.int32


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shape_a, shape_b", [((0, 5), (5, 3)), ((4, 5), (5, 0)), ((0, 2, 5), (5, 3))]
)
def test_empty_results(shape_a: Any, shape_b: Any, backend: str) -> None:
    got = nf.matmul(np.ones(shape_a), np.ones(shape_b), engine=ENGINE, backend=backend)
    assert got.shape == (*shape_a[:-1], shape_b[-1])


@pytest.mark.parametrize("unit", nf.engines.units()[::7], ids=lambda u: f"{u.chip}-{u.a}-{u.b}")
def test_no_products_leave_c(unit: Any) -> None:
    c = np.float32([[1.5, -2.0], [np.inf, 0.0]])
    names = {}
    if unit.scale:
        names = {"scale_a": np.ones((2, 0)), "scale_b": np.ones((0, 2))}
    got = nf.matmul(np.ones((2, 0)), np.ones((0, 2)), c, engine=unit.engine, **names)
    np.testing.assert_array_equal(got, c)


DISTINCT = {u.engine: u for u in nf.engines.units() if u.a == u.b}.values()


@pytest.mark.parametrize("unit", DISTINCT, ids=lambda u: f"{u.chip}-{u.path}-{u.a}-{u.output}")
@pytest.mark.parametrize("k", [1, 37])
def test_k_is_filled_up_with_zeros(unit: Any, k: int) -> None:
    """A K that no instruction has; the last block of scales may be a short one."""
    a, b = (nf.quantize(RNG.standard_normal(s), unit.a) for s in ((9, k), (k, 7)))
    more, names, wide = -k % 64, {}, {}
    if unit.scale:
        whole, used = 64 // unit.scale_block, -(-k // unit.scale_block)
        x, y = np.exp2(RNG.integers(-2, 3, (9, whole))), np.exp2(RNG.integers(-2, 3, (whole, 7)))
        names, wide = {"scale_a": x[:, :used], "scale_b": y[:used]}, {"scale_a": x, "scale_b": y}
    got = nf.matmul(a, b, engine=unit.engine, **names)
    filled = (np.pad(a, ((0, 0), (0, more))), np.pad(b, ((0, more), (0, 0))))
    np.testing.assert_array_equal(got, nf.matmul(*filled, engine=unit.engine, **wide))


@pytest.mark.parametrize("frac_bits", [9, 20, 27, 28, 40])
@pytest.mark.parametrize("length", [1, 3, 16])
def test_backends_agree_for_units_that_nobody_built(length: int, frac_bits: int) -> None:
    """Groups of any length, and terms of 32 and of 64 bits."""
    engine = TruncatedFDPA("bf16", "e5m2", length=length, frac_bits=frac_bits)
    a = nf.quantize(
        RNG.standard_normal((33, 50)) * np.exp2(RNG.integers(-40, 40, (33, 50))), "bf16"
    )
    b = nf.quantize(RNG.standard_normal((50, 31)) * 8, "e5m2")
    a[3, 7], b[2, 5] = np.nan, np.inf
    both = [nf.matmul(a, b, engine=engine, backend=backend) for backend in BACKENDS]
    assert_equal_bits(*both)
    wider = TruncatedFDPA("bf16", "e5m2", length=length, frac_bits=frac_bits + 1)
    if length > 1:
        assert (nf.matmul(a, b, engine=wider) != both[0]).any()


def test_enough_bits_give_the_exact_sum() -> None:
    """Where F covers all alignments, T-FDPA is the exact sum, truncated once."""
    engine = TruncatedFDPA("e4m3", "e4m3", length=64, frac_bits=43, output="fp64")
    a, b = (nf.quantize(RNG.standard_normal(s), "e4m3") for s in ((20, 64), (64, 20)))
    np.testing.assert_array_equal(nf.matmul(a, b, engine=engine, backend="reference"), a @ b)
