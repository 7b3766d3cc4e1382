"""Law: a product computed in stripes on a device is the whole product, holds no more than a stripe
beside operands and result, and leaves ``out`` as it was where it refuses an operand.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from numformats.engines import IntegerDot, MACChain, device_checks, device_results
from numformats.engines.stripes import Size
from tests.engines import counting
from tests.engines.inputs import assert_equal_bits
from tests.engines.test_cost import ENGINES
from tests.engines.test_device import NAME, claimed, on_device  # noqa: F401
from tests.engines.test_stripes import KINDS, operands
from tests.test_device_arrays import Claimed, ClaimedLibrary

ON_DEVICES = {name: x for name, x in ENGINES.items() if not x.host_only}
FEW = Size(30, 4), Size(450, 64), Size(1 << 20, 4, 400)  # rows, batches, elements of an operand
FP8 = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")
CHAIN = MACChain("e4m3", "e4m3", accumulator="fp16", rounding="stochastic")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.getbasetemp() / "claimed_matrices"
    return counting.use(monkeypatch, folder)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes stripes of a size, and pieces that are looked at few elements."""

    def use(size: Size) -> None:
        monkeypatch.setattr(device_results, "SIZE", size)
        monkeypatch.setattr(device_checks, "PIECE", Size(60, 1))

    return use


def product(arrays: Any, names: dict[str, Any], **how: Any) -> Any:
    scales = {k: on_device(x) if k.startswith("scale") else x for k, x in names.items()}
    given = (x if isinstance(x, Claimed) else on_device(x) for x in arrays)
    return nf.matmul(*given, backend=NAME, **scales, **how)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ON_DEVICES)
def test_stripes_join(name: str, kind: str, small: Any) -> None:
    """Of rows of one batch, and of several batches, into contiguous and strided results."""
    engine = ON_DEVICES[name]
    given, names = operands(engine, KINDS[kind], 23, 70, 9)
    wanted = nf.matmul(*given, engine=engine, **names)
    for size in FEW:
        small(size)
        assert_equal_bits(np.asarray(product(given, names, engine=engine)), wanted)
        wide = np.zeros((*wanted.shape[:-1], 18), wanted.dtype).view(Claimed)[..., ::2]
        assert product(given, names, engine=engine, out=wide) is wide
        assert_equal_bits(np.array(wide), wanted)


@pytest.mark.parametrize("size", [Size(60, 4), Size(200, 64)], ids=["rows", "batches"])
@pytest.mark.parametrize("engine", [FP8, CHAIN, ON_DEVICES["int8"]], ids=lambda e: type(e).__name__)
def test_operands_of_any_strides(engine: Any, size: Size, small: Any) -> None:
    """Transposed, reversed, with holes, with batches that no one step reaches; nothing is copied
    whole by the library."""
    small(size)
    (a, b, c), names = operands(engine, ((2, 3), (2, 3), (2, 3)), 9, 20, 7)
    kept = np.ascontiguousarray
    for change in (
        lambda x: kept(x.swapaxes(-1, -2)).swapaxes(-1, -2),
        lambda x: kept(x[..., ::-1, ::-1])[..., ::-1, ::-1],
        lambda x: kept(x.transpose(2, 0, 3, 1)).transpose(1, 3, 0, 2),
        lambda x: np.repeat(np.repeat(x, 2, -1), 3, 0)[::3, ..., ::2],
        lambda x: np.concatenate([x, x], -2)[..., : x.shape[-2], :],
        lambda x: np.broadcast_to(x[:, :1], x.shape),
    ):
        given = [change(x) for x in (a, b, c)]
        wanted = nf.matmul(*given, engine=engine, **names)
        views = [change(x.view(Claimed)) for x in (a, b, c)]
        assert not views[0].flags.c_contiguous
        out = change(np.zeros(wanted.shape, wanted.dtype)).view(Claimed)
        if not out.flags.writeable:
            out = None
        got = product(views, names, engine=engine, out=out)
        assert_equal_bits(np.array(got), wanted)
    assert ClaimedLibrary.copies == 0


@pytest.mark.parametrize("size", [Size(1 << 20, 4), Size(40, 4)], ids=["whole", "stripes"])
@pytest.mark.parametrize("name", ["bf16", "fp32"])
def test_an_operand_may_receive_the_results(name: str, size: Size, small: Any) -> None:
    """Stripes are read after others were written; c is read where its like is written. Values are
    looked at (BF16 in float32), or are not (FP32)."""
    small(size)
    rng = np.random.default_rng(1)
    engine = nf.engine("nvidia-h100" if name == "bf16" else "amd-mi100", inputs=name)
    room = nf.quantize(rng.standard_normal((48, 16), np.float32), "bf16").view(Claimed)
    kept = np.array(room)
    a, b, c = room[:16], room[16:32], room[32:]
    for third, out in ((c, a), (c, b), (c, c), (c.T, c), (c, c.T), (c, room[8:24]), (c[:1], c)):
        wanted = nf.matmul(*map(np.array, (a, b, third)), engine=engine)
        assert nf.matmul(a, b, third, engine=engine, backend=NAME, out=out) is out
        assert_equal_bits(np.array(out), wanted)
        room[...] = kept
    whole = np.arange(-128, 128, dtype=np.int32).reshape(16, 16).view(Claimed)
    wanted = nf.matmul(*[np.array(whole)] * 3, engine=IntegerDot())
    nf.matmul(whole, whole, whole, engine=IntegerDot(), backend=NAME, out=whole)
    assert_equal_bits(np.array(whole), wanted)


