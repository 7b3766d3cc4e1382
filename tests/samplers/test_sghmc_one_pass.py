"""Law: a step of SGHMC in one pass over memory gives the bits of the composition of public
functions, on every backend, for any size, layout and number of threads.
"""

from types import SimpleNamespace

import numba
import numpy as np
import pytest
import torch

import numformats as nf
from numformats.core import underdamped as texts
from samplers import SGHMC, PerChannel, Precision, sghmc, sghmc_one_pass, steps
from samplers.sghmc_one_pass import one_pass, one_pass_serves
from samplers.sghmc_steps import exponential
from samplers.steps import descent, gradient
from samplers.underdamped import Dynamics, moments
from tests.inputs import assert_same_bits
from tests.runnable import BACKENDS

pytestmark = pytest.mark.law

SIZES = (0, 1, 7, 1025)
LARGE = 70_001  # shared between threads
FORMATS = [
    "fixed<8,6>", "fixed<8,4,symmetric=true>", "e4m3", "e5m2", "float<4,3,subnormals=false>",
    "bf16", "float<5,2,overflow=infinity>", "e2m1",
]  # fmt: skip
KEY = nf.Key(11, 3)


def arrays(n, seed=0):
    rng = np.random.default_rng(seed)
    theta, velocity, grad = rng.normal(size=(3, n)).astype(np.float32)
    velocity *= np.float32(0.05)
    theta[: n // 50], grad[: n // 60] = 0.0, 1e-3
    return theta, velocity, grad


def with_specials(n):
    theta, velocity, grad = arrays(n, 1)
    theta[[3, 4]], grad[5], velocity[[6, 7]] = (np.nan, np.inf), -np.inf, (np.inf, np.nan)
    return theta, velocity, grad


def composed(given, precision, d, weight_decay):
    theta, velocity, grad = map(torch.from_numpy, given)
    slope = descent(theta, gradient(theta, grad, precision, KEY), weight_decay)
    return exponential(theta, velocity, slope, d, precision, KEY)


def in_one_pass(given, precision, d, weight_decay, backend):
    return nf.underdamped_step(
        *given,
        moments=moments(d),
        key=KEY,
        weight_decay=weight_decay,
        gradient=precision.gradient,
        weight=precision.weight,
        accumulator=precision.accumulator,
        rounding=precision.rounding,
        backend=backend,
    )


def assert_agree(got, wanted):
    assert_same_bits(got.stored, wanted.stored.numpy())
    assert_same_bits(got.seen, wanted.seen.numpy())
    assert_same_bits(got.velocity, wanted.carried["velocity"].numpy())
    assert got.scale == wanted.carried["velocity_scale"]
    assert (got.deficit, got.saturated) == (wanted.deficit, wanted.saturated)


CASES = [
    (Precision(weight, "fixed<8,6>" if weight else None, accumulator, rounding), heat)
    for accumulator in ("full", "low", "variance_corrected")
    for weight in (*FORMATS, None)
    for rounding in ("stochastic", "nearest_even")
    for heat in (0.0, 1e-5, 0.3)
    if weight or (accumulator == "full" and rounding == "stochastic")
]


@pytest.mark.parametrize("precision, heat", CASES, ids=str)
def test_equals_the_composition(precision, heat):
    d, weight_decay = Dynamics(0.09, 3.0, 2.0, heat), 0.1 * (heat > 0)
    for n in (*SIZES, *(LARGE,) * (str(precision.weight) in ("fixed<8,6>", "e4m3"))):
        given = arrays(n)
        wanted = composed(given, precision, d, weight_decay)
        for backend in BACKENDS:
            assert_agree(in_one_pass(given, precision, d, weight_decay, backend), wanted)


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
@pytest.mark.parametrize("weight", ["fixed<8,6>", "e4m3", "e5m2", "bf16"])
def test_numbers_that_are_not_finite(weight, accumulator):
    precision, d = Precision(weight, None, accumulator), Dynamics(0.09, 3.0, 2.0, 0.3)
    given = with_specials(65)
    wanted = composed(given, precision, d, 0.0)
    for backend in BACKENDS:
        assert_agree(in_one_pass(given, precision, d, 0.0, backend), wanted)


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
def test_threads_and_layouts(accumulator):
    precision, d = Precision("e4m3", "e5m2", accumulator), Dynamics(0.1, 2.0, 2.0, 1e-4)
    flat = arrays(150_000)
    wanted = composed(flat, precision, d, 0.0)
    before = numba.get_num_threads()
    try:
        for threads in {1, min(2, before)}:
            numba.set_num_threads(threads)
            assert_agree(in_one_pass(flat, precision, d, 0.0, "numba_cpu"), wanted)
    finally:
        numba.set_num_threads(before)
    columns = [np.asfortranarray(a.reshape(300, 500)) for a in flat]
    tensors = [torch.from_numpy(a) for a in columns]
    assert not tensors[0].is_contiguous()
    done = one_pass(*tensors, 0.0, d, precision, KEY)
    assert done.stored.shape == (300, 500)
    assert_same_bits(done.stored.reshape(-1).numpy(), wanted.stored.numpy())
    assert_same_bits(done.carried["velocity"].reshape(-1).numpy(), wanted.carried["velocity"])
    assert_same_bits(np.ascontiguousarray(columns[0]).reshape(-1), flat[0])  # untouched


DRAWN = "variance_corrected"
PLANTED = {
    "the published sign": ("carried", lambda x, v, g, b, k: x + b * v - k * g, "full"),
    "products rounded first": ("kicked", lambda v, g, d, k: v * d + g * k, "full"),
    "the asked variance": ("forced_in_gap", lambda x, *_: 0 * x, DRAWN),
    "no covariance": ("share_of", lambda forced, var, cov: 0 * forced, DRAWN),
    "the whole variance": ("left_over", lambda share, rest, var: var + 0 * share, DRAWN),
    "an unscaled variance": ("spread_in_units", lambda v, s: v.astype(np.float64), DRAWN),
    "an unscaled velocity": ("in_units", lambda v, s: v, "low"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name, monkeypatch):
    """Negative control: one text replaced by a plausible error, on the reference backend."""
    text, change, accumulator = PLANTED[name]
    precision = Precision("fixed<8,4>", "fixed<8,6>", accumulator)
    d, given = Dynamics(0.09, 3.0, 2.0, 1e-3), arrays(1025)
    wanted = composed(given, precision, d, 0.1)
    monkeypatch.setattr(texts, text, change)
    with pytest.raises(AssertionError):
        assert_agree(in_one_pass(given, precision, d, 0.1, "reference"), wanted)


def run(precision, **options):
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 300))
    optimizer = SGHMC([weight], 0.1, num_data=100, friction=2.0, precision=precision, **options)
    for k in range(5):
        weight.grad = torch.sin(weight.detach() * (k + 1))
        optimizer.step()
    return weight.detach(), optimizer.state[weight]


