"""Law: on a GPU both CUDA backends give the CPU's bits, for every mode, format and carrier; on the
caller's stream, in CUDA graphs, beyond 2**31 elements. Skipped where no GPU is.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.backends.cuda_tasks import CudaTasks
from numformats.device import DeviceArray
from numformats.rounding import MODES
from numformats.tasks import code_dtype
from tests import block_draws, own_variances
from tests.inputs import DTYPES, all_scalar_formats, assert_same_bits
from tests.odd_modes import away_above_a_quarter
from tests.statistics import FALSE_ALARM, binomial_p
from tests.test_backends_agree import BLOCKS, TWO_MODES, inputs, key_for
from tests.underdamped import STEPS, given_for

CUDA = [name for name in ("cupy_cuda", "numba_cuda") if nf.backends()[name].available]
pytestmark = pytest.mark.skipif(not CUDA, reason="no CUDA device: see numformats backends")
REGISTRY = sys.modules["numformats.backends"]


def to_device(x: np.ndarray) -> Any:
    """A torch tensor on the device (the library that has every carrier)."""
    import torch

    if x.dtype == DTYPES["bfloat16"]:
        return torch.from_numpy(x.view(np.uint16).copy()).view(torch.bfloat16).cuda()
    return torch.from_numpy(np.array(x)).cuda()


def to_host(x: Any) -> np.ndarray:
    import torch

    if x.dtype == torch.bfloat16:
        return x.view(torch.uint16).cpu().numpy().view(DTYPES["bfloat16"])
    return x.cpu().numpy()


class Units:
    """A machine that notes the units of a run on the device."""

    def __init__(self) -> None:
        self.units: list[Any] = []

    def address(self, array: Any) -> int:
        return int(array.pointer)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return DeviceArray(16, math.prod(shape), np.dtype(dtype), 0, 0, None, shape)

    def zeros(self, n: int | tuple[int, ...], dtype: Any, like: Any) -> Any:
        return self.empty((n,) if isinstance(n, int) else n, dtype, like)

    def clear(self, array: Any) -> None:
        pass

    def upload(self, array: Any, like: Any) -> Any:
        return self.empty(array.shape, array.dtype, like)

    def read(self, array: Any) -> Any:
        return np.zeros(array.shape, array.dtype)

    def launch(self, unit: Any, entry: int, blocks: int, args: Any, like: Any) -> None:
        self.units.append(unit)


def compile_together(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """NVRTC compiles what ``work`` needs at once: one by one would take most of the time."""
    from numformats.backends import cupy_cuda

    notes = Units()
    found = REGISTRY.Availability(True, "")
    monkeypatch.setitem(REGISTRY._BACKENDS, "notes", REGISTRY.Backend("cuda", lambda: found))
    monkeypatch.setitem(sys.modules, "numformats.backends.notes", CudaTasks(notes))
    REGISTRY.selected.cache_clear()  # it may hold the notes of another test
    work("notes")
    REGISTRY.selected.cache_clear()
    cupy_cuda.prepare(notes.units)


def finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x.astype(np.float64)), x, x.dtype.type(1))


def rows(fmt: Any, carrier: str) -> np.ndarray:
    x = np.tile(inputs(fmt.element, carrier), 2)
    return x[: x.size // 96 * 96].reshape(-1, 96)


def in_turn(work: dict[str, Any], carrier: str, mode: str) -> dict[str, Any]:
    """All of ``work``; of half-width carriers a third in all but two modes, in turn: compiling
    their kernels, of 8 elements a vector, would take a third of the time of all tests."""
    if carrier in ("float32", "float64") or mode in TWO_MODES:
        return work
    turn = list(nf.roundings()).index(mode) % 3
    return dict(list(work.items())[turn::3])


@pytest.mark.parametrize("mode", nf.roundings())
@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("backend", CUDA)
def test_every_format(backend: str, carrier: str, mode: str, monkeypatch: Any) -> None:
    key = key_for(mode)
    scalars = {str(f): (f, inputs(f, carrier)) for f in all_scalar_formats().values()}
    blocks = {name: (f, rows(f, carrier)) for name, f in BLOCKS.items()}
    work = in_turn(scalars | blocks, carrier, mode)
    on_device = {name: to_device(x) for name, (_, x) in work.items()}

    def run(chosen: str) -> dict[str, Any]:
        return {
            name: nf.quantize(on_device[name], fmt, mode, key=key, backend=chosen)
            for name, (fmt, _) in work.items()
        }

    if backend == "cupy_cuda":
        compile_together(run, monkeypatch)
    for name, got in run(backend).items():
        fmt, x = work[name]
        assert_same_bits(to_host(got), nf.quantize(x, fmt, mode, key=key, backend="reference"))
    if mode in TWO_MODES and carrier in ("float32", "bfloat16"):
        for name in ("e4m3", "e2m1", "mxfp4", "mxfp8_e4m3", "nvfp4"):
            x = finite(rows(nf.MXFP4, carrier))
            got = nf.encode(to_device(x), name, mode, key=key, backend=backend)
            wanted = nf.encode(x, name, mode, key=key, backend="reference")
            pairs = (
                [(got, wanted)] if name.startswith("e") else zip(got[:2], wanted[:2], strict=True)
            )
            for a, b in pairs:
                assert_same_bits(to_host(a), b)
            values = nf.decode(got, name, backend=backend)
            assert_same_bits(to_host(values), nf.decode(wanted, name, backend="reference"))


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
@pytest.mark.parametrize("backend", CUDA)
def test_langevin_steps(backend: str, accumulator: str) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 7, 100_003):
        theta, grad = rng.normal(size=(2, n)).astype(np.float32)
        for weight in ("fixed<8,6>", "e4m3"):
            how = {"lr": 0.1, "variance": 0.01, "weight_decay": 0.1, "key": 5, "weight": weight}
            how |= {"accumulator": accumulator, "gradient": "e5m2"}
            wanted = nf.langevin_step(theta, grad, backend="reference", **how)
            got = nf.langevin_step(to_device(theta), to_device(grad), backend=backend, **how)
            for a, b in zip(got[:2], wanted[:2], strict=True):
                assert_same_bits(to_host(a), b)
            assert got[2:] == wanted[2:]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("backend", CUDA)
def test_underdamped_steps(backend: str, step: str) -> None:
    for n in (1, 7, 100_003):
        given = given_for(n)
        wanted = nf.underdamped_step(*given, backend="reference", **STEPS[step])
        got = nf.underdamped_step(*map(to_device, given), backend=backend, **STEPS[step])
        for a, b in zip(got[:3], wanted[:3], strict=True):
            assert_same_bits(to_host(a), b)
        assert got[3:] == wanted[3:]


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
def test_sghmc_gives_the_bits_of_the_host(accumulator: str) -> None:
    """Given the same gradients; parameters, velocities and counts."""
    import torch

    from samplers import SGHMC, Precision

    def run(device: str) -> tuple[Any, Any, Any]:
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 3001).to(device))
        precision = Precision("fixed<8,6>", "e4m3", accumulator)
        options = {"num_data": 100, "friction": 2.0, "weight_decay": 0.01}
        optimizer = SGHMC([weight], 0.1, precision=precision, **options)
        for k in range(5):
            grad = np.sin(np.linspace(-1, 1, 3001) * (k + 1)).astype(np.float32)
            weight.grad = torch.from_numpy(grad).to(device)
            optimizer.step()
        return weight.detach(), optimizer.state[weight]["velocity"], optimizer.counters()

    wanted, got = run("cpu"), run("cuda")
    for a, b in zip(got[:2], wanted[:2], strict=True):
        assert_same_bits(to_host(a), to_host(b))
    assert got[2] == wanted[2]


@pytest.mark.parametrize("backend", CUDA)
def test_random_numbers_where_an_array_lies(backend: str) -> None:
    key, like = nf.Key(2, start=3), to_device(np.zeros(1, np.float32))
    for dtype in (np.float32, np.float64):
        got = nf.random.normal((1001,), key, dtype, backend=backend, like=like)
        assert_same_bits(to_host(got), nf.random.normal((1001,), key, dtype, backend="reference"))


@pytest.mark.parametrize("backend", CUDA)
def test_draws(backend: str) -> None:
    mean = np.random.default_rng(0).normal(size=10_001)
    for fmt in ("e4m3", "fixed<8,4>", "e2m1", "mxfp8_e4m3", "bfp<8,block=7>", "nvfp4"):
        for variance in (0.0, 1e-4, 0.7, np.abs(mean)):
            for dtype in (np.float32, np.float64):
                x = mean.astype(dtype)
                several = not np.isscalar(variance)
                given = to_device(np.float64(variance)) if several else variance
                how = {"key": 3, "return_counts": True}
                got = nf.variance_corrected(to_device(x), given, fmt, backend=backend, **how)
                wanted = nf.variance_corrected(x, variance, fmt, backend="reference", **how)
                assert_same_bits(to_host(got[0]), wanted[0])
                assert got[1] == wanted[1]


@pytest.mark.parametrize("backend", CUDA)
def test_draws_with_variances_of_elements(backend: str) -> None:
    assert own_variances.compare(backend, 10_001, to_device, to_host)


@pytest.mark.parametrize("backend", CUDA)
def test_draws_in_blocks(backend: str) -> None:
    cases = len(block_draws.FORMATS) * len(block_draws.VARIANCES)
    for rows in (9, 512):
        assert block_draws.compare(backend, rows, to_device, to_host) == cases


@pytest.mark.parametrize("backend", CUDA)
def test_a_users_mode(backend: str) -> None:
    x = np.arange(-256, 257, dtype=np.float32) / 32
    wanted = np.sign(x) * (np.floor(np.abs(x)) + (np.abs(x) % 1 > 0.25))
    nf.mode(away_above_a_quarter)
    try:
        got = nf.quantize(to_device(x), "fixed<8,0>", "away_above_a_quarter", backend=backend)
    finally:
        del MODES["away_above_a_quarter"]
    np.testing.assert_array_equal(to_host(got), wanted)


@pytest.mark.parametrize("backend", CUDA)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_code(dtype: Any, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of NaN and of subnormals included."""
    formats = all_scalar_formats().values()
    codes = [np.arange(1 << min(f.bits, 8), dtype=code_dtype(f.bits)) for f in formats]

    def run(chosen: str) -> list[Any]:
        pairs = zip(codes, formats, strict=True)
        return [nf.decode(to_device(c), f, dtype=dtype, backend=chosen) for c, f in pairs]

    if backend == "cupy_cuda":
        compile_together(run, monkeypatch)
    for c, fmt, got in zip(codes, formats, run(backend), strict=True):
        assert_same_bits(to_host(got), nf.decode(c, fmt, dtype=dtype, backend="reference"))


