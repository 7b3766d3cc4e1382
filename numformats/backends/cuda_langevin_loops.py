"""Loop skeletons of Langevin steps; see ``cuda_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN


def rounded_single(x, rand, g, general):
    return bits_to_float(round_bits(float_to_bits(x), rand, ZERO, g, general, False))


def drawn_single(m, variance, sigma, w0, w1, g):
    """A draw, whether it has too much variance, and whether it was beyond the range."""
    drawn, forced = draw(F64(m), variance, sigma, w0, w1, g)
    free = F64(F32(drawn))
    over = outside(free, g.smallest, g.largest)
    return settled(F32(bounded(free, g))), U64(forced), U64(over)


def weighed(mean, rand, g, general, low, high):
    """The weight that is rounded from the accumulator, and what ``drawn_single`` says of it."""
    return rounded_single(mean, rand, g, general), U64(0), U64(outside(mean, low, high))


def step_words(j, first, g0, g1, n0, n1, w0, w1, h0, h1):
    """The random words of both elements of a turn that a step needs: of gradient, noise, weight,
    and the second of a draw."""
    rounds_gradient, noisy, rounds_weight, drawn = FLAGS[0], FLAGS[2], FLAGS[3], FLAGS[5]
    g, also_g = turn_words(j, first, g0, g1, rounds_gradient and STOCHASTIC)
    n, also_n = turn_words(j, first, n0, n1, noisy)
    w, also_w = turn_words(j, first, w0, w1, drawn or (rounds_weight and STOCHASTIC))
    o, also_o = turn_words(j, first, h0, h1, drawn)
    return (g, n, w, o), (also_g, also_n, also_w, also_o)


def step_element(
    theta, grad, words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low, high
):
    """The accumulator, and the weight with its counts, after one step of one element."""
    rounds_gradient, decays, noisy, rounds_weight, _, drawn = FLAGS
    wg, wn, ww, wo = words
    slope = rounded_single(grad, wg, gg, general) if rounds_gradient else grad
    mean = drift(theta, slope, lr, decay, decays)
    if noisy:
        mean = diffuse(mean, sigma, wn)
    if drawn:
        return mean, drawn_single(mean, variance, spread, ww, wo, gd)
    if rounds_weight:
        return mean, weighed(mean, ww, gw, general, low, high)
    return mean, (mean, U64(0), U64(0))


def step_at(
    i, words, theta, grad, stored, seen, lr, decay, sigma, variance, spread, gg, gw, gd, general,
    low, high,
):  # fmt: skip
    """One step of element ``i``; its counts."""
    _, _, _, rounds_weight, keeps, drawn = FLAGS
    mean, (used, excess, cut) = step_element(
        theta[i], grad[i], words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low, high
    )
    if keeps or not (rounds_weight or drawn):
        stored[i] = mean
    if rounds_weight or drawn:
        seen[i] = used
    return excess, cut


def langevin(
    theta, grad, stored, seen, lr, decay, sigma, variance, gg, gw, gd, general, low, high,
    g0, g1, n0, n1, w0, w1, h0, h1, first, counts,
):  # fmt: skip
    """Flags in the order of ``task.STEP_FLAGS``; ``counts`` as in ``draws``."""
    j, n, short, over = here(), U64(theta.size), U64(0), U64(0)
    arrays, scalars = (theta, grad, stored, seen), (lr, decay, sigma, variance, root(variance))
    rule = (*scalars, gg, gw, known(gd), general, low, high)
    while j < turns(n, first):
        one, two = step_words(j, first, g0, g1, n0, n1, w0, w1, h0, h1)
        i = place_of(j, first)
        if i < n:
            excess, cut = step_at(i, one, *arrays, *rule)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            excess, cut = step_at(i, two, *arrays, *rule)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)
