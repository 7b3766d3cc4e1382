"""Law: every unit equals MMA-Sim's for all its instructions, which are read from its own tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.engines import peers
from tests.engines.inputs import assert_equal_bits, operands, raw_operands, tiny_operands
from tests.engines.wrong_units import wrong

RAW, HARD = 320, 160  # rows and columns: 102,400 results of random bits, 25,600 of hard operands
SAME_NAN = (
    nf.engines.TruncatedFDPA,
    nf.engines.RoundDownFDPA,
    nf.engines.GroupScaledFDPA,
)  # the others return the host's NaN in MMA-Sim
#: the instruction with the largest K of every unit, then one for every engine with equal formats
LARGEST = {row[:8]: row for row in sorted(peers.INSTRUCTIONS, key=lambda row: row.k)}.values()
MAIN = list({peers.unit_of(row).engine: row for row in LARGEST if row.a == row.b}.values())
CHAINED = [row for row in MAIN if row.c == row.output]
FMA = [row for row in MAIN if isinstance(peers.unit_of(row).engine, nf.engines.FMAChain)]


def label(row: peers.Instruction) -> str:
    return f"{row.chip}-{row.name}"


def any_nan(row: peers.Instruction) -> bool:
    return not isinstance(peers.unit_of(row).engine, SAME_NAN)


def test_both_know_the_same_units() -> None:
    """FP8 ``mma.sync`` on Hopper and B200 rests on recordings; CPUs are not MMA-Sim's matter."""
    ours = {
        key
        for key, unit in peers.UNITS.items()
        if not isinstance(unit.engine, nf.engines.EmulatedFDPA | nf.engines.PairedDot)
    }
    assert {row[:7] for row in peers.INSTRUCTIONS} == ours


@pytest.mark.parametrize("row", peers.INSTRUCTIONS, ids=label)
def test_random_bits_give_the_same_bits(row: peers.Instruction) -> None:
    got, wanted = peers.both(row, raw_operands(row, RAW, RAW, row.k, 16))
    assert_equal_bits(got, wanted, any_nan(row))


@pytest.mark.parametrize("row", peers.INSTRUCTIONS, ids=label)
def test_hard_operands_give_the_same_bits(row: peers.Instruction) -> None:
    got, wanted = peers.both(row, operands(row, HARD, HARD, row.k, 17))
    assert np.isfinite(wanted).mean() > 0.3, "too few finite results to tell units apart"
    assert_equal_bits(got, wanted, any_nan(row))


@pytest.mark.parametrize("row", CHAINED, ids=label)
def test_groups_are_chained_in_order(row: peers.Instruction) -> None:
    """K of three instructions: the result of one is the c of the next."""
    got, wanted = peers.both(row, operands(row, 40, 24, 3 * row.k, 18))
    assert_equal_bits(got, wanted, any_nan(row))


@pytest.mark.parametrize("row", MAIN, ids=label)
def test_wrong_parameters_differ(row: peers.Instruction) -> None:
    """Negative control: a unit with one wrong parameter would be found out."""
    given = operands(row, HARD, HARD, row.k, 17)
    names: dict[str, Any] = dict(zip(("scale_a", "scale_b"), given[3:], strict=False))
    wanted = peers.results(row, *given)
    for what, engine in wrong(peers.unit_of(row).engine, row.k).items():
        with np.errstate(all="ignore"):
            got = nf.matmul(*given[:3], engine=engine, **names)
        assert ((got != wanted) & np.isfinite(got) & np.isfinite(wanted)).any(), what


def reaches(row: peers.Instruction) -> bool:
    """Whether a few products can lie so far below e_zero that the zero of another term cuts them:
    not those of narrow formats, but through scales, and not with scales that end at 2**-9."""
    narrow = row.k == 32 and row.a in ("e2m3", "e2m1")
    wide = row.a in ("bf16", "tf32") or (row.a, row.output) == ("fp16", "fp16")
    cuts = hasattr(peers.unit_of(row).engine, "zero_exp")
    return cuts and (wide or (row.scale == "e8m0" and not narrow))


@pytest.mark.parametrize("row", [row for row in MAIN if reaches(row)], ids=label)
def test_zero_terms_have_an_exponent(row: peers.Instruction) -> None:
    """With the controls e_zero + 1 and - 1."""
    engine = peers.unit_of(row).engine
    given = tiny_operands(row, engine, HARD, row.k, 19)
    got, wanted = peers.both(row, given)
    assert_equal_bits(got, wanted)
    names: dict[str, Any] = dict(zip(("scale_a", "scale_b"), given[3:], strict=False))
    for step in (-1, 1):
        other = replace(engine, zero_exp=engine.zero_exp + step)
        assert (nf.matmul(*given[:3], engine=other, **names) != wanted).any(), step


@pytest.mark.parametrize("row", FMA, ids=label)
def test_the_order_of_chains_matters(row: peers.Instruction) -> None:
    """Negative control: descending k gives something else."""
    a, b, c = operands(row, HARD, HARD, row.k, 17)
    got = nf.matmul(a[:, ::-1], b[::-1], c, engine=peers.unit_of(row).engine)
    wanted = peers.results(row, a, b, c)
    assert ((got != wanted) & np.isfinite(wanted)).any()