@pytest.mark.parametrize("backend", CUDA)
def test_stochastic_rounding_goes_up_with_the_fraction(backend: str) -> None:
    import torch

    n = 4_000_000
    x = torch.full((n,), 2.0 + 0.125 * 0.3, device="cuda")
    up = int((nf.quantize(x, "fixed<8,3>", "stochastic", key=1, backend=backend) != 2.0).sum())
    p = (float(x[0]) - 2.0) / 0.125
    assert binomial_p(up, n, p) > FALSE_ALARM
    assert binomial_p(up, n, p + 0.01) < FALSE_ALARM  # negative control


@pytest.mark.parametrize("backend", CUDA)
@pytest.mark.parametrize("kind", ["cupy", "torch", "numba"])
def test_every_kind_of_array_comes_back_as_it_went(kind: str, backend: str) -> None:
    import cupy
    from numba import cuda

    x = np.random.default_rng(1).normal(size=(30, 64)).astype(np.float32)
    make = {"cupy": cupy.asarray, "torch": to_device, "numba": cuda.to_device}[kind]
    back = {"cupy": cupy.asnumpy, "torch": to_host, "numba": lambda a: a.copy_to_host()}[kind]
    for name in ("e4m3", "mxfp4"):
        given = make(x)
        got = nf.quantize(given, name, backend=backend)
        assert type(got) is type(given)
        assert_same_bits(back(got), nf.quantize(x, name))
        out = make(np.zeros_like(x))
        assert nf.quantize(given, name, backend=backend, out=out) is out
        assert_same_bits(back(out), nf.quantize(x, name))
    if kind == "torch":
        for view in (lambda a: a.T, lambda a: a[:, ::2], lambda a: a[1:, 1:]):
            got = nf.quantize(view(make(x)), "e4m3", backend=backend)
            assert_same_bits(back(got), np.ascontiguousarray(nf.quantize(view(x), "e4m3")))