@pytest.mark.parametrize("size", [Size(1 << 20, 4), Size(20, 4)], ids=["whole", "stripes"])
@pytest.mark.parametrize("place", ["a", "b", "c", "scale_a", "scale_b"])
@pytest.mark.parametrize("name", ON_DEVICES)
def test_out_is_as_it_was_after_an_error(name: str, place: str, size: Size, small: Any) -> None:
    small(size)
    engine = ON_DEVICES[name]
    (a, b, c), names = operands(engine, ((), (), ()), 9, 70, 5)
    given = {"a": a, "b": b, "c": np.broadcast_to(c, (9, 5)).copy(), **names}
    if place not in given or str(engine.inputs[0]) == "fp64":
        pytest.skip("it takes no scales, or every number")
    wanted = nf.matmul(**given, engine=engine)
    out = on_device(np.full_like(wanted, 7))
    whole = isinstance(engine, IntegerDot)
    truncates = getattr(engine, "truncate_inputs", False) and place in "ab"
    given[place] = given[place].astype(np.int64 if whole else np.float64)
    given[place][-1, -1] = 1 << 40 if whole else 1e300 if truncates else 1.0 + 2.0**-40
    given = {k: x if k == "key" else on_device(x) for k, x in given.items()}
    with pytest.raises(ValueError, match=r"is no value of|the engine takes"):
        nf.matmul(**given, engine=engine, out=out, backend=NAME)
    assert (out == 7).all()


def test_an_engine_of_host_memory_leaves_out_as_it_was() -> None:
    one = np.ones((2, 2), np.float32).view(Claimed)
    with pytest.raises(ValueError, match="a lies on a CUDA device, and this engine reads it in"):
        nf.matmul(one, one, engine=ENGINES["phases"], backend=NAME, out=one)
    assert (one == 1).all()


TAKEN = [  # engine, dtype of a and b, waits, and launches of a product in one stripe
    (nf.engine("nvidia-h100", inputs="fp16"), np.float16, 0, 5),
    (nf.engine("nvidia-h100", inputs="fp16"), np.float32, 2, 5),
    (FP8, np.float16, 2, 5),
    (FP8, ml_dtypes.bfloat16, 2, 5),
    (ON_DEVICES["FMAChain"], np.float32, 0, 3),
    (CHAIN, np.float16, 2, 6),
    (ON_DEVICES["EmulatedFDPA"], np.float16, 2, 29),
    (IntegerDot(), np.int8, 0, 3),
    (IntegerDot(), np.int32, 2, 3),
    (IntegerDot(a_bits=5), np.int8, 1, 3),
]


@pytest.mark.parametrize("engine, dtype, waits, launches", TAKEN)
def test_waits_and_launches(
    engine: Any, dtype: Any, waits: int, launches: int, machine: Any, small: Any
) -> None:
    """A wait for every operand that may hold foreign values, for any number of stripes, and none
    for others. Two operands are laid out, what their groups share is joined, and results are not
    cast where they can be added up in place."""
    (a, b, _), names = operands(engine, ((), (), ()), 9, 70, 5)
    given = a.astype(dtype), b.astype(dtype)
    machine.forget()
    product(given, names, engine=engine)
    assert (machine.waits, machine.launches) == (waits, launches)
    small(Size(20, 4))
    machine.forget()
    product(given, names, engine=engine)
    assert machine.waits == waits


def test_b_is_laid_out_once(machine: Any, small: Any) -> None:
    """By stripes of one batch, and of batches that share it: launches beside those of a stripe."""
    small(Size(20, 4))
    (a, b, _), names = operands(ON_DEVICES["FMAChain"], ((3,), (), ()), 9, 20, 5)
    machine.forget()
    product((a, b), names, engine=ON_DEVICES["FMAChain"])
    assert machine.launches == 1 + 2 * 3 * 3  # b; a and the product of 3 stripes in 3 batches
    machine.forget()
    product((a, np.stack([b] * 3)), names, engine=ON_DEVICES["FMAChain"])
    assert machine.launches == 3 + 2 * 3 * 3


SIZE, PIECE = Size(2048, 32, 1 << 14), Size(512, 1)


def held(machine: Any, engine: Any, monkeypatch: pytest.MonkeyPatch, size: Size) -> tuple[int, int]:
    """Bytes held at most beside operands and results of (1000, 64), and the bound: sums of a
    stripe, what is laid out of 32 rows and of b, a table along K, what is looked at at once."""
    monkeypatch.setattr(device_results, "SIZE", size)
    monkeypatch.setattr(device_checks, "PIECE", PIECE)
    m, k, n = 1000, 64, 64
    (a, b, _), names = operands(engine, ((), (), ()), m, k, n)
    if not isinstance(engine, IntegerDot):
        a, b = a.astype(np.float64), b.astype(np.float64)  # all are looked at
    machine.forget()
    product((a, b), names, engine=engine)
    return machine.peak, 16 * SIZE.results + 24 * (SIZE.rows + n) * k + 24 * PIECE.results + 4096


@pytest.mark.parametrize("name", ON_DEVICES)
def test_no_more_than_a_stripe_is_held(name: str, machine: Any, monkeypatch: Any) -> None:
    peak, bound = held(machine, ON_DEVICES[name], monkeypatch, SIZE)
    assert peak < bound < 4 * 1000 * 64


def test_whole_operands_are_seen(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: one stripe for all results."""
    peak, bound = held(machine, CHAIN, monkeypatch, Size(1 << 24, 32))
    assert peak > bound
