"""Law: the instructions that NVRTC makes of the matrix kernels give the reference's bits for every
unit, whichever thread of a block goes first, and touch no memory but their arrays.
"""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.emulated.nvrtc import Planted, PtxMachine
from tests.engines.inputs import assert_equal_bits
from tests.engines.test_backends import DISTINCT, label, product
from tests.engines.test_cuda_source import NAME, use

__all__ = ["use"]  # the fixture


@pytest.fixture
def machine(use: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.getbasetemp() / "matrix_ptx"
    folder.mkdir(exist_ok=True)
    return use(PtxMachine(pathlib.Path(folder)))


@pytest.mark.parametrize("unit", DISTINCT, ids=label)
def test_every_unit(unit: Any, machine: Any) -> None:
    wanted = product(unit, "reference", 21, 19)
    for machine.backwards in (False, True):
        assert_equal_bits(product(unit, NAME, 21, 19), wanted)


PLANTED = {
    "a comparison": (r"\bsetp\.gt\.s(32|64)", r"setp.lt.s\1", "differ"),
    "a shift": (r"\bshr\.s(32|64)", r"shr.u\1", "differ"),
    "a store beyond the end": (r"(st\.global\.\w+\s+\[%rd\d+)\]", r"\1+65536]", "outside all"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    before, after, message = PLANTED[name]
    unit = next(u for u in DISTINCT if u.a == "bf16" and getattr(u.engine, "frac_bits", 0) == 25)
    change = Planted(before, after)
    use(PtxMachine(tmp_path, changed=change))
    wanted = product(unit, "reference", 21, 19)
    with pytest.raises((AssertionError, RuntimeError), match=message):
        assert_equal_bits(product(unit, NAME, 21, 19), wanted)
    assert any(change.counts), f"nothing to plant {name} in"
