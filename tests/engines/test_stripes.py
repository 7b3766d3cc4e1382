"""Law: a product computed in stripes is the whole product: same bits, same draws, same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import stripes
from tests.engines.inputs import assert_equal_bits
from tests.engines.test_cost import ENGINES

KINDS = {"one": ((), (), ()), "batches": ((5,), (5,), (5,)), "crossed": ((2, 1), (3,), (1,))}


def operands(engine: Any, leads: Any, m: int, k: int, n: int) -> tuple[Any, dict[str, Any]]:
    """Random values of the engine's formats, and what else it needs."""
    rng = np.random.default_rng(5)

    def some(fmt: Any, *shape: int) -> Any:
        return nf.quantize(rng.standard_normal(shape).astype(np.float32), fmt)

    if isinstance(engine, nf.engines.IntegerDot):
        a, b, c = (
            rng.integers(-9, 9, (*lead, *shape), np.int8)
            for lead, shape in zip(leads, ((m, k), (k, n), (m, n)), strict=True)
        )
        return (a, b, c.astype(np.int32)), {}
    a, b = some(engine.inputs[0], *leads[0], m, k), some(engine.inputs[1], *leads[1], k, n)
    names: dict[str, Any] = {"key": nf.Key(3, 1, 1 << 40)} if engine.keyed else {}
    if engine.scaled:
        count = -(-k // engine.scale_block)
        powers = {"scale_a": (*leads[0], m, count), "scale_b": (*leads[1], count, n)}
        names |= {key: np.ldexp(1.0, rng.integers(-3, 4, shape)) for key, shape in powers.items()}
    return (a, b, some(engine.c_values, *leads[2], 1, n)), names


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENGINES)
def test_stripes_join(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows of one batch, and of several batches, into contiguous and strided results."""
    engine = ENGINES[name]
    given, names = operands(engine, KINDS[kind], 23, 70, 9)
    wanted = nf.matmul(*given, engine=engine, **names)
    for rows, results in ((4, 30), (64, 450)):
        monkeypatch.setattr(stripes, "ROWS", rows)
        monkeypatch.setattr(stripes, "RESULTS", results)
        assert len(list(stripes.stripes((5, 23, 9)))) in (5 * 6, 3)
        assert_equal_bits(nf.matmul(*given, engine=engine, **names), wanted)
        wide = np.zeros((*wanted.shape[:-1], 18), wanted.dtype)[..., ::2]
        assert nf.matmul(*given, engine=engine, out=wide, **names) is wide
        assert_equal_bits(wide, wanted)


def test_an_operand_may_receive_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripes are read after others were written; c is read where its like is written."""
    monkeypatch.setattr(stripes, "ROWS", 4)
    monkeypatch.setattr(stripes, "RESULTS", 40)
    rng, engine = np.random.default_rng(1), nf.engine("nvidia-h100", inputs="bf16")
    a, b, c = (nf.quantize(rng.standard_normal((16, 16), np.float32), "bf16") for _ in range(3))
    wanted = nf.matmul(a, b, c, engine=engine)
    for x in (a, b, c, c.T):
        kept = x.copy()
        third = x if x.base is not None else c
        expected = nf.matmul(a, b, third.copy(), engine=engine) if third is not c else wanted
        assert nf.matmul(a, b, third, engine=engine, out=x) is x
        assert_equal_bits(x, expected)
        x[...] = kept
    given = c.copy()
    expected = nf.matmul(a, b, given.T.copy(), engine=engine)
    assert_equal_bits(nf.matmul(a, b, given.T, engine=engine, out=given), expected)


def test_a_bad_value_is_named_by_its_place_in_the_operand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripes, "ROWS", 4)
    monkeypatch.setattr(stripes, "RESULTS", 40)
    engine = nf.engine("nvidia-h100", inputs="fp16")
    a, b = np.ones((3, 16, 8), np.float32), np.ones((3, 8, 16), np.float32)
    for x, name in ((a, "a"), (b, "b")):
        x[2, 7, 5] = 1 + 2.0**-20
        with pytest.raises(ValueError, match=rf"{name}\[2, 7, 5\] = 1\.00000095"):
            nf.matmul(a, b, engine=engine)
        x[2, 7, 5] = 1
    scales = np.ones((16, 2), np.float32)
    mx = nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05.mxf8f6f4", scale="e8m0")
    scales[13, 1] = 3
    with pytest.raises(ValueError, match=r"scale_a\[13, 1\] = 3"):
        nf.matmul(
            np.ones((16, 64)),
            np.ones((64, 16)),
            engine=mx,
            scale_a=scales,
            scale_b=np.ones((2, 16)),
        )


@pytest.mark.parametrize("place", ["a", "b", "c", "scale_a", "scale_b"])
@pytest.mark.parametrize("name", ENGINES)
def test_out_is_as_it_was_after_an_error(name: str, place: str) -> None:
    engine = ENGINES[name]
    (a, b, c), names = operands(engine, ((), (), ()), 9, 70, 5)
    given = {"a": a, "b": b, "c": np.broadcast_to(c, (9, 5)).copy(), **names}
    if place not in given:
        pytest.skip("it takes no scales")
    wanted = nf.matmul(**given, engine=engine)
    out = np.full_like(wanted, 7)
    if isinstance(engine, nf.engines.IntegerDot):
        given[place] = given[place].astype(np.int64)
        given[place][-1, -1] = 1 << 40
    else:
        given[place] = given[place].astype(np.float64)
        truncates = getattr(engine, "truncate_inputs", False) and place in "ab"
        given[place][-1, -1] = 1e300 if truncates else 1.0 + 2.0**-40
    if str(engine.inputs[0]) == "fp64":
        pytest.skip("every number is taken")
    with pytest.raises(ValueError, match=r"is no value of|the engine takes"):
        nf.matmul(**given, engine=engine, out=out)
    assert (out == 7).all()


def test_a_stripe_of_batches_reads_no_more_batches_than_it_has() -> None:
    """An operand that is read from its last batches and again from its first ones ends a stripe."""
    lead = (2, 3, 5, 4)
    ats = [
        stripes.batch_numbers(shape, lead) for shape in ((4,), (5, 1), (2, 1, 5, 4), (3, 1, 1), ())
    ]
    for results in (1, 3, 7, 18, 500):
        size, stop, spans = stripes.Size(results, 1), 0, set()
        for part in stripes.stripes((120, 1, 1), ats, size):
            assert part.batches.start == stop
            stop = part.batches.stop
            spans |= {np.ptp(at[part.batches]) - (stop - part.batches.start) for at in ats}
        assert stop == 120
        assert max(spans) < 0
    alone = stripes.stripes((120, 1, 1), (), stripes.Size(3, 1))
    assert any(np.ptp(at[part.batches]) >= 3 for part in alone for at in ats)  # what it prevents
