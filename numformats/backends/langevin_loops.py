"""Loop skeleton of one Langevin step on the CPU: rounding, drift, noise and rounding again on a
stretch that stays in the nearest cache; see ``loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def moved(theta, descent, mean, lr, decay, decays):
    """The mean of a step."""
    for i in range(mean.size):
        mean[i] = drift(theta[i], descent[i], lr, decay, decays)


def diffused(mean, words, sigma):
    for i in range(mean.size):
        mean[i] = diffuse(mean[i], sigma, words[i])


def beyond(x, low, high):
    count = 0
    for i in range(x.size):
        count += I64(outside(x[i], low, high))
    return count


def rounded_run(x, out, words, first, g, k0, k1):
    """Round a run in a format; the random words are made here."""
    skip = fill(words, first, x.size, k0, k1) if STOCHASTIC else 0
    none = CodeSpec(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
    round_all(x.view(U), out.view(U), words[skip:], ZERO, g, none)


def weighed(mean, stored, seen, words, first, g, low, high, k0, k1, rounds_weight, keeps):
    """The accumulator and the weight that is rounded from it; how many lie beyond the range."""
    if keeps or not rounds_weight:
        stored[:] = mean
    if not rounds_weight:
        return 0
    count = beyond(mean, low, high)
    rounded_run(mean, seen, words, first, g, k0, k1)
    return count


def langevin_chunk(
    theta, grad, stored, seen, first, words, two, descent, mean, lr, decay, sigma, variance,
    root_of, gg, gw, gd, low, high, keys, flags,
):  # fmt: skip
    rounds_gradient, decays, noisy, rounds_weight, keeps, drawn = flags
    n, slope = theta.size, grad
    if rounds_gradient:
        rounded_run(grad, descent[:n], words, first, gg, keys[0], keys[1])
        slope = descent[:n]
    moved(theta, slope, mean, lr, decay, decays)
    if noisy:
        skip = fill(words, first, n, keys[2], keys[3])
        diffused(mean, words[skip:], sigma)
    if drawn:
        skip = fill(words, first, n, keys[4], keys[5])
        fill(two, first, n, keys[6], keys[7])
        return draw_run(mean, variance, root_of, seen, words[skip:], two[skip:], gd)
    how = (first, gw, low, high, keys[4], keys[5], rounds_weight, keeps)
    return 0, weighed(mean, stored, seen, words, *how)


def langevin(
    theta, grad, stored, seen, lr, decay, sigma, variance, gg, gw, gd, low, high, keys, first,
    counts, flags,
):  # fmt: skip
    """Every stretch in one pass; ``flags`` in the order of ``task.STEP_FLAGS``."""
    n = theta.size
    for index in prange((n + TASK - 1) // TASK):
        task = I64(index)
        words, two = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U)
        descent, mean = np.empty(CHUNK, F32), np.empty(CHUNK, F32)
        wanted, root_of = np.full(CHUNK, variance), np.full(CHUNK, root(variance))
        for a in range(task * TASK, min((task + 1) * TASK, n), CHUNK):
            b = min(a + CHUNK, n)
            short, over = langevin_chunk(
                theta[a:b], grad[a:b], stored[a:b], seen[a:b], first + a, words, two, descent,
                mean[: b - a], lr, decay, sigma, wanted, root_of, gg, gw, gd, low, high, keys,
                flags,
            )  # fmt: skip
            counts[task, 0] += short
            counts[task, 1] += over
