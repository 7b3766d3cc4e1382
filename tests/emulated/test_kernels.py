"""Law: the instructions that NVRTC makes of the CUDA C++ kernels (its PTX), run on the host, give
the reference's bits; they touch no memory but their arrays, aligned, and wait for one another only
where all do, whichever thread goes first. A planted error is seen.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests import test_cuda_source
from tests.emulated.nvrtc import Planted, PtxMachine
from tests.inputs import DTYPES, MADE
from tests.test_backends_agree import BLOCKS, TWO_MODES, inputs
from tests.test_cuda_source import compare, encoded, finite, prepared, rounded, use

__all__ = ["use"]  # the fixture
SCALARS = [
    nf.E4M3, nf.E5M2, nf.BF16, nf.E8M0, nf.FixedPoint(8, 3), nf.parse("binary8p1se"),
    *(MADE[name] for name in ("fixed<16,8,wrap>", "float<4,3,nosub>", "e5m2,infinity", "e8m0,nan")),
]  # fmt: skip
IN_BLOCKS = ["mxfp4", "bfp<8,block=16>", "bfp<4,block=5,ceil>", "tiles", "nvfp4"]


def jobs(carrier: str, mode: str) -> list[Any]:
    """A format of every kind rounded, and encoded under two modes."""
    blocks = {name: BLOCKS.get(name) or nf.parse(name) for name in IN_BLOCKS}
    scalars = SCALARS if carrier == "float32" else SCALARS[::3]
    found = [(rounded, fmt, inputs(fmt, carrier)) for fmt in scalars]
    for fmt in blocks.values():
        x = test_cuda_source.rows_and_columns(fmt, carrier)
        found.append((rounded, fmt, x))
        found += [(encoded, fmt, finite(x))] * (mode in TWO_MODES)
    if mode in TWO_MODES:
        found += [(encoded, fmt, finite(inputs(fmt, carrier))) for fmt in scalars]
    return found


def cases() -> list[Any]:
    """All modes of float32, two of the other carriers."""
    return [(c, m) for c in DTYPES for m in nf.roundings() if c == "float32" or m in TWO_MODES]


@pytest.mark.parametrize("carrier, mode", cases())
def test_every_kind_of_format(carrier: str, mode: str, use: Any, tmp_path: pathlib.Path) -> None:
    work = jobs(carrier, mode)
    machine = PtxMachine(tmp_path)
    prepared(use, machine, work, mode)
    compare(work, mode)
    machine.backwards = True
    compare([job for job in work if isinstance(job[1], nf.BlockFloat)], mode)


def test_random_numbers_and_draws(use: Any, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(test_cuda_source, "HostMachine", PtxMachine)
    test_cuda_source.test_random_words_normals_and_draws(use, tmp_path)


def test_float_scales(use: Any, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(test_cuda_source, "HostMachine", PtxMachine)
    cases = [("nvfp4", "toward_positive"), ("integers", "nearest_even")]
    test_cuda_source.with_float_scales(use, tmp_path, lambda text: text, cases)


@pytest.mark.parametrize("rounding", TWO_MODES)
def test_langevin_steps(rounding: str, use: Any, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(test_cuda_source, "HostMachine", PtxMachine)
    test_cuda_source.test_langevin_steps(rounding, use, tmp_path)


@pytest.mark.parametrize("rounding", TWO_MODES)
def test_underdamped_steps(
    rounding: str, use: Any, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(test_cuda_source, "HostMachine", PtxMachine)
    test_cuda_source.test_underdamped_steps(rounding, use, tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decoding(dtype: Any, use: Any, tmp_path: pathlib.Path) -> None:
    use(PtxMachine(tmp_path))
    for fmt in (nf.E4M3, nf.E5M2, nf.E8M0, nf.FixedPoint(8, 3), nf.parse("binary8p3ue")):
        test_cuda_source.assert_decoded(fmt, dtype)
    for name in IN_BLOCKS:
        test_cuda_source.assert_blocks_decoded(BLOCKS.get(name) or nf.parse(name), dtype)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 4099])
def test_any_alignment_and_size(
    n: int, shift: int, start: int, use: Any, tmp_path_factory: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(test_cuda_source, "HostMachine", PtxMachine)
    test_cuda_source.test_any_alignment_and_size(n, shift, start, use, tmp_path_factory)


PLANTED = {
    "an instruction": (r"\bmax\.u32\b", "min.u32", "differ"),
    "a comparison": (r"\bsetp\.gt\.u32\b", "setp.lt.u32", "differ"),
    "a constant": (r"\b16777216\b", "16777218", "differ"),
    "a shuffle": (
        r"shfl\.sync\.bfly\.b32\s+(%r\d+)\S* (%r\d+)[^;]*;",
        r"mov.b32 \1, \2;",
        "differ",
    ),
    "a mask": (r"(shfl\.sync[^;]*), \S+;", r"\1, 65535;", "a lane outside its mask"),
    "an address": (r"(ld\.global\.v4\.u32.*)\];", r"\1+4];", "no multiple of 16"),
    "a store beyond the end": (r"(st\.global\.v4\.u32\s+\[%rd\d+)\]", r"\1+16384]", "outside all"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    """Negative control: one kind of change in the instructions is seen."""
    before, after, message = PLANTED[name]
    x = inputs(nf.E4M3, "float32")[: 96 * 8]
    work = [(rounded, nf.E4M3, x), (rounded, nf.MXFP8_E4M3, finite(x).reshape(-1, 96))]
    change = Planted(before, after)
    prepared(use, PtxMachine(tmp_path, changed=change), work, "nearest_even")
    assert all(change.counts), f"nothing to plant {name} in"
    with pytest.raises((AssertionError, RuntimeError), match=message):
        compare(work, "nearest_even")
