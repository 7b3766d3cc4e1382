"""How the values of one direction, forward or backward, are rounded; as text it crosses operators.

Text: the format (or ``none``), the rounding, then ``bits=N``, and ``amax`` with ``axes=IxJ``,
``limit=L``, ``power_of_two``, ``reduce_amax`` where they are not the default:
``"e4m3 stochastic amax axes=0x"``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from numformats.accelerators.scaling import check_limit
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, Format
from numformats.lanes import LANE64
from numformats.naming import parse
from numformats.random import Key
from numformats.request import request
from numformats.rounding import find
from numformats.torch.scaling import AmaxScaling

NEAREST = "nearest_even"


@dataclass(frozen=True)
class Direction:
    """Format, rounding and scaling of the values that go one way; format None leaves them."""

    fmt: Format | None = None
    rounding: str = NEAREST
    random_bits: int | None = None
    scaling: AmaxScaling | None = None

    @property
    def stochastic(self) -> bool:
        """Whether rounding draws random bits."""
        return self.fmt is not None and find(self.rounding).stochastic

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes that keep a scale for each index."""
        return self.scaling.axes if self.scaling is not None else ()

    @property
    def power_of_two(self) -> bool:
        """Whether scales are rounded up to powers of two."""
        return self.scaling is not None and self.scaling.power_of_two

    @property
    def limit(self) -> float:
        """The magnitude to which scaling maps the largest one."""
        assert self.fmt is not None
        given = self.scaling.limit if self.scaling is not None else None
        return float(self.fmt.max) if given is None else float(given)

    @property
    def text(self) -> str:
        """As it crosses operators; ``direction`` reads it back, without ``history``."""
        parts = ["none" if self.fmt is None else str(self.fmt), self.rounding]
        if self.random_bits is not None:
            parts.append(f"bits={self.random_bits}")
        if self.scaling is not None:
            parts.append("amax")
            if self.axes:
                parts.append("axes=" + "".join(f"{axis}x" for axis in self.axes))
            if self.scaling.limit is not None:
                parts.append(f"limit={float(self.scaling.limit)!r}")
            if self.power_of_two:
                parts.append("power_of_two")
            if self.scaling.reduce_amax:
                parts.append("reduce_amax")
        return " ".join(parts)

    @property
    def words(self) -> str:
        """What happens, in words."""
        if self.fmt is None:
            return "as it is"
        bits = "" if self.random_bits is None else f" with {self.random_bits} random bits"
        scaled = "" if self.scaling is None else f", {self.scaling.words}"
        return f"{self.fmt}, {self.rounding}{bits}{scaled}"

    def with_axes(self, axes: tuple[int, ...]) -> Direction:
        """The same with other axes that keep scales."""
        if self.scaling is None:
            return self
        return replace(self, scaling=replace(self.scaling, axis=axes, history=0, channels=None))


def checked(
    way: str,
    fmt: FormatLike | None,
    rounding: str = NEAREST,
    random_bits: int | None = None,
    scaling: AmaxScaling | None = None,
) -> Direction:
    """The direction called ``way``, after checking that its options go together.

    Raises:
        TypeError, ValueError: unknown names, random bits for a rounding that takes none, rounding
            or scaling without a format, scaling beside the scales of a block format that has none
            of the whole tensor.
    """
    if scaling is not None and not isinstance(scaling, AmaxScaling):
        raise TypeError(f"{way} scaling is {scaling!r}; write AmaxScaling(...) or None")
    if fmt is None:
        if rounding != NEAREST or random_bits is not None or scaling is not None:
            raise ValueError(
                f"{way}=None leaves values as they are, and {way} rounding, random bits or "
                f"scaling were given; give a format, for example {way}='e4m3', or leave them out"
            )
        return Direction()
    target = parse(fmt)
    request(rounding, Key(0), random_bits, LANE64)
    if scaling is not None and isinstance(target, BlockFloat):
        _check_scale_of_blocks(way, target, scaling)
    made = Direction(target, rounding, random_bits, scaling)
    if scaling is not None:
        if scaling.reduce_amax and not scaling.history:
            raise ValueError(
                f"{way} scaling has reduce_amax, which is for a history that ranks share; write "
                "history=16 or so, too"
            )
        check_limit(f"{way} scaling maps to the largest value of {target}: limit", made.limit)
    return made


def _check_scale_of_blocks(way: str, fmt: BlockFloat, scaling: AmaxScaling) -> None:
    if not fmt.tensor_scale:
        raise ValueError(
            f"{way}: {fmt} carries scales of its own; leave scaling out, or write its element "
            f"{str(fmt.element)!r}"
        )
    if scaling.axes:
        raise ValueError(
            f"{way}: {fmt} has one scale of the whole tensor beside those of its blocks, and "
            f"scaling has axis={scaling.axis!r}; leave axis out"
        )


@cache
def direction(text: str) -> Direction:
    """The direction that ``text`` stands for."""
    fmt, rounding, *rest = text.split()
    fields = dict(part.partition("=")[::2] for part in rest)
    if fmt == "none":
        return Direction()
    scaling = None
    if "amax" in fields:
        axes = tuple(int(axis) for axis in fields.get("axes", "").split("x") if axis)
        limit = float(fields["limit"]) if "limit" in fields else None
        flags = {name: name in fields for name in ("power_of_two", "reduce_amax")}
        scaling = AmaxScaling(axes, limit=limit, **flags)
    bits = int(fields["bits"]) if "bits" in fields else None
    return Direction(parse(fmt), rounding, bits, scaling)
