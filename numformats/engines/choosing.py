"""``engine``: the matrix unit of a chip by name."""

import difflib
from collections.abc import Callable, Iterable

from numformats.dtypes import FormatLike
from numformats.engines.chips import ALIASES, UNITS, Unit
from numformats.engines.engine import Engine
from numformats.naming import parse


def units() -> tuple[Unit, ...]:
    """Every unit that ``engine`` knows: chip, path, inputs, output, scales, and its engine."""
    return UNITS


def engine(
    chip: str,
    *,
    inputs: FormatLike | tuple[FormatLike, FormatLike],
    output: str | None = None,
    path: str | None = None,
    scale: str | None = None,
    scale_block: int | None = None,
) -> Engine:
    """The matrix unit of ``chip`` for these operands.

    Args:
        chip: for example ``"nvidia-h100"`` or ``"amd-mi300"``; ``nf.engines.units()`` lists all.
        inputs: format of both operands (its name, or a data type that holds it), or a pair.
        output: format name of the results: by default ``"fp32"``, or ``"fp64"`` for FP64 inputs.
        path: the instruction family, where a chip has several that differ (``"mma"``,
            ``"wgmma"``, ``"tcgen05"``, ...).
        scale: format name of block scales, for units that take them.
        scale_block: elements along K that share a scale, where a unit takes several.

    Returns:
        An engine for ``nf.matmul``; equal selections give equal engines.

    Raises:
        TypeError: a chip that is no name.
        ValueError: a name that is not known (with the closest match and what there is), or a
            selection that leaves units that differ.

    Example:
        >>> engine("nvidia-h100", inputs="e4m3", path="wgmma").frac_bits
        13

    Reference: the table in ``numformats/engines/chips.py`` and ``docs/engines.md``.
    """
    if not isinstance(chip, str):
        raise TypeError(f"chip is {chip!r}; write its name, for example 'nvidia-h100'")
    name = ALIASES.get(chip.lower(), chip.lower())
    found = _pick(UNITS, "chip", name, lambda u: u.chip, sorted({*ALIASES}))
    pair = inputs if isinstance(inputs, list | tuple) else (inputs, inputs)
    if len(pair) != 2:
        raise ValueError(f"inputs={inputs!r}; write the format of both operands, or a pair")
    a, b = (str(parse(x)) for x in pair)
    found = _pick(found, "inputs", f"{a}, {b}", lambda u: f"{u.a}, {u.b}")
    wanted = str(parse(output)) if output else ("fp64" if a == "fp64" else "fp32")
    found = _pick(found, "output", wanted, lambda u: u.output)
    if path is not None:
        found = _pick(found, "path", path, lambda u: u.path)
    if scale is not None or (path is None and any(not u.scale for u in found)):
        found = _pick(found, "scale", scale or "", lambda u: u.scale)
    if scale_block is not None:
        found = _pick(found, "scale_block", str(scale_block), lambda u: str(u.scale_block))
    if len({u.engine for u in found}) > 1:
        rows = "; ".join(
            f"path={u.path!r}"
            + (f", scale={u.scale!r}, scale_block={u.scale_block}" if u.scale else "")
            for u in found
        )
        raise ValueError(f"{chip} has several units for {a}, {b}: choose one by {rows}")
    return found[0].engine


def _pick(
    units: Iterable[Unit],
    name: str,
    value: str,
    of: Callable[[Unit], str],
    others: list[str] | None = None,
) -> list[Unit]:
    """The units with this value.

    Raises:
        ValueError: there are none.
    """
    units = list(units)
    found = [u for u in units if of(u) == value]
    if found:
        return found
    known = sorted({of(u) for u in units})
    close = difflib.get_close_matches(value, [*known, *(others or [])], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    where = "" if name == "chip" else f" of {units[0].chip}"
    listed = ", ".join(repr(k) for k in known)
    raise ValueError(f"unknown {name} {value!r}{where}; {hint}known: {listed}")
