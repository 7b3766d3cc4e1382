"""Law: without a GPU, the kernels of every matrix unit compile for sm_80, sm_90 and sm_100 on both
CUDA backends, and Numba's run in its simulator with the reference's bits; a planted error is seen.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats import device_places
from numformats.backends.cuda_dot_source import DotUnit
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import source
from numformats.engines import device_arrays, laying
from tests.engines import test_exact, test_mac
from tests.engines.simulated import some_units
from tests.engines.test_backends import DISTINCT, product
from tests.engines.test_cuda_source import CHAINS
from tests.engines.test_device import ClaimedMachine
from tests.host_cuda import Collector
from tests.inputs import DTYPES
from tests.nvrtc import compiled
from tests.test_cuda_compilers import TARGETS, run
from tests.test_device_arrays import Claimed, ClaimedLibrary

REGISTRY = sys.modules["numformats.backends"]


class ClaimedCollector(Collector):
    """Notes the units of arrays that claim to lie on a device."""

    empty, zeros, read = ClaimedMachine.empty, ClaimedMachine.zeros, ClaimedMachine.read


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What all matrix units of the table, chains and integers need."""
    collector, reading = Collector(), ClaimedCollector()
    available = REGISTRY.Availability(True, "")
    monkeypatch.setitem(REGISTRY._BACKENDS, "notes", REGISTRY.Backend("host", lambda: available))
    monkeypatch.setitem(sys.modules, "numformats.backends.notes", CudaTasks(collector))
    monkeypatch.setitem(REGISTRY._BACKENDS, "reads", REGISTRY.Backend("cuda", lambda: available))
    monkeypatch.setitem(sys.modules, "numformats.backends.reads", CudaTasks(reading))
    for module in (device_arrays, laying, device_places):
        monkeypatch.setattr(module, "library", lambda x: (ClaimedLibrary(), x))
    REGISTRY.selected.cache_clear()
    for unit in DISTINCT:
        product(unit, "notes")
    for chain in CHAINS.values():
        test_mac.got(replace(chain, rounding="stochastic"), *test_mac.case(chain), "notes")
    for engine in test_exact.INTEGER.values():
        nf.matmul(*test_exact.integer_case(engine)[:3], engine=engine, backend="notes")
    for unit, arrays, names in some_units():
        claims = {name: x.view(Claimed) for name, x in names.items()}
        given = (x.view(Claimed) for x in arrays)
        nf.matmul(*given, engine=unit.engine, backend="reads", **claims)
    one = np.ones((1, 1), np.int8).view(Claimed)
    nf.matmul(one, one, engine=nf.engines.IntegerDot(), backend="reads")
    for dtype in (np.float16, DTYPES["bfloat16"]):
        half = np.ones((1, 1), dtype).view(Claimed)
        nf.matmul(half, half, engine=test_mac.ENGINES["fused"], backend="reads")
    yield list(dict.fromkeys([*collector.units, *reading.units]))
    REGISTRY.selected.cache_clear()


def kind_of(unit: Any) -> Any:
    """Units of one kind differ in numbers only."""
    if isinstance(unit, DotUnit):
        return unit.rule, unit.wide, unit.real, unit.count > 0
    names = ("lane", "carrier", "kind", "source", "target")
    return (type(unit), *(str(getattr(unit, name, "")) for name in names))


@pytest.mark.parametrize("target", TARGETS)
def test_cuda_source_compiles(target: str, units: Any) -> None:
    """All units for sm_90, one of each kind for the others."""
    chosen = units if target == "sm_90" else {kind_of(u): u for u in units}.values()
    for lane in {unit.lane for unit in chosen}:
        named = {f"K{i}": unit for i, unit in enumerate(chosen) if unit.lane is lane}
        code = compiled(source(named), target)
        for name, unit in named.items():
            for entry in unit.entries(name):
                assert entry.name.encode() in code


@pytest.mark.parametrize(
    "before, after",
    [
        ("aligned(T((T(sa_)", "aligned(F64((T(sa_)"),
        ("where(none_, s_.zero_exp", "where(none_, 0.5"),
    ],
)
def test_a_type_that_would_change_in_silence_does_not_compile(
    before: str, after: str, units: Any
) -> None:
    """Negative control: a float among integers, in the emitted texts."""
    text = source({"K": next(unit for unit in units if isinstance(unit, DotUnit))})
    assert before in text
    with pytest.raises(Exception, match=r"NVRTC|error"):
        compiled(text.replace(before, after), "sm_90")


def test_simulator_gives_the_references_bits() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.engines.simulated", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "55 unit, 20 chain, 7 integer, 4 batch, 26 device cases agree" in done.stdout


@pytest.mark.parametrize("name", ["a shift", "a swapped comparison"])
def test_simulator_sees_a_planted_error(name: str) -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.engines.simulated", name, NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode != 0
    assert "differ" in done.stderr


@pytest.mark.parametrize("target", ["8.0", "9.0", "10.0"])
def test_numba_kernels_compile(target: str) -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.engines.ptx", target)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"kernels compiled for sm_{target.replace('.', '')}" in done.stdout


def test_numba_sees_a_planted_error() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.engines.ptx", "9.0", "a misspelt name")
    assert done.returncode != 0
    assert "significant" in done.stderr
