"""Law: the CUDA C++ kernels, compiled for the host and run thread by thread, give the reference's
bits for every mode, format and carrier; and a planted error is seen.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import together
from numformats.tasks import code_dtype
from tests import block_draws, float_scaled, own_variances
from tests.host_cuda import Collector, HostMachine, planting
from tests.inputs import DTYPES, all_scalar_formats, assert_same_bits, tie_count
from tests.test_backends_agree import BLOCKS, TWO_MODES, inputs, key_for
from tests.test_langevin import CASES, arrays
from tests.underdamped import STEPS
from tests.underdamped import compare as compare_step

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"
Build = Callable[[str], str]


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


def rounded(fmt: Any, x: Any, mode: str, backend: str) -> Any:
    return nf.quantize(x, fmt, mode, key=key_for(mode), backend=backend)


def encoded(fmt: Any, x: Any, mode: str, backend: str) -> Any:
    return nf.encode(x, fmt, mode, key=key_for(mode), backend=backend)


def finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x.astype(np.float64)), x, x.dtype.type(1))


def fits_float64(fmt: Any) -> bool:
    return isinstance(fmt, nf.FixedPoint) or (fmt.emax <= 1023 and fmt.low_exponent >= -1074)


def rows_and_columns(fmt: Any, carrier: str) -> np.ndarray:
    """Rows of 96: whole blocks of 16 and 32 in the vector kernels, tails for 5 and 7."""
    x = np.tile(inputs(fmt.element, carrier), 2)
    return x[: x.size // 96 * 96].reshape(-1, 96)


def jobs(carrier: str, mode: str) -> list[tuple[Callable[..., Any], Any, np.ndarray]]:
    """What is compared: every format rounded, and encoded under two modes."""
    found: list[tuple[Callable[..., Any], Any, np.ndarray]] = []
    for fmt in all_scalar_formats().values():
        found.append((rounded, fmt, inputs(fmt, carrier)))
        if mode in TWO_MODES:
            x = inputs(fmt, carrier)
            found.append((encoded, fmt, x if fmt.has_nan else finite(x)))
    for fmt in BLOCKS.values():
        x = rows_and_columns(fmt, carrier)
        found += [(rounded, fmt, x), (rounded, fmt, finite(x))]
        found += [(encoded, fmt, finite(x))] * (mode in TWO_MODES)
    return found


def prepared(use: Any, machine: HostMachine, work: Any, mode: str, change: Build = str) -> None:
    """Compile together all that ``work`` needs, and make it the backend."""
    collector = use(Collector())
    for verb, fmt, x in work:
        verb(fmt, x, mode, NAME)
    use(machine)
    for units in together(collector.units):
        machine.prepare(units, change)


def compare(work: Any, mode: str) -> None:
    for verb, fmt, x in work:
        got, wanted = verb(fmt, x, mode, NAME), verb(fmt, x, mode, "reference")
        if isinstance(wanted, tuple):
            assert_same_bits(got.scales, wanted.scales)
            assert got[2:] == wanted[2:]
            got, wanted = got.codes, wanted.codes
        try:
            assert_same_bits(got, wanted)
        except AssertionError as error:
            raise AssertionError(f"{verb.__name__} {fmt}: {error}") from None


@pytest.mark.parametrize("mode", nf.roundings())
@pytest.mark.parametrize("carrier", DTYPES)
def test_every_format(carrier: str, mode: str, use: Any, tmp_path: pathlib.Path) -> None:
    work = jobs(carrier, mode)
    assert sum(tie_count(f, x) for verb, f, x in work[:20] if verb is rounded) > 200
    prepared(use, HostMachine(tmp_path), work, mode)
    compare(work, mode)


PLANTED = {
    "a constant": ("constexpr U HIDDEN = 8388608;", "constexpr U HIDDEN = 8388607;"),
    "a comparison": ("(kept_ & ONE)))) > HALF", "(kept_ & ONE)))) < HALF"),
    "a field of the format": ("Grid{3, 121, 141,", "Grid{3, 121, 142,"),
    "a shuffle that is left out": ("d < LANES", "d < LANES / 2"),
    "a load": ("given[f].v[j], words", "given[f].v[0], words"),
    "a lifted value": ("(EXP_BIAS - I(64))", "(EXP_BIAS - I(63))"),
}
LIFTED_MODES = ["nearest_even", "toward_positive", "stochastic", "stochastic_c"]


@pytest.mark.parametrize("mode", LIFTED_MODES)
def test_blocks_on_both_sides_of_what_can_be_lifted(
    mode: str, use: Any, tmp_path: pathlib.Path
) -> None:
    """Blocks of every scale with elements of all sizes below it, subnormals among them."""
    rng = np.random.default_rng(6)
    sizes = np.exp2(np.arange(-140, 120)[:, None] - rng.uniform(0, 60, (260, 96)))
    x = (rng.choice([-1, 1], (260, 96)) * sizes).astype(np.float32)
    x[:, 0] = np.exp2(np.arange(-140, 120))
    names = ("mxfp8_e4m3", "mxfp8_e5m2", "mxint8", "bfp<8,block=16>")
    work = [(verb, nf.parse(name), x) for name in names for verb in (rounded, encoded)]
    prepared(use, HostMachine(tmp_path), work, mode)
    compare(work, mode)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    """Negative control: one change in the emitted text makes the comparison fail."""
    change = planting(name, *PLANTED[name])
    x = inputs(nf.E4M3, "float32")[: 96 * 8]
    work = [(rounded, nf.E4M3, x), (rounded, nf.MXFP8_E4M3, finite(x).reshape(-1, 96))]
    prepared(use, HostMachine(tmp_path), work, "nearest_even", change)
    with pytest.raises(AssertionError, match="differ"):
        compare(work, "nearest_even")


DRAWN_IN = [
    "e4m3", "fixed<8,4>", "e2m1", "float<4,3,subnormals=false>", "mxfp8_e4m3", "bfp<8,block=7>",
    "nvfp4",
]  # fmt: skip


def drawn(fmt: Any, given: Any, _: str, backend: str) -> Any:
    return nf.variance_corrected(*given, fmt, key=3, return_counts=True, backend=backend)


def draws_of(mean: np.ndarray) -> list[Any]:
    """Draws on grids of every kind, with a common variance and one for each element."""
    return [
        (drawn, fmt, (mean.astype(dtype), np.asarray(variance, dtype)))
        for fmt in DRAWN_IN
        for variance in (0.0, 1e-4, 0.7, np.abs(mean))
        for dtype in (np.float32, np.float64)
    ]


def test_random_words_normals_and_draws(use: Any, tmp_path: pathlib.Path) -> None:
    use(HostMachine(tmp_path))
    key = nf.Key(5, 6, 3)
    for n in (0, 1, 2, 7, 1000):
        for bits in (32, 64):
            wanted = nf.random.words(n, key, bits=bits, backend="reference")
            assert_same_bits(nf.random.words(n, key, bits=bits, backend=NAME), wanted)
        for dtype in (np.float32, np.float64):
            wanted = nf.random.normal((n,), 9, dtype, backend="reference")
            assert_same_bits(nf.random.normal((n,), 9, dtype, backend=NAME), wanted)
    work = draws_of(np.random.default_rng(0).normal(size=3000))
    work += [(drawn, fmt, given) for fmt, given in own_variances.cases(3000)]
    prepared(use, HostMachine(tmp_path), work, "stochastic")
    for _, fmt, given in work:
        got, wanted = (drawn(fmt, given, "", backend) for backend in (NAME, "reference"))
        assert_same_bits(got[0], wanted[0])
        assert got[1] == wanted[1]


def with_blocks(use: Any, folder: pathlib.Path, change: Build) -> int:
    """The shared draws in blocks, after compiling all their kernels together."""
    work = [(drawn, fmt, (block_draws.means(9), 1e-3)) for fmt in block_draws.FORMATS]
    prepared(use, HostMachine(folder), work, "stochastic", change)
    return block_draws.compare(NAME, 9)


def test_draws_in_blocks(use: Any, tmp_path: pathlib.Path) -> None:
    cases = len(block_draws.FORMATS) * len(block_draws.VARIANCES)
    assert with_blocks(use, tmp_path, lambda text: text) == cases


PLANTED_IN_BLOCKS = {
    "a shuffle that is left out": ("d < LANES", "d < LANES / 2"),
    "a scale of other blocks": ("amax[t.tile(i)]", "amax[0]"),
    "what a magnitude lacks": ("| lost_", "| ZERO"),
    "an exponent": ("(g_.around + k_)", "(g_.around - k_)"),
}


@pytest.mark.parametrize("name", PLANTED_IN_BLOCKS)
def test_a_planted_error_in_blocks_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    """Negative control: one change in the emitted text makes the comparison fail."""
    change = planting(name, *PLANTED_IN_BLOCKS[name])
    with pytest.raises(AssertionError, match="differ"):
        with_blocks(use, tmp_path, change)


@pytest.mark.parametrize("rounding", TWO_MODES)
def test_langevin_steps(rounding: str, use: Any, tmp_path: pathlib.Path) -> None:
    use(HostMachine(tmp_path))
    for how in CASES:
        if how.get("weight", "e4m3") in ("e4m3", "fixed<8,6>"):
            given = how | {"key": nf.Key(11, 3), "lr": 0.05, "rounding": rounding}
            for n in (0, 1, 7, 1025):
                theta, grad = (a.copy() for a in arrays(n + 1))  # each aligned
                for shift in (0, 1):  # vectors, and elements one by one
                    x, g = theta[shift : n + shift].copy(), grad[shift : n + shift]
                    wanted = nf.langevin_step(x, g, backend="reference", **given)
                    got = nf.langevin_step(x, g, backend=NAME, **given)
                    assert_same_bits(got.stored, wanted.stored)
                    assert_same_bits(got.seen, wanted.seen)
                    assert got[2:] == wanted[2:]


def built_steps(use: Any, folder: pathlib.Path, rounding: str, change: Build) -> dict[str, Any]:
    """The shared underdamped steps, after compiling all their kernels together."""
    steps = {name: how | {"rounding": rounding} for name, how in STEPS.items()}
    collector = use(Collector())
    for how in steps.values():
        nf.underdamped_step(*np.ones((3, 4), np.float32), backend=NAME, **how)
    use(HostMachine(folder)).prepare(collector.units, change)
    return steps


@pytest.mark.parametrize("rounding", TWO_MODES)
def test_underdamped_steps(rounding: str, use: Any, tmp_path: pathlib.Path) -> None:
    for how in built_steps(use, tmp_path, rounding, lambda text: text).values():
        for n in (0, 1, 7, 1025):
            for shift in (0, 1):  # vectors, and elements one by one
                compare_step(how, n, shift, NAME)


PLANTED_IN_STEPS = {
    "a key": ("k[8], k[9]", "k[8], k[8]"),
    "a comparison": ("(forced_ < var_x_)", "(forced_ > var_x_)"),
    "an argument": ("w.own)", "w.noise)"),
    "a magnitude": ("size_of(m.velocity)", "size_of(m.left)"),
    "a mode": ("mode_toward_positive::round_bits(x", "mode_toward_negative::round_bits(x"),
    "a load": ("velocity.v[j], grad", "velocity.v[0], grad"),
}


@pytest.mark.parametrize("name", PLANTED_IN_STEPS)
def test_a_planted_error_in_a_step_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    """Negative control: one change in the emitted text makes a step differ."""
    change = planting(name, *PLANTED_IN_STEPS[name])
    steps, caught = built_steps(use, tmp_path, "stochastic", change), []
    for step, how in steps.items():
        try:
            compare_step(how, 1025, 0, NAME)
        except AssertionError:
            caught.append(step)
    assert caught


def with_float_scales(use: Any, folder: pathlib.Path, change: Build, cases: Any) -> None:
    """The shared hard arrays, after compiling all their kernels together."""
    collector = use(Collector())
    for name, mode in cases:
        fmt = float_scaled.FORMATS[name]
        for x in (np.ones((8, 2 * fmt.block_size), np.float32), np.ones(9, np.float32)):
            for verb in (rounded, encoded):
                verb(fmt, x, mode, NAME)
    machine = use(HostMachine(folder))
    for units in together(collector.units):
        machine.prepare(units, change)
    for name, mode in cases:
        float_scaled.compare(NAME, float_scaled.FORMATS[name], mode)


def test_float_scales_in_the_32_bit_lane(use: Any, tmp_path: pathlib.Path) -> None:
    cases = [*float_scaled.CASES, *float_scaled.DRAWN]
    with_float_scales(use, tmp_path, lambda text: text, cases)


PLANTED_IN_QUOTIENTS = {
    "a side": ("(rest_ < 0.0)", "(rest_ > 0.0)"),
    "a side, by parts": ("- U((rest_ >> U(LAST)))", "+ U((rest_ >> U(LAST)))"),
    "what is odd, by parts": ("minimum(rest_, ONE)", "ZERO"),
    "what a divisor lacks": ("fused(F32((-near_)), low_,", "fused(F32((-near_)), F32(0.0),"),
    "a scale too small": ("2.168404344971009e-19", "0.0"),
    "magnitudes beyond a scale": ("1.152921504606847e+18", "1e300"),
    "a given scale": ("given_ > 0.0", "given_ > 1e30"),
    "a block without scale": ("F32(0.0)), MAGNITUDE", "F32(9.0)), MAGNITUDE"),
    "a shuffle that is left out": ("d < LANES", "d < LANES / 2"),
    "a random word": ("kept, words[j], spare", "kept, words[0], spare"),
    "a word of other blocks": ("total, words[j], spare", "total, words[0], spare"),
    "a word of columns": ("word_of(first + i,", "word_of(first,"),
    "the scale of the array": ("size < INF_BITS", "size <= INF_BITS"),
}


@pytest.mark.parametrize("name", PLANTED_IN_QUOTIENTS)
def test_a_planted_error_in_quotients_is_seen(name: str, use: Any, tmp_path: pathlib.Path) -> None:
    """Negative control: one change in the emitted text makes the comparison fail."""
    before, after = PLANTED_IN_QUOTIENTS[name]
    found = []

    def change(text: str) -> str:
        found.append(before in text)
        return text.replace(before, after)

    cases = [("nvfp4", "nearest_even"), *float_scaled.DRAWN]
    with pytest.raises(AssertionError, match="differ"):
        with_float_scales(use, tmp_path, change, cases)
    assert any(found), f"nothing to plant {name} in"


def assert_decoded(fmt: Any, dtype: Any) -> None:
    codes = np.arange(1 << fmt.bits).astype(code_dtype(fmt.bits))
    wanted = nf.decode(codes, fmt, dtype=np.float64, backend="reference")
    if (np.abs(wanted[np.isfinite(wanted)]) <= np.finfo(dtype).max).all():
        wanted = nf.decode(codes, fmt, dtype=dtype, backend="reference")
        assert_same_bits(nf.decode(codes, fmt, dtype=dtype, backend=NAME), wanted)


def assert_blocks_decoded(fmt: Any, dtype: Any) -> None:
    codes = nf.encode(finite(rows_and_columns(fmt, "float32")), fmt)
    wanted = nf.decode(codes, fmt, dtype=dtype, backend="reference")
    assert_same_bits(nf.decode(codes, fmt, dtype=dtype, backend=NAME), wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decoding(dtype: Any, use: Any, tmp_path: pathlib.Path) -> None:
    use(HostMachine(tmp_path))
    for fmt in all_scalar_formats().values():
        if fmt.bits <= 16 and fits_float64(fmt):
            assert_decoded(fmt, dtype)
    for fmt in BLOCKS.values():
        assert_blocks_decoded(fmt, dtype)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 4099])
def test_any_alignment_and_size(
    n: int, shift: int, start: int, use: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Heads and tails that no vector load covers, and streams that start at an odd word."""
    use(HostMachine(tmp_path_factory.getbasetemp()))
    x = np.random.default_rng(n).normal(size=n + shift).astype(np.float32)[shift:]
    for out_shift in (shift, 0):
        out = np.full(n + out_shift, -1, np.float32)[out_shift:]
        key = nf.Key(4, start=start)
        wanted = nf.quantize(x, nf.E4M3, "stochastic", key=key, backend="reference")
        got = nf.quantize(x, nf.E4M3, "stochastic", key=key, backend=NAME, out=out)
        assert_same_bits(got, wanted)
