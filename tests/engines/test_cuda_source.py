"""Law: matrix products of the CUDA C++ kernels, compiled for the host and run thread by thread,
give the reference's bits for every unit; and a planted error is seen.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import together
from numformats.engines import ExactFDPA, MACChain
from tests.engines import test_backends, test_exact, test_mac
from tests.engines.inputs import assert_equal_bits
from tests.engines.test_backends import DISTINCT, label, product
from tests.host_cuda import Collector, HostMachine

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a machine the backend ``NAME``."""
    available = REGISTRY.Availability(True, "")
    monkeypatch.setitem(REGISTRY._BACKENDS, NAME, REGISTRY.Backend("host", lambda: available))

    def register(machine: Any) -> Any:
        monkeypatch.setitem(sys.modules, f"numformats.backends.{NAME}", CudaTasks(machine))
        REGISTRY.selected.cache_clear()
        return machine

    yield register
    REGISTRY.selected.cache_clear()


@pytest.fixture
def machine(use: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The source built for the host."""
    folder = tmp_path_factory.getbasetemp() / "matrix_cuda"
    folder.mkdir(exist_ok=True)
    return use(HostMachine(pathlib.Path(folder)))


def built_together(work: Callable[[], Any], use: Any, machine: HostMachine, change: Any) -> None:
    """Compile at once all that ``work`` needs."""
    collector = use(Collector())
    work()
    for units in together(collector.units):
        machine.prepare(units, change)
    use(machine)


def as_is(text: str) -> str:
    return text


@pytest.mark.parametrize("unit", DISTINCT, ids=label)
def test_every_unit(unit: Any, machine: Any) -> None:
    """Rows and columns that fill no tile, and ones that fill several."""
    for rows, columns in ((9, 14), (37, 35)):
        wanted = product(unit, "reference", rows, columns)
        assert_equal_bits(product(unit, NAME, rows, columns), wanted)


CHAINS = test_mac.ENGINES | {
    "random everywhere": MACChain(
        "fp16", "bf16", accumulator="bf16", product="bf16", product_rounding="stochastic", chunk=4,
        outer="fp32", outer_rounding="stochastic", order="pairwise",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_chains_equal_exact_rationals(name: str, use: Any, machine: Any) -> None:
    engines = [replace(CHAINS[name], rounding=mode) for mode in ("nearest_even", "stochastic")]
    operands = test_mac.case(engines[0])
    built_together(lambda: [test_mac.got(e, *operands, NAME) for e in engines], use, machine, as_is)
    for engine in engines:
        wanted = test_mac.wanted(engine, *operands)
        np.testing.assert_array_equal(test_mac.got(engine, *operands, NAME), wanted)


@pytest.mark.parametrize("rounding", ["to_odd", "toward_zero"])
def test_exact_sums_of_a_ragged_last_group(rounding: str, machine: Any) -> None:
    engine = ExactFDPA("fp16", "fp16", length=9, rounding=rounding)
    a, b = (nf.quantize(test_exact.spread(s, 1, 12), "fp16") for s in ((6, 22), (22, 5)))
    a[:, 1::3], b[1::3] = -a[:, :21:3], b[:21:3]  # cancels exactly
    wanted = nf.matmul(a, b, engine=engine, backend="reference")
    assert_equal_bits(nf.matmul(a, b, engine=engine, backend=NAME), wanted)


@pytest.mark.parametrize("name", test_exact.INTEGER)
def test_integers(name: str, machine: Any) -> None:
    engine = test_exact.INTEGER[name]
    a, b, c, wanted = test_exact.integer_case(engine)
    np.testing.assert_array_equal(nf.matmul(a, b, c, engine=engine, backend=NAME), wanted)
    narrow = b.astype(np.int8) if engine.b_bits <= 8 else b  # another dtype on the device
    got = nf.matmul(a, narrow, c, engine=engine, backend=NAME)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("chip", ["nvidia-h100", "amd-mi100", "amd-mi250"])
def test_batches(chip: str, machine: Any) -> None:
    """Broadcast batches are read, not copied."""
    engine = nf.engine(chip, inputs="fp16", path="mfma" if chip.startswith("amd") else "wgmma")
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((3, 1, 5, 36)), rng.standard_normal((2, 36, 7))
    a, b = a.astype(np.float16), b.astype(np.float16)
    wanted = nf.matmul(a, b, engine=engine, backend="reference")
    assert_equal_bits(nf.matmul(a, b, engine=engine, backend=NAME), wanted)


def test_zero_terms_and_special_accumulators(machine: Any) -> None:
    test_backends.test_zero_terms_have_an_exponent(NAME)
    for special in (np.nan, np.inf, -np.inf):
        test_backends.test_cdna3_fp8_drops_a_special_c_beside_large_products(special, NAME)


@pytest.mark.parametrize("block", [None, 3])
def test_the_first_group_has_a_c_of_another_format(block: int | None, machine: Any) -> None:
    test_exact.test_results_of_groups_are_c_in_the_output_format(block, NAME)


PLANTED = {
    "one more fraction bit": ("DotSpec{25,", "DotSpec{26,"),
    "a swapped comparison": ("maximum(top[r], int(ea", "minimum(top[r], int(ea"),
    "a row": ("a.sig + at[r] + k", "a.sig + at[0] + k"),
    "NaN and Inf left out": ("(kinds[r] & 3) > 0", "false"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name: str, use: Any, machine: Any) -> None:
    """Negative control: one change in the emitted text makes the comparison fail."""
    before, after = PLANTED[name]
    unit = next(u for u in DISTINCT if u.a == "bf16" and getattr(u.engine, "frac_bits", 0) == 25)

    def change(text: str) -> str:
        assert before in text or "DotSpec" not in text, f"nothing to plant {name} in"
        return text.replace(before, after)

    built_together(lambda: product(unit, NAME, 37, 35), use, machine, change)
    wanted = product(unit, "reference", 37, 35)
    with pytest.raises(AssertionError, match="differ"):
        assert_equal_bits(product(unit, NAME, 37, 35), wanted)
