"""The Numba CUDA kernels in Numba's simulator, compared with the reference. Run as a process of its
own with NUMBA_ENABLE_CUDASIM=1: ``python -m tests.simulated [PLANTED]``; prints what it compared.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

import numformats as nf
from numformats.backends import numba_cuda_launch, numba_cuda_text
from tests import block_draws, float_scaled, own_variances
from tests.inputs import DTYPES, MADE, assert_same_bits, hard_inputs
from tests.underdamped import STEPS
from tests.underdamped import compare as compare_step

FORMATS = [
    nf.E4M3, nf.E5M2, nf.BF16, nf.E8M0, nf.FixedPoint(8, 3), nf.parse("binary8p1se"),
    *(MADE[name] for name in ("fixed<16,8,wrap>", "float<4,3,nosub>", "e5m2,infinity", "e8m0,nan")),
]  # fmt: skip
BLOCKS = [
    nf.MXFP4, nf.parse("bfp<8,block=5>"), nf.BlockFloat(nf.E4M3, (2, 3), axis=(0, 1)), nf.NVFP4,
]  # fmt: skip
PLANTED = {
    "a constant": (
        "lane_text",
        "SIG_BITS, EXP_BIAS, LAST, LEFT = I(23)",
        "SIG_BITS, EXP_BIAS, LAST, LEFT = I(22)",
    ),
    "a comparison": ("lane_text", "a if a > b else b", "a if a < b else b"),
    "an operand": ("draw_text", "fused(share, rest, var_v)", "fused(share, share, var_v)"),
}


def sample(fmt: Any, carrier: str, count: int) -> np.ndarray:
    x = hard_inputs(fmt, carrier, 16)
    return x[np.random.default_rng(1).permutation(x.size)[:count]]


def key_for(mode: str) -> nf.Key | None:
    return nf.Key(17, start=1) if nf.roundings()[mode].stochastic else None


def compare(verb: Any, x: np.ndarray, fmt: Any, mode: str) -> None:
    try:
        wanted = verb(x, fmt, mode, key=key_for(mode), backend="reference")
    except ValueError:  # a wrapping word that the carrier cannot hold
        return
    got = verb(x, fmt, mode, key=key_for(mode), backend="numba_cuda")
    pairs = zip(got[:2], wanted[:2], strict=True) if isinstance(wanted, tuple) else [(got, wanted)]
    for a, b in pairs:
        assert_same_bits(a, b)
    assert not isinstance(wanted, tuple) or got[2:] == wanted[2:]


def scalars() -> int:
    done = 0
    for carrier in DTYPES:
        for mode in nf.roundings():
            for fmt in FORMATS:
                compare(nf.quantize, sample(fmt, carrier, 32), fmt, mode)
                done += 1
        for fmt in (nf.E4M3, nf.FixedPoint(8, 3)):
            x = sample(fmt, carrier, 32)
            compare(nf.encode, x[np.isfinite(x)], fmt, "nearest_even")
    return done


def blocks() -> int:
    done = 0
    for carrier in DTYPES:
        for fmt in BLOCKS:
            for mode in ("nearest_even", "stochastic"):
                x = np.resize(sample(fmt.element, carrier, 60), (2, 32))
                compare(nf.quantize, x, fmt, mode)
                finite = np.where(np.isfinite(x), x, x.dtype.type(1))
                compare(nf.encode, finite, fmt, mode)
                done += 1
        moderate = np.abs(finite.astype(np.float64)) < 1e30  # the array's scale is finite
        codes = nf.encode(np.where(moderate, finite, finite.dtype.type(1)), fmt)
        wanted = nf.decode(codes, fmt, dtype=np.float64, backend="reference")
        assert_same_bits(nf.decode(codes, fmt, dtype=np.float64, backend="numba_cuda"), wanted)
    exact = float_scaled.ties(nf.NVFP4, np.random.default_rng(3))[:8].reshape(2, -1)
    for mode in ("nearest_even", "toward_positive"):
        compare(nf.quantize, exact, nf.NVFP4, mode)
        compare(nf.encode, exact, nf.NVFP4, mode)
        done += 1
    for fmt in (nf.NVFP4, replace(nf.NVFP4, axis=0), replace(nf.NVFP4, scale=nf.FP16)):
        for scale in (1e-36, 0.0123):
            float_scaled.compare_one("numba_cuda", fmt, exact, {"tensor_scale": scale})
            done += 1
    return done


def draws() -> int:
    for n in (1, 33):
        for bits in (32, 64):
            how = {"bits": bits, "key": nf.Key(3, start=5)}
            wanted = nf.random.words(n, backend="reference", **how)
            assert_same_bits(nf.random.words(n, backend="numba_cuda", **how), wanted)
        wanted = nf.random.normal((n,), 4, np.float64, backend="reference")
        assert_same_bits(nf.random.normal((n,), 4, np.float64, backend="numba_cuda"), wanted)
    mean, done = np.random.default_rng(0).normal(size=50), 0
    how = {"key": nf.Key(3, start=1), "return_counts": True}
    for dtype in (np.float32, np.float64):
        for fmt in ("e4m3", "fixed<8,4>", "bfp<8,block=5>", "nvfp4"):
            for variance in (0.0, 1e-4, 0.7):
                given = (mean.astype(dtype), variance, fmt)
                wanted = nf.variance_corrected(*given, backend="reference", **how)
                got = nf.variance_corrected(*given, backend="numba_cuda", **how)
                assert_same_bits(got[0], wanted[0])
                assert got[1] == wanted[1]
                done += 1
    done += block_draws.compare_few("numba_cuda")
    done += own_variances.compare("numba_cuda", 40)
    codes = np.arange(256, dtype=np.uint8)
    for fmt in (nf.E4M3, nf.E8M0, nf.FixedPoint(8, 3), nf.parse("binary8p3ue")):
        wanted = nf.decode(codes, fmt, dtype=np.float64, backend="reference")
        got = nf.decode(codes, fmt, dtype=np.float64, backend="numba_cuda")
        assert_same_bits(got, wanted)
    return done


def steps() -> int:
    rng = np.random.default_rng(1)
    theta, grad = rng.normal(size=(2, 40)).astype(np.float32)
    done = 0
    for accumulator in ("full", "low", "variance_corrected"):
        for weight, variance in (("fixed<8,6>", 0.01), ("e4m3", 0.01), ("bf16", 0.0), (None, 0.01)):
            if weight or accumulator == "full":
                how = {"lr": 0.1, "variance": variance, "weight_decay": 0.1, "key": 5}
                how |= {"accumulator": accumulator, "weight": weight, "gradient": "e5m2"}
                wanted = nf.langevin_step(theta, grad, backend="reference", **how)
                got = nf.langevin_step(theta, grad, backend="numba_cuda", **how)
                for a, b in zip(got[:2], wanted[:2], strict=True):
                    assert_same_bits(a, b)
                assert got[2:] == wanted[2:]
                done += 1
    return done


def underdamped() -> int:
    for how in STEPS.values():
        compare_step(how, 40, 0, "numba_cuda")
    return len(STEPS)


def plant(name: str) -> None:
    text, before, after = PLANTED[name]
    emitted = getattr(numba_cuda_text, text)

    def changed(*how: Any) -> str:
        assert before in emitted(*how), f"nothing to plant {name} in"
        return str(emitted(*how)).replace(before, after)

    setattr(numba_cuda_launch, text, changed)


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    numba_cuda_launch.THREADS = numba_cuda_text.THREADS = 32  # each is a thread of Python's
    registry = sys.modules["numformats.backends"]
    found = registry.Availability(True, "")
    registry._BACKENDS["numba_cuda"] = registry.Backend("host", lambda: found)
    if sys.argv[1:]:
        plant(sys.argv[1])
        if sys.argv[1] == "an operand":
            compare_step(STEPS["corrected, fixed"], 40, 0, "numba_cuda")
        compare(nf.quantize, sample(nf.E4M3, "float32", 32), nf.E4M3, "nearest_even")
        return
    found = f"{scalars()} scalar, {blocks()} block, {draws()} draw, {steps()} step"
    found += f", {underdamped()} underdamped"
    print(f"{found} cases agree")


if __name__ == "__main__":
    main()