@pytest.mark.parametrize("backend", CUDA)
def test_on_the_callers_stream(backend: str) -> None:
    """A long kernel before it on the same stream: its result is what is rounded."""
    import torch

    stream = torch.cuda.Stream()
    a = torch.randn(4096, 4096, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        b = a
        for _ in range(20):
            b = b @ a / 64
        got = nf.quantize(b, "e4m3", backend=backend)
    stream.synchronize()
    assert_same_bits(to_host(got), nf.quantize(to_host(b), "e4m3"))


STEP = {"lr": 0.1, "variance": 0.01, "key": 5, "weight": "e4m3", "accumulator": "low"}


def drawn(x: Any, **at: Any) -> Any:
    values, counts = nf.variance_corrected(x, 0.1, "e4m3", key=1, return_counts=True, **at)
    return values, *counts[1:]


CAPTURED: dict[str, Any] = {
    "rounded": lambda x, **at: [nf.quantize(x, "e4m3", "stochastic", key=1, **at)],
    "in blocks": lambda x, **at: [nf.quantize(x, "mxfp4", **at)],
    "with scratch memory": lambda x, **at: [nf.quantize(x, "nvfp4", "stochastic", key=1, **at)],
    "drawn": drawn,
    "a step": lambda x, **at: nf.langevin_step(x, x, **STEP, **at),
    "with velocities": lambda x, **at: nf.underdamped_step(
        x, x, x, **STEPS["corrected, e4m3"], **at
    ),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_in_a_cuda_graph(name: str) -> None:
    """Counts, and the scale of a velocity, are among what the graph makes."""
    import torch

    x, call = torch.randn(1000, 64, device="cuda"), CAPTURED[name]
    call(x, backend="cupy_cuda")
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        got = call(x, backend="cupy_cuda")
    x.copy_(torch.randn_like(x))
    graph.replay()
    torch.cuda.synchronize()
    for a, b in zip(got, call(to_host(x)), strict=True):
        assert_same_bits(to_host(a), np.asarray(b))


@pytest.mark.parametrize("backend", CUDA)
def test_more_than_two_to_the_31_elements(backend: str) -> None:
    import torch

    n = (1 << 31) + 1000
    if torch.cuda.mem_get_info()[0] < 3 * 2 * n:
        pytest.skip("not enough memory on the device")
    x = torch.zeros(n, dtype=torch.bfloat16, device="cuda")
    x[-1000:] = torch.randn(1000, device="cuda").bfloat16()
    nf.quantize(x, "e4m3", "stochastic", key=5, backend=backend, out=x)
    assert not bool(x[:-1000].any())
    tail = nf.quantize(x[-1000:], "e4m3", "stochastic", key=nf.Key(5).at(n - 1000))
    assert torch.equal(tail, x[-1000:])
