"""Facts about matrix units that papers and manuals state, each with a unit for which it fails."""

from __future__ import annotations

from dataclasses import replace
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
    PairedDot,
    RoundDownFDPA,
    TruncatedFDPA,
)
from tests.engines.inputs import bits

UNITS = list({u.engine: u for u in nf.engines.units() if u.a == u.b}.values())
FUSED = (TruncatedFDPA, GroupScaledFDPA, ExactFDPA, RoundDownFDPA)
RNG = np.random.default_rng(12)


def of(*kinds: type) -> list[Any]:
    return [unit for unit in UNITS if isinstance(unit.engine, kinds)]


def label(unit: Any) -> str:
    return "-".join(str(x) for x in (*unit[:5], unit.scale, unit.scale_block) if x)


def run(unit: Any, a: Any, b: Any, c: Any = None) -> Any:
    """A product with scales of one."""
    names = {}
    if unit.scale:
        count = -(-a.shape[1] // unit.scale_block)
        names = {"scale_a": np.ones((a.shape[0], count)), "scale_b": np.ones((count, b.shape[1]))}
    with np.errstate(all="ignore"):
        return nf.matmul(a, b, c, engine=unit.engine, **names)


def operands(unit: Any, rows: int, k: int) -> tuple[Any, Any, Any]:
    def some(*shape: int) -> Any:
        return nf.quantize(RNG.uniform(-2, 2, shape) * np.exp2(RNG.integers(-7, 8, shape)), unit.a)

    c = nf.quantize(RNG.standard_normal((rows, rows)), unit.engine.c_values)
    return some(rows, k), some(k, rows), c


def length(unit: Any) -> int:
    return int(getattr(unit.engine, "length", 16))


@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_only_rounding_down_breaks_odd_symmetry(unit: Any) -> None:
    """Negated operands give negated results, but on CDNA3 (Xie et al. 2025)."""
    a, b, c = operands(unit, 64, 64)
    differ = np.count_nonzero(run(unit, a, b, c) != -run(unit, -a, b, -c))
    assert differ > 100 if isinstance(unit.engine, RoundDownFDPA) else differ == 0


def dealt(k: int) -> Any:
    """Another order of k, in which even places stay even, as they are summed apart on CDNA3."""
    order = np.arange(k)
    order[::2], order[1::2] = order[::2][::-1].copy(), order[1::2][::-1].copy()
    return order


@pytest.mark.parametrize("unit", of(*FUSED), ids=label)
def test_the_order_within_a_group_does_not_matter(unit: Any) -> None:
    a, b, c = operands(unit, 100, length(unit))
    order = dealt(length(unit))
    np.testing.assert_array_equal(run(unit, a, b, c), run(unit, a[:, order], b[order], c))


@pytest.mark.parametrize("unit", of(FMAChain, FlushedAddMul, PairedDot, EmulatedFDPA), ids=label)
def test_the_order_in_chains_and_trees_matters(unit: Any) -> None:
    """The control: sums that are rounded on the way."""
    a, b, c = operands(unit, 100, 16)
    order = dealt(16)
    assert (run(unit, a, b, c) != run(unit, a[:, order], b[order], c)).any()


@pytest.mark.parametrize("unit", of(*FUSED), ids=label)
def test_groups_do_not_associate(unit: Any) -> None:
    """Two groups in the other order give something else: each ends with a rounding."""
    k = length(unit)
    a, b, c = operands(unit, 100, 2 * k)
    order = np.roll(np.arange(2 * k), k)
    one, other = run(unit, a, b, c), run(unit, a[:, order], b[order], c)
    assert ((one != other) & np.isfinite(one)).any()


CUT = [u for u in of(TruncatedFDPA) if u.engine.rounding == "toward_zero" and not u.scale]


@pytest.mark.parametrize("unit", CUT, ids=label)
def test_truncating_units_are_not_monotonic(unit: Any) -> None:
    """A larger c can give a smaller sum, since it shifts the products out (Fasi et al. 2021).

    Products of 1 (some of 49/16) beside c = 2**(F + 1), which cuts them to 0 (to 2), and beside the
    number below c, which leaves them 1 (3). Enough of them are larger that they make up for c.
    """
    count, places = unit.engine.length, unit.engine.frac_bits + 1
    half = 2 ** (places - unit.engine.output.man_bits - 1)
    larger = max(-((count - 3 * half) // 2), 0)
    a = np.where(np.arange(count) < larger, 1.75, 1.0) * (np.arange(count) < 3 * half)
    c = np.array([[2.0**places]])
    small, large = (run(unit, a[None], a[:, None], x).item() for x in (c - half, c))
    assert (small, large) == (c.item() + 2 * half, c.item())


@pytest.mark.parametrize("unit", of(ExactFDPA, FMAChain), ids=label)
def test_exact_units_are_monotonic_in_c(unit: Any) -> None:
    """The control: one rounding after an exact sum keeps the order of sums."""
    a, b, _ = operands(unit, 1, length(unit))
    c = nf.quantize(RNG.standard_normal((5000, 1)), unit.engine.c_values)
    c = np.sort(np.concatenate([c, np.nextafter(np.float32(1), np.float32([[0], [2]]))]), axis=0)
    steps = np.diff(run(unit, np.repeat(a, c.size, 0), b, c), axis=0)
    assert (steps >= 0).all()
    assert (steps > 0).any()


@pytest.mark.parametrize("unit", CUT, ids=label)
def test_truncation_is_toward_zero(unit: Any) -> None:
    """Positive terms never sum to more than they do exactly, nor negative ones to less."""
    a, b, _ = (abs(x) for x in operands(unit, 60, 64))
    exact = a.astype(float) @ b.astype(float)
    assert (run(unit, a, b) <= exact).all()
    assert (run(unit, -a, b) >= -exact).all()
    nearest = unit._replace(engine=replace(unit.engine, rounding="nearest_even", frac_bits=32))
    if (run(unit, a, b) < exact).any():
        assert (run(nearest, a, b) > exact).any(), "the control rounds up somewhere"


@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_sums_of_negative_zeros(unit: Any) -> None:
    """+0 where terms are added as integers, flushed or accumulated from 0; other chains keep the
    common sign."""
    zero = np.zeros((2, 16))
    signs = np.signbit(run(unit, -zero, zero.T.copy(), -np.zeros((2, 2))))
    keeps = isinstance(unit.engine, FMAChain | PairedDot) and unit.path != "tdpbf16ps"
    assert signs.all() if keeps else not signs.any()


@pytest.mark.parametrize("unit", of(TruncatedFDPA, RoundDownFDPA, EmulatedFDPA), ids=label)
def test_nan_is_canonical(unit: Any) -> None:
    """0x7FFFFFFF or 0x7FFF, whatever the payload, also for Inf - Inf and Inf * 0."""
    half = unit.output == "fp16"
    c = np.array([[0x7E05 if half else 0x7FC00005]], np.uint16 if half else np.uint32)
    one, c = np.ones((1, 1)), c.view(np.float16 if half else np.float32)
    found = [run(unit, one, one, c)]
    if nf.parse(unit.a).has_inf:
        inf = one * np.inf
        found += [run(unit, inf, one * 0), run(unit, inf, one, -inf)]
    assert {int(bits(x).item()) for x in found} == {0x7FFF if half else 0x7FFFFFFF}


BROAD = [
    u
    for u in of(TruncatedFDPA, EmulatedFDPA)
    if nf.parse(u.a).emax >= (15 if u.output == "fp16" else 64) and not u.scale
]


@pytest.mark.parametrize("unit", BROAD, ids=label)
def test_overflow_is_infinite_in_every_rounding(unit: Any) -> None:
    """Conversions toward zero stop at the largest number in IEEE 754, and here at Inf."""
    top, one = float(nf.parse(unit.output).max), np.ones((1, 1))
    big, other = (2.0**15, 1.0) if unit.output == "fp16" else (2.0**64, 2.0**63)
    assert run(unit, one * big, one * other, one * top) == np.inf
    assert run(unit, -one * big, one * other, -one * top) == -np.inf
    assert run(unit, one * 0, one, one * top) == top


@pytest.mark.parametrize("unit", [u for u in UNITS if u.a == "bf16"], ids=label)
def test_subnormal_results_are_kept_but_by_flushing_units(unit: Any) -> None:
    small = np.full((1, 1), 2.0**-65)
    flushes = isinstance(unit.engine, FlushedAddMul | PairedDot)
    assert run(unit, small, small) == (0 if flushes else 2.0**-130)
    assert run(unit, small * 2.0**-66, small / small) == (0 if flushes else 2.0**-131)


FULL = [u for u in CUT if u.a not in ("e3m2", "e2m3", "e2m1")]  # others have few bits to show


@pytest.mark.parametrize("unit", FULL, ids=label)
def test_accumulators_of_22_bits_have_13_fraction_bits(unit: Any) -> None:
    """FP8 to FP32 on Ada and Hopper: the low ten bits of results are zero, elsewhere not."""
    a, b, _ = operands(unit, 60, 64)
    low = bits(run(unit, a, b)) & 0x3FF
    assert low.any() != (unit.engine.output.man_bits == 13)


def test_partial_sums_in_fp32_save_hopper_fp8() -> None:
    """DeepSeek-V3: K = 4096 loses bits in the tensor core's accumulator, and adding every 128 in
    FP32 brings them back."""
    engine = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")
    a, b = (nf.quantize(RNG.uniform(0, 1, s), "e4m3") for s in ((32, 4096), (4096, 32)))
    exact, total = a @ b, np.zeros((32, 32), np.float32)
    for k in range(0, 4096, 128):
        total += nf.matmul(a[:, k : k + 128], b[k : k + 128], engine=engine)
    plain, promoted = (np.abs(x / exact - 1).max() for x in (nf.matmul(a, b, engine=engine), total))
    assert plain > 0.02
    assert promoted < plain / 10


def test_scales_of_nvfp4_have_no_sign() -> None:
    engine = nf.engine("nvidia-b200", inputs="e2m1", path="tcgen05.mxf4nvf4", scale="e4m3")
    x, one = np.ones((1, 64)), np.ones((1, 4))
    got = [
        nf.matmul(x, x.T, engine=engine, scale_a=sign * one, scale_b=one.T).item()
        for sign in (1, -1)
    ]
    assert got == [64, 64]


@pytest.mark.parametrize("inputs", ["bf16", "tf32"])
def test_large_products_are_infinite_on_cdna3(inputs: str) -> None:
    """Products of 2**128 and more, even where c takes them back; NVIDIA adds them."""
    big = np.full((1, 1), 2.0**64)
    c = np.full((1, 1), -(2.0**127))
    for chip, wanted in (("amd-mi300", np.inf), ("nvidia-h100", 2.0**127)):
        engine = nf.engine(chip, inputs=inputs, path=None if "amd" in chip else "wgmma")
        assert nf.matmul(big, big, c, engine=engine).item() == wanted
