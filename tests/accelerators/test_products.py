"""Laws: a product on an accelerator is the product of operands that were stored one by one, with
scales as the recipe says; and both backends agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.accelerators import Accelerator, Scaling
from numformats.engines import FMAChain, IntegerDot, MultiplierRequantize
from tests.accelerators.chips import ALL, NAMES

M, K, N = 5, 150, 7


def operands(dtype: Any = np.float32) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(5)
    a, b, c = (rng.standard_normal(s) / 8 for s in ((M, K), (K, N), (M, N)))
    return a.astype(dtype), b.astype(dtype), c.astype(dtype)


def kind(chip: Accelerator) -> str:
    if isinstance(chip.engine, IntegerDot):
        return "integer"
    if chip.engine.scaled:
        return "block scales"
    return "scaled" if chip.scaling else "plain"


def of_kind(*kinds: str) -> list[str]:
    return [name for name in NAMES if kind(ALL[name]) in kinds]


def transposed(fmt: Any) -> Any:
    """``fmt`` with its blocks along the rows of a (K, N) operand."""
    if not isinstance(fmt, nf.BlockFloat) or fmt.axis is None:
        return fmt
    if isinstance(fmt.block_size, tuple):
        return replace(fmt, block_size=fmt.block_size[::-1])
    return replace(fmt, axis=-2)


@pytest.mark.parametrize("name", of_kind("plain"))
def test_plain_products(name: str) -> None:
    chip, (a, b, c) = ALL[name], operands()
    qa = nf.quantize(a, chip.activations, chip.rounding)
    qb = nf.quantize(b, transposed(chip.weights), chip.rounding)
    qc = nf.quantize(c, chip.engine.c_values)
    key = nf.Key(9).fold(2)
    wanted = nf.matmul(qa, qb, qc, engine=chip.engine, key=key)
    got = chip.matmul(a, b, c, key=9)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def edges(x: Any, step_rows: int, step_k: int, largest: float) -> Any:
    """Scales of tiles by two loops, spread to every element."""
    out = np.ones_like(x)
    for i in range(0, x.shape[0], step_rows):
        for k in range(0, x.shape[1], step_k):
            tile = (slice(i, i + step_rows), slice(k, k + step_k))
            out[tile] = np.float32(np.abs(x[tile]).max()) / np.float32(largest)
    return out


def hardware(scale: Any, scaling: Scaling) -> Any:
    """Scales that the hardware has, from the definition: the smallest power that is no smaller."""
    if not scaling.power_of_two:
        return scale
    low, high = scaling.exponents or (-126, 127)
    steps = [e for e in range(-126, 128) if e % scaling.exponent_step == 0 and low <= e <= high]
    powers = np.float32(2.0) ** np.array(steps, np.float32)
    at = np.minimum(np.searchsorted(powers, scale), len(steps) - 1)
    return powers[at].astype(np.float32)


def scaled(chip: Accelerator, x: Any, role: str) -> tuple[Any, Any]:
    """Stored elements of ``x`` (outer, K) and the scale of every element."""
    scaling, fmt = chip.scaling_of(role), chip.storage(role)
    if scaling is None:
        return nf.quantize(x, fmt, chip.rounding_of(role)), np.ones_like(x)
    rows, inner = {"tensor": x.shape, "channel": (1, K)}.get(scaling.kind) or scaling.block
    scale = hardware(edges(x, rows, inner, scaling.limit or float(fmt.max)), scaling)
    return nf.quantize(x / scale, fmt, chip.rounding_of(role)), scale


@pytest.mark.parametrize("name", of_kind("scaled"))
@pytest.mark.parametrize("with_c", [False, True])
def test_scaled_products(name: str, with_c: bool) -> None:
    chip, (a, b, c) = ALL[name], operands()
    qa, sa = scaled(chip, a, "activations")
    qb, sb = scaled(chip, np.ascontiguousarray(b.T), "weights")
    step = 128 if name == "nvidia-h100-deepseek" else K
    total = c if with_c else None
    for k in range(0, K, step):
        part = slice(k, k + step)
        product = nf.matmul(qa[:, part], qb[:, part].T, engine=chip.engine).astype(np.float32)
        product = product * (sa[:, k : k + 1] * sb[:, k : k + 1].T)
        total = product if total is None else total + product
    np.testing.assert_array_equal(chip.matmul(a, b, c if with_c else None), total)


@pytest.mark.parametrize("name", of_kind("block scales"))
def test_products_with_block_scales(name: str) -> None:
    """Equal to the unit on codes and scales that ``nf.encode`` gives for a and for b itself."""
    chip, (a, b, c) = ALL[name], operands()
    stored = {}
    for side, x, fmt, axis in (
        ("a", a, chip.activations, 1),
        ("b", b, transposed(chip.weights), 0),
    ):
        codes = nf.encode(x, fmt)
        scales = nf.decode(codes.scales, fmt.scale)
        if isinstance(fmt.block_size, tuple):
            scales = np.repeat(scales, 16, axis=1 - axis)
            scales = scales[:M] if axis else scales[:, :N]
        whole = np.float32(getattr(codes, "tensor_scale", 1.0))
        stored[side] = (nf.decode(codes.codes, fmt.element), scales, whole)
    (va, sa, ta), (vb, sb, tb) = stored["a"], stored["b"]
    two_level = chip.activations.tensor_scale
    start = None if two_level else c
    wanted = nf.matmul(va, vb, start, engine=chip.engine, scale_a=sa, scale_b=sb)
    wanted = wanted * (ta * tb) + c if two_level else wanted
    np.testing.assert_array_equal(chip.matmul(a, b, c), wanted)
    assert np.abs(wanted - (a @ b + c)).max() < 0.5


def whole_numbers(x: Any, fmt: nf.FixedPoint, scale: Any, mode: str) -> Any:
    values = nf.quantize((x / scale).astype(np.float32), fmt, mode).astype(np.float64)
    return (values * 2.0**fmt.frac_bits).astype(np.int64)


@pytest.mark.parametrize("name", of_kind("integer"))
def test_integer_products(name: str) -> None:
    """Products of int64 arrays; the sums here stay within the accumulators."""
    chip, (a, b, _) = ALL[name], operands()
    one = np.ones((1, 1), np.float32)
    sa, sb = one, one
    if chip.scaling:
        sa = np.abs(a).max(keepdims=True) / np.float32(127)
        sb = np.abs(b).max(axis=0, keepdims=True) / np.float32(127)
    ia = whole_numbers(a, chip.activations, sa, chip.rounding)
    ib = whole_numbers(b, chip.weights, sb, chip.rounding)
    acc = ia @ ib
    unit = sa.astype(np.float64) * sb  # exact
    unit = unit * 2.0 ** -(chip.activations.frac_bits + chip.weights.frac_bits)
    rule = chip.requantize
    if rule is None or isinstance(rule, MultiplierRequantize):
        wanted = acc * unit
    elif name.startswith("max78000"):
        shift = chip.weights.frac_bits
        wanted = np.clip(np.floor(acc / 2.0**shift + 0.5), -128, 127) / 128
    else:
        wanted = nf.requantize(acc, rule) / 1024.0
    np.testing.assert_array_equal(chip.matmul(a, b), wanted.astype(np.float32))


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("arm-cmsis", "arm-ethos"))])
def test_requantized_products_are_within_a_step(name: str) -> None:
    """Results are multiples of the step, as near as the rounding mode says, and saturate."""
    chip, (a, b, _) = ALL[name], operands()
    wide, step = chip.matmul(a, b), np.float32(1 / 64)
    narrow = chip.matmul(a, b, output_scale=float(step))
    units = narrow / step
    assert (units == np.rint(units)).all()
    limited = np.clip(wide, -128 * step, 127 * step)
    assert np.abs(narrow - limited).max() <= step * (1.0 if "truncate" in name else 0.501)
    assert np.abs(chip.matmul(a * 100, b * 100, output_scale=float(step))).max() <= 2
    assert "truncate" not in name or (np.abs(narrow) <= np.abs(wide) + 1e-6).all()


def test_c_of_integer_presets_is_rounded_to_the_accumulator() -> None:
    chip, (a, b, c) = ALL["max78000"], operands()
    got = chip.matmul(a, b, c)
    ia = whole_numbers(a, chip.activations, 1, chip.rounding)
    ib = whole_numbers(b, chip.weights, 1, chip.rounding)
    acc = ia @ ib + np.rint(c.astype(np.float64) * 2**14).astype(np.int64)
    wanted = np.clip((acc + 64) >> 7, -128, 127) / 128
    np.testing.assert_array_equal(got, wanted.astype(np.float32))


def test_what_integers_lack_is_refused() -> None:
    """NaN and Inf in c; in operands, where the format wraps around."""
    one = np.ones((1, 1), np.float32)
    for value in (np.nan, np.inf):
        for name in ("google-tpu-int8", "max78000", "arm-cmsis-nn-int8"):
            with pytest.raises(ValueError, match="c holds NaN or Inf"):
                ALL[name].matmul(one, one, one * np.float32(value))
    with pytest.raises(ValueError, match="NaN, or Inf, which fixed<16,10,overflow=wrap> lacks"):
        ALL["fpga-ap-fixed-16-6"].matmul(one * np.float32(np.inf), one)


def test_output_scales_of_no_columns_and_far_away() -> None:
    chip, a = ALL["arm-cmsis-nn-int8"], np.ones((1, 2), np.float32)
    assert chip.matmul(a, np.zeros((2, 0), np.float32), output_scale=0.1).shape == (1, 0)
    for scale in (1e12, 1e-30, 5e-324):
        with pytest.raises(ValueError, match=f"output_scale={scale!r} is 2\\*\\*"):
            chip.matmul(a, np.ones((2, 3), np.float32), output_scale=scale)


def test_errors_go_through_the_same_unit_in_their_own_format() -> None:
    chip = ALL["nvidia-h100-fp8"]
    unit = nf.engine("nvidia-h100", inputs=("e5m2", "e4m3"), path="wgmma")
    assert chip.engine_for(("errors", "weights")) == unit
    assert chip.engine_for(("activations", "weights")) == chip.engine
    a, b, _ = operands()
    sa, sb = (np.abs(x).max() / np.float32(m) for x, m in ((a, 57344), (b, 448)))
    wanted = nf.matmul(nf.quantize(a / sa, "e5m2"), nf.quantize(b / sb, "e4m3"), engine=unit)
    np.testing.assert_array_equal(
        chip.matmul(a, b, roles=("errors", "weights")), wanted * (sa * sb)
    )


TRAINING = [n for n in NAMES if ALL[n].errors is not None]


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("roles", [("errors", "weights"), ("activations", "errors")])
def test_backward_products_run(name: str, roles: tuple[str, str]) -> None:
    a, b, _ = operands()
    got = ALL[name].matmul(a, b, roles=roles, key=3)
    np.testing.assert_allclose(got, a @ b, atol=1.5)
    assert np.abs(got).max() > 0.1


def test_stochastic_storage_draws_by_key() -> None:
    chip, (a, b, _) = ALL["nvidia-b200-nvfp4"], operands()
    first, again, other = (chip.matmul(a, b, roles=("errors", "weights"), key=k) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    with pytest.raises(ValueError, match="key is missing"):
        chip.matmul(a, b, roles=("errors", "weights"))


@pytest.mark.parametrize("name", NAMES)
def test_backends_agree(name: str) -> None:
    a, b, _ = (x[:3, :3] for x in operands())
    one, two = (ALL[name].matmul(a, b, key=1, backend=x) for x in ("numba_cpu", "reference"))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["nvidia-h100-fp8", "nvidia-h100-deepseek", "nvidia-b200-mxfp8"])
def test_batches_are_products_one_by_one(name: str) -> None:
    """Where scales belong to rows and blocks; a scale of a tensor sees the whole batch."""
    chip, (a, b, c) = ALL[name], operands()
    batch = np.stack([a, -a])
    got = chip.matmul(batch, b, np.stack([c, -c]))
    np.testing.assert_array_equal(got[0], chip.matmul(a, b, c))
    np.testing.assert_array_equal(got[1], chip.matmul(-a, b, -c))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_zeros_and_specials_pass(value: float) -> None:
    a, b, _ = operands()
    a[0, :] = value
    got = ALL["nvidia-h100-fp8"].matmul(a, b)
    clean = ALL["nvidia-h100-fp8"].matmul(a[1:], b)
    np.testing.assert_array_equal(got[1:], clean)
    assert (got[0] == 0).all() if value == 0.0 else not np.isfinite(got[0]).any() or value == np.inf


def test_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    chip, (a, b, _) = ALL["nvidia-h100-fp8"], operands()
    got = chip.matmul(torch.from_numpy(a), torch.from_numpy(b))
    assert isinstance(got, torch.Tensor)
    np.testing.assert_array_equal(got.numpy(), chip.matmul(a, b))


def test_empty_operands_give_empty_and_zero_products() -> None:
    chip = Accelerator("scaled", weights="e4m3", activations="e4m3", scaling=Scaling("tensor"),
                       engine=ALL["nvidia-h100-fp8"].engine)  # fmt: skip
    none = np.zeros((2, 0), np.float32)
    assert (chip.matmul(none, none.T) == np.zeros((2, 2))).all()
    assert chip.matmul(np.zeros((0, 3), np.float32), np.zeros((3, 2), np.float32)).shape == (0, 2)
    assert Accelerator("f", engine=FMAChain("fp32")).matmul(none, none.T).shape == (2, 2)