@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
def test_the_optimizer_takes_one_pass_with_the_same_bits(accumulator, monkeypatch):
    precision, calls = Precision("fixed<8,6>", "e4m3", accumulator), []
    monkeypatch.setattr(sghmc, "one_pass", lambda *given: calls.append(1) or one_pass(*given))
    fast, state = run(precision, weight_decay=0.01)
    assert len(calls) == 5
    monkeypatch.setattr(sghmc, "one_pass_serves", lambda *given: False)
    slow, other = run(precision, weight_decay=0.01)
    assert len(calls) == 5
    assert_same_bits(fast.numpy(), slow.numpy())
    for name, value in state.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(other[name])), name


@pytest.mark.parametrize(
    "dtype, precision",
    [
        (torch.float64, Precision()),
        (torch.float32, Precision(PerChannel(8), None, "low")),
        (torch.float32, Precision("mxfp4", None, "low")),
        (torch.float32, Precision(nf.FixedPoint(8, 3, overflow="wrap"), None, "low")),
    ],
    ids=str,
)
def test_other_dtypes_and_formats_are_composed(dtype, precision):
    assert not one_pass_serves(torch.zeros(4, dtype=dtype), precision)


@pytest.mark.parametrize("device, served", [("cpu", False), ("cuda", True), ("mps", False)])
def test_what_torch_fuses_is_asked_of_the_host(device, served, monkeypatch):
    """Where ``addcmul`` rounds its product the host composes, and a CUDA device gives the bits of
    a host that does not."""
    monkeypatch.setattr(steps, "torch_fuses", lambda device: True)
    monkeypatch.setattr(sghmc_one_pass, "torch_fuses_products", lambda: False)
    theta = SimpleNamespace(device=torch.device(device), dtype=torch.float32)
    assert one_pass_serves(theta, Precision("e4m3", None, DRAWN)) == served


STILL = nf.UnderdampedMoments(0.5, 0.25, 0.5, 0.125, 0.0, 0.0, 0.0)
BAD = {
    "dtype": ({"velocity": np.zeros(4)}, TypeError, "velocity has dtype float64"),
    "shape": ({"velocity": np.zeros(3, "f4")}, ValueError, r"velocity has shape \(3,\)"),
    "grad": ({"grad": np.zeros(3, "f4")}, ValueError, r"grad has shape \(3,\)"),
    "nan": ({"moments": STILL._replace(decay=np.nan)}, ValueError, "not finite"),
    "cov": ({"moments": STILL._replace(cov=1.0)}, ValueError, "no .co.variances"),
    "block": ({"weight": "mxfp4"}, ValueError, "weight=mxfp4 is a block format"),
    "no weight": ({"accumulator": "low"}, ValueError, "but weight is None"),
    "no key": ({"key": None}, ValueError, "key is missing"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused(what):
    change, error, words = BAD[what]
    zeros = {name: np.zeros(4, np.float32) for name in ("theta", "velocity", "grad")}
    given = zeros | {"moments": STILL, "key": 1} | change
    with pytest.raises(error, match=words):
        nf.underdamped_step(*[given.pop(name) for name in zeros], **given)
