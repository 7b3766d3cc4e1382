"""Loop skeletons of one underdamped step on the CPU: everything up to the velocity's scale in one
pass over memory, then the velocity on its grid; see ``loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def means(theta, velocity, descent, mean, moved, decay, s, decays):
    for i in range(mean.size):
        slope = slope_of(theta[i], descent[i], decay, decays)
        v = velocity[i]
        mean[i] = carried(theta[i], v, slope, s.drift, s.kick_x)
        moved[i] = kicked(v, slope, s.decay, s.kick_v)


def shaken(mean, moved, shared, own, s):
    """One normal for both, and one for the velocity alone."""
    for i in range(mean.size):
        moved[i] = diffuse(diffuse(moved[i], s.shared, shared[i]), s.own, own[i])
        mean[i] = diffuse(mean[i], s.std_x, shared[i])


def forced_run(mean, forced, s, gb, ga, fixed):
    """What the grid forces of variance on each element."""
    if fixed:
        for i in range(mean.size):
            forced[i] = forced_in_gap(mean[i], s.per_gap, s.gap_area)
        return
    near, far = np.empty(mean.size, F32), np.empty(mean.size, F32)
    x, down, up = mean.view(U), near.view(U), far.view(U)
    for i in range(mean.size):
        down[i] = bits_below(x[i], ZERO, ZERO, gb, True, False)
        up[i] = bits_above(x[i], ZERO, ZERO, ga, True, False)
    for i in range(mean.size):
        forced[i] = forced_between(mean[i], near[i], far[i])


def tied(mean, drawn, moved, left, forced, s):
    """The velocity's mean and variance, given the position's draw."""
    for i in range(mean.size):
        share = share_of(forced[i], s.var_x, s.cov)
        moved[i] = fused(share, F32(drawn[i] - mean[i]), moved[i])
        left[i] = left_over(share, s.rest, s.var_v)


def underdamped_chunk(
    theta, velocity, grad, stored, seen, moved, left, first, one, two, descent, mean, decay, s,
    variance, sigma, gg, gw, gb, ga, gd, low, high, keys, flags,
):  # fmt: skip
    rounds_gradient, decays, noisy, rounds_weight, keeps, drawn, fixed = flags
    n, slope = theta.size, grad
    if rounds_gradient:
        rounded_run(grad, descent[:n], one, first, gg, keys[0], keys[1])
        slope = descent[:n]
    means(theta, velocity, slope, mean, moved, decay, s, decays)
    if noisy:
        skip = fill(one, first, n, keys[2], keys[3])
        fill(two, first, n, keys[8], keys[9])
        shaken(mean, moved, one[skip:], two[skip:], s)
    if drawn:
        skip = fill(one, first, n, keys[4], keys[5])
        fill(two, first, n, keys[6], keys[7])
        short, over = draw_run(mean, variance, sigma, seen, one[skip:], two[skip:], gd)
        forced_run(mean, descent[:n], s, gb, ga, fixed)
        tied(mean, seen, moved, left, descent[:n], s)
        return short, over
    how = (first, gw, low, high, keys[4], keys[5], rounds_weight, keeps)
    return 0, weighed(mean, stored, seen, one, *how)


def underdamped(
    theta, velocity, grad, stored, seen, moved, left, decay, s, variance, gg, gw, gb, ga, gd, low,
    high, keys, first, counts, tops, flags,
):  # fmt: skip
    """``flags`` in the order of ``UNDERDAMPED_FLAGS``; ``tops`` receives the largest magnitudes of
    the velocity and of what is left of its variance."""
    n, drawn = theta.size, flags[5]
    for index in prange((n + TASK - 1) // TASK):
        task = I64(index)
        one, two = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U)
        descent, mean = np.empty(CHUNK, F32), np.empty(CHUNK, F32)
        wanted, sigma = np.full(CHUNK, variance), np.full(CHUNK, root(variance))
        top, widest = ZERO, ZERO
        for a in range(task * TASK, min((task + 1) * TASK, n), CHUNK):
            b = min(a + CHUNK, n)
            spare = left[a:b] if drawn else left
            short, over = underdamped_chunk(
                theta[a:b], velocity[a:b], grad[a:b], stored[a:b], seen[a:b], moved[a:b], spare,
                first + a, one, two, descent, mean[: b - a], decay, s, wanted, sigma, gg, gw, gb,
                ga, gd, low, high, keys, flags,
            )  # fmt: skip
            counts[task, 0] += short
            counts[task, 1] += over
            top = maximum(top, amax_of(moved[a:b].view(U)))
            if drawn:
                widest = maximum(widest, amax_of(spare.view(U)))
        tops[task, 0], tops[task, 1] = top, widest


def velocity_chunk(
    moved, left, first, one, two, parts, wanted, scale, gw, gd, unit, nothing, least, most, low,
    high, keys, drawn,
):  # fmt: skip
    n = moved.size
    for i in range(n):
        parts[i] = in_units(moved[i], scale)
    if drawn:
        for i in range(n):
            wanted[i] = spread_in_units(left[i], scale)
        skip = fill(one, first, n, keys[0], keys[1])
        fill(two, first, n, keys[2], keys[3])
        served = (nothing, least, most)
        short, over = own_run(parts, wanted, moved, one[skip:], two[skip:], gd, unit, *served)
    else:
        short, over = 0, beyond(parts, low, high)
        rounded_run(parts, moved, one, first, gw, keys[0], keys[1])
    for i in range(n):
        moved[i] = from_units(moved[i], scale)
    return short, over


def velocities(
    moved, left, scale, gw, gd, unit, nothing, least, most, low, high, keys, first, counts, drawn
):
    """``moved`` becomes ``scale`` times values of the weight's format."""
    n = moved.size
    for index in prange((n + TASK - 1) // TASK):
        task = I64(index)
        one, two = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U)
        parts, wanted = np.empty(CHUNK, F32), np.empty(CHUNK, F32)
        for a in range(task * TASK, min((task + 1) * TASK, n), CHUNK):
            b = min(a + CHUNK, n)
            short, over = velocity_chunk(
                moved[a:b], left[a:b] if drawn else left, first + a, one, two, parts[: b - a],
                wanted, scale, gw, gd, unit, nothing, least, most, low, high, keys, drawn,
            )  # fmt: skip
            counts[task, 0] += short
            counts[task, 1] += over
