"""Loop skeletons of an underdamped step; see ``cuda_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, ANN

from numba import cuda


def forced(x, s, gb, ga, fixed):
    """Variance that the grid forces on a weight."""
    if fixed:
        return forced_in_gap(x, s.per_gap, s.gap_area)
    bits = float_to_bits(x)
    below = bits_to_float(bits_below(bits, ZERO, ZERO, gb, True, False))
    return forced_between(x, below, bits_to_float(bits_above(bits, ZERO, ZERO, ga, True, False)))


def moved_element(
    theta, velocity, grad, words, wv, decay, s, variance, spread, gg, gw, gb, ga, gd, general, low,
    high,
):  # fmt: skip
    """The accumulator, the weight with its counts, the velocity and what is left of its
    variance."""
    rounds_gradient, decays, noisy, rounds_weight, _, drawn, fixed = FLAGS
    wg, wn, ww, wo = words
    descent = rounded_single(grad, wg, gg, general) if rounds_gradient else grad
    slope = slope_of(theta, descent, decay, decays)
    mean = carried(theta, velocity, slope, s.drift, s.kick_x)
    v = kicked(velocity, slope, s.decay, s.kick_v)
    if drawn:
        weight = drawn_single(mean, variance, spread, ww, wo, gd)
        at = weight[0]
        share = share_of(forced(mean, s, gb, ga, fixed), s.var_x, s.cov)
        return at, weight, fused(share, F32(at - mean), v), left_over(share, s.rest, s.var_v)
    if noisy:
        v = diffuse(diffuse(v, s.shared, wn), s.own, wv)
        mean = diffuse(mean, s.std_x, wn)
    if rounds_weight:
        return mean, weighed(mean, ww, gw, general, low, high), v, F32(0.0)
    return mean, (mean, U64(0), U64(0)), v, F32(0.0)


def moved_at(
    i, words, wv, theta, velocity, grad, stored, seen, moved, left, decay, s, variance, spread, gg,
    gw, gb, ga, gd, general, low, high,
):  # fmt: skip
    """One step of element ``i``: the magnitudes of its velocity and of what is left of its
    variance, and its counts."""
    _, _, _, rounds_weight, keeps, drawn, _ = FLAGS
    mean, (used, excess, cut), v, rest = moved_element(
        theta[i], velocity[i], grad[i], words, wv, decay, s, variance, spread, gg, gw, gb, ga, gd,
        general, low, high,
    )  # fmt: skip
    if keeps or not (rounds_weight or drawn):
        stored[i] = mean
    if rounds_weight or drawn:
        seen[i] = used
    moved[i] = v
    if drawn:
        left[i] = rest
    sizes = float_to_bits(v) & MAGNITUDE, float_to_bits(rest) & MAGNITUDE
    return U64(sizes[0]), U64(sizes[1]), excess, cut


def underdamped(
    theta, velocity, grad, stored, seen, moved, left, decay, s, variance, gg, gw, gb, ga, gd,
    general, low, high, g0, g1, n0, n1, w0, w1, h0, h1, v0, v1, first, found,
):  # fmt: skip
    """Flags in the order of ``UNDERDAMPED_FLAGS``; ``found`` gathers counts, then largest
    magnitudes, where an old value is a bound that spares atomics."""
    j, n = here(), U64(theta.size)
    top, most, short, over = U64(0), U64(0), U64(0), U64(0)
    arrays = (theta, velocity, grad, stored, seen, moved, left)
    grids = (gg, gw, gb, ga, known(gd))
    rule = (decay, s, variance, root(variance), *grids, general, low, high)
    while j < turns(n, first):
        one, two = step_words(j, first, g0, g1, n0, n1, w0, w1, h0, h1)
        v, also_v = turn_words(j, first, v0, v1, FLAGS[2])
        i = place_of(j, first)
        if i < n:
            size, rest, excess, cut = moved_at(i, one, v, *arrays, *rule)
            top, most = maximum(top, size), maximum(most, rest)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            size, rest, excess, cut = moved_at(i, two, also_v, *arrays, *rule)
            top, most = maximum(top, size), maximum(most, rest)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(found, 0, short)
    gather(found, 1, over)
    gather_top(found, 2, top)
    gather_top(found, 3, most)


def velocity_at(i, one, two, moved, left, scale, gw, general, low, high, drawing):
    """The velocity of element ``i`` in units of its scale; its counts."""
    (drawn,) = FLAGS
    parts = in_units(moved[i], scale)
    if drawn:
        spread_of = spread_in_units(left[i], scale)
        value, excess, cut = own_single(parts, spread_of, one, two, *drawing)
    else:
        value, excess, cut = weighed(parts, one, gw, general, low, high)
    moved[i] = from_units(value, scale)
    return excess, cut


def velocities(
    moved, left, largest, least, gw, gd, unit, nothing, own_low, own_high, general, low, high,
    k0, k1, h0, h1, first, found,
):  # fmt: skip
    """The velocity in units of its scale; ``found`` holds the largest magnitudes, gathers counts,
    and receives the scale as float64 bits."""
    top, widest = bits_to_float(W32(found[2])), bits_to_float(W32(found[3]))
    wide = velocity_scale(top, widest, largest, least)
    j, n, short, over = here(), U64(moved.size), U64(0), U64(0)
    drawing = (known(gd), known_short(unit), nothing, own_low, own_high)
    rule = (moved, left, F32(wide), gw, general, low, high, drawing)
    while j < turns(n, first):
        one, two = turn_words(j, first, k0, k1, FLAGS[0] or STOCHASTIC)
        other, also = turn_words(j, first, h0, h1, FLAGS[0])
        i = place_of(j, first)
        if i < n:
            excess, cut = velocity_at(i, one, other, *rule)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            excess, cut = velocity_at(i, two, also, *rule)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(found, 0, short)
    gather(found, 1, over)
    if cuda.grid(1) == 0:
        found[4] = real_to_bits(wide)
