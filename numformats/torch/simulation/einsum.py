"""einsum and tensordot as batched matrix products, two operands at a time."""

from typing import Any

import torch

from numformats.torch.simulation.arguments import bias_of
from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.operands import operand, role_of
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import product

Tensor = torch.Tensor
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@intercepts("einsum")
def einsum(site: Site, equation: str, operands: Any, *more: Any, path: Any = None) -> Tensor:
    """Sums of products; pairs are contracted in torch's order, from left to right without one."""
    tensors = [*operands, *more] if isinstance(operands, list | tuple) else [operands, *more]
    terms, out = parse(equation, [x.ndim for x in tensors])
    if len(tensors) == 1:
        return alone(site, equation, tensors[0])
    pending = list(zip(terms, tensors, strict=True))
    order = list(zip(path[::2], path[1::2], strict=True)) if path else []
    while len(pending) > 1:
        i, j = sorted(order.pop(0)) if order else (0, 1)
        second, first = pending.pop(j), pending.pop(i)
        kept = {*out, *(letter for term, _ in pending for letter in term)}
        if not pending:
            return contract(site.again(), first, second, out)
        names = "".join(dict.fromkeys(c for c in first[0] + second[0] if c in kept))
        made = (names, contract(site.again(), first, second, names))
        if path:
            pending.append(made)
        else:
            pending.insert(0, made)
    raise AssertionError("two operands leave one")


def parse(equation: str, ndims: list[int]) -> tuple[list[str], str]:
    """The letters of every operand and of the result, ellipses written out.

    Raises:
        ValueError: letters that do not fit the operands.
    """
    text = equation.replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    strange = sorted(set(text) - {*LETTERS, *".,->"})
    if strange:
        raise ValueError(f"{equation!r} has {''.join(strange)!r}; subscripts are letters a-z, A-Z")
    if len(terms) != len(ndims):
        raise ValueError(f"{equation!r} has {len(terms)} operands, and {len(ndims)} were given")
    free = [c for c in LETTERS if c not in text]
    hidden = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    for term, n, more in zip(terms, ndims, hidden, strict=True):
        if more < 0 or (more and "..." not in term):
            raise ValueError(f"{term!r} of {equation!r} does not name {n} axes")
    most = max([m for t, m in zip(terms, hidden, strict=True) if "..." in t], default=0)
    dots = "".join(free[:most])
    named = [t.replace("...", dots[most - m :]) for t, m in zip(terms, hidden, strict=True)]
    if not arrow:
        letters = "".join(terms).replace(".", "")
        out = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    unknown = set(out) - {".", *left}
    if unknown or len(set(out) - {"."}) < len(out.replace(".", "")):
        raise ValueError(f"{out!r} of {equation!r} names an axis twice, or one that nobody has")
    return named, out.replace("...", dots)


def contract(site: Site, a: tuple[str, Tensor], b: tuple[str, Tensor], out: str) -> Tensor:
    """Two operands: batch axes, rows, columns and K, as one batched product."""
    roles = role_of(a[1]), role_of(b[1])
    (x_names, x), (y_names, y) = (
        _prepared(site, t, {*out, *other[0]}) for t, other in ((a, b), (b, a))
    )
    size = dict(zip(x_names, x.shape, strict=True))
    for letter, n in zip(y_names, y.shape, strict=True):
        size[letter] = max(n, size.get(letter, 1)) if size.get(letter, 1) and n else 0
    both = [c for c in x_names if c in y_names]
    batch, inner = [c for c in both if c in out], [c for c in both if c not in out]
    rows, columns = ([c for c in n if c not in both] for n in (x_names, y_names))
    left = _matrix(x_names, x, size, (batch, rows, inner))
    right = _matrix(y_names, y, size, (batch, inner, columns))
    p = operand(site, left, roles[0], 0), operand(site, right, roles[1], 1)
    names = [*batch, *rows, *columns]
    result = product(site, *p).reshape([size[c] for c in names])
    return result.permute([names.index(c) for c in out])


def alone(site: Site, equation: str, x: Tensor) -> Tensor:
    """One operand, of which torch takes diagonals, sums and views."""
    with site.inside():
        return torch.einsum(equation, x)


def _prepared(site: Site, term: tuple[str, Tensor], kept: set[str]) -> tuple[str, Tensor]:
    """Diagonals of repeated letters; letters that nobody else has are summed away."""
    names, x = term
    unique = "".join(dict.fromkeys(names))
    found = "".join(c for c in unique if c in kept)
    return found, (x if found == names else alone(site, f"{names}->{found}", x))


def _matrix(names: str, x: Tensor, size: dict[str, int], groups: Any) -> Tensor:
    """``x`` as (batch, ., .), or as a matrix where nothing is batched."""
    order = [c for group in groups for c in group]
    full = x.permute([names.index(c) for c in order]).expand([size[c] for c in order])
    counts = [int(torch.Size([size[c] for c in group]).numel()) for group in groups]
    return full.reshape(counts if groups[0] else counts[1:])


@intercepts("tensordot")
def tensordot(site: Site, a: Tensor, b: Tensor, dims_self: Any, dims_other: Any) -> Tensor:
    """Contraction of pairs of axes."""
    first, second = ([d % x.ndim for d in dims] for x, dims in ((a, dims_self), (b, dims_other)))
    names = LETTERS[: a.ndim]
    others = list(LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(first, second, strict=True):
        others[j] = names[i]
    kept = [c for i, c in enumerate(names) if i not in first]
    kept += [c for j, c in enumerate(others) if j not in second]
    return contract(site, (names, a), ("".join(others), b), "".join(kept))


@intercepts("bilinear")
def bilinear(
    site: Site, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """``x1 @ W``, then its rows times ``x2``."""
    if input1.shape[:-1] != input2.shape[:-1]:
        raise ValueError(
            f"{site.op}: input1 {tuple(input1.shape)} and input2 {tuple(input2.shape)}; all axes "
            "but the last must be as long"
        )
    bias_of(site.op, bias, weight.shape[0])
    result = einsum(site, "...i,oij,...j->...o", (input1, weight, input2))
    return result if bias is None else result + bias
