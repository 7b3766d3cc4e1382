"""The Numba CUDA kernels of matrix products in Numba's simulator, compared with the reference. Run
as a process of its own with NUMBA_ENABLE_CUDASIM=1: ``python -m tests.engines.simulated``, with the
name of an error to plant or without; prints what it compared.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

import numformats as nf
from numformats.backends import numba_cuda_dots, numba_cuda_launch
from tests.engines import test_exact, test_mac
from tests.engines.inputs import assert_equal_bits
from tests.engines.test_backends import DISTINCT, label, product

NAME = "numba_cuda"
PLANTED = {
    "a shift": ("T(T(top) + T(s.align))", "T(T(top) + T(T(s.align) + T(1)))"),
    "a swapped comparison": ("top = maximum(top, I(I(ea", "top = minimum(top, I(I(ea"),
}


def units() -> int:
    for unit in DISTINCT:
        try:
            assert_equal_bits(product(unit, NAME, 4, 5), product(unit, "reference", 4, 5))
        except AssertionError as error:
            raise AssertionError(f"{label(unit)}: {error}") from None
    return len(DISTINCT)


def chains() -> int:
    done = 0
    for name, engine in test_mac.ENGINES.items():
        for mode in ("nearest_even", "stochastic"):
            chain = replace(engine, rounding=mode)
            operands = test_mac.case(chain, 2, 3)
            got, wanted = (test_mac.got(chain, *operands, b) for b in (NAME, "reference"))
            np.testing.assert_array_equal(got, wanted, f"{name}, {mode}")
            done += 1
    return done


def integers() -> int:
    for engine in test_exact.INTEGER.values():
        a, b, c, wanted = test_exact.integer_case(engine)
        got = nf.matmul(a, b, c, engine=engine, backend=NAME)
        np.testing.assert_array_equal(got, wanted)
    return len(test_exact.INTEGER)


def batches() -> int:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 1, 2, 20)), rng.standard_normal((2, 20, 3))
    engine = nf.engine("nvidia-h100", inputs="fp16")
    a, b = a.astype(np.float16), b.astype(np.float16)
    got, wanted = (nf.matmul(a, b, engine=engine, backend=n) for n in (NAME, "reference"))
    assert_equal_bits(got, wanted)
    return 4


def plant(name: str) -> None:
    before, after = PLANTED[name]
    emitted = numba_cuda_dots.text.dots_text

    def changed(*how: Any) -> str:
        assert before in emitted(*how), f"nothing to plant {name} in"
        return emitted(*how).replace(before, after)

    numba_cuda_dots.text.dots_text = changed


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    numba_cuda_launch.THREADS = 32  # each is a thread of Python's
    registry = sys.modules["numformats.backends"]
    found = registry.Availability(True, "")
    registry._BACKENDS[NAME] = registry.Backend("host", lambda: found)
    if sys.argv[1:]:
        plant(sys.argv[1])
        unit = next(u for u in DISTINCT if u.a == "bf16" and u.engine.frac_bits == 25)
        assert_equal_bits(product(unit, NAME), product(unit, "reference"))
        return
    counts = f"{units()} unit, {chains()} chain, {integers()} integer, {batches()} batch"
    print(f"{counts} cases agree")


if __name__ == "__main__":
    main()
