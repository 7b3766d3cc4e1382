"""What is stored in how many bits: the precision of a sampler, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

import numformats as nf
from numformats.draw_grids import check_drawable
from samplers.integers import integer
from samplers.rules import ParameterMatch, matches

_PER_CHANNEL = "write perchannel<W> with 3 <= W <= 24, for example perchannel<8>"
ACCUMULATORS = ("full", "low", "variance_corrected")


@dataclass(frozen=True)
class PerChannel:
    """Block floating point with one exponent per index of dimension 0.

    The layout of the low-precision SGLD papers: one exponent per output channel of a weight, and
    one per scalar of a 1-D tensor (biases, normalisation weights).

    Args:
        word_bits: bits of an element, sign included, 3 to 24; the exponent has 8 more per block.

    Raises:
        ValueError: other numbers of bits.

    Reference: Yang et al., SWALP, ICML 2019; Zhang et al., ICML 2022 (arXiv 2206.09909).
    """

    word_bits: int = 8

    def __post_init__(self) -> None:
        if integer("word_bits", self.word_bits) not in range(3, 25):
            raise ValueError(f"perchannel<{self.word_bits}>: {_PER_CHANNEL}")

    def resolve(self, shape: tuple[int, ...]) -> Any:
        """The concrete ``numformats.BlockFloat`` for a tensor of this shape."""
        element = nf.FixedPoint(self.word_bits, self.word_bits - 2)
        if len(shape) < 2:
            return nf.BlockFloat(element, 1)
        return nf.BlockFloat(element, None, axis=tuple(range(1, len(shape))))

    def __str__(self) -> str:
        return f"perchannel<{self.word_bits}>"


def parse_format(text: str) -> Any:
    """A format by name: ``"perchannel<8>"`` is `PerChannel`, all else goes to ``numformats.parse``.

    Raises:
        ValueError: a name that neither of them knows.
    """
    name = text.strip().lower()
    if name.startswith("perchannel<") and name.endswith(">"):
        digits = name.removeprefix("perchannel<").removesuffix(">")
        if not digits.isdecimal():
            raise ValueError(f"{text!r}: {_PER_CHANNEL}")
        return PerChannel(int(digits))
    return nf.parse(text)


def resolve(fmt: Any, shape: tuple[int, ...]) -> Any:
    """The numformats format that ``fmt`` means for a tensor of this shape."""
    return fmt.resolve(shape) if isinstance(fmt, PerChannel) else fmt


@dataclass(frozen=True)
class Precision:
    """Formats of weights and gradients, and how the weights accumulate the updates.

    ======================  ======================================================================
    accumulator             update, with m = θ - lr·(Q_G(∇loss) + wd·θ) and v = 2·lr·T/num_data
    ======================  ======================================================================
    ``full``                θ ← m + √v·ξ in float32; the parameter holds Q_W(θ)      (SGLDLP-F)
    ``low``                 θ ← Q_W(m + √v·ξ); there is no other copy                (SGLDLP-L)
    ``variance_corrected``  θ ← Q^vc(m, v) on the grid of ``weight``              (VC SGLDLP-L)
    ======================  ======================================================================

    Args:
        weight: format of the weights (a numformats format, a `PerChannel` or a name); None keeps
            float32.
        gradient: format of the gradients of the mean loss; None keeps them as they come.
        accumulator: one of the table.
        rounding: how weights and gradients are rounded; a variance-corrected draw has its own law.
        rules: exceptions, pairs of a match (`ParameterMatch`) and a Precision without rules, or
            None for float32; the first match wins.

    Raises:
        TypeError: what is no format.
        ValueError: an unknown accumulator or rounding (those of N bits are none), a low-precision
            accumulator without ``weight``, a weight format in which no variance-corrected draw
            keeps its mean, or malformed rules.

    Example:
        >>> Precision("fixed<8,6>", accumulator="low", rules=(("*norm*", None),)).accumulator
        'low'

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithms 1 and 2.
    """

    weight: Any = None
    gradient: Any = None
    accumulator: str = "full"
    rounding: str = "stochastic"
    rules: tuple[tuple[ParameterMatch, Precision | None], ...] = ()

    def __post_init__(self) -> None:
        if self.accumulator not in ACCUMULATORS:
            raise ValueError(
                f"accumulator={self.accumulator!r} is unknown; write one of {ACCUMULATORS}"
            )
        offered = [name for name, mode in nf.roundings().items() if not mode.few_bits]
        if self.rounding not in offered:
            raise ValueError(f"rounding={self.rounding!r}; write one of {', '.join(offered)}")
        for field in ("weight", "gradient"):
            object.__setattr__(self, field, _format_of(field, getattr(self, field)))
        if self.accumulator != "full" and self.weight is None:
            raise ValueError(
                f"accumulator={self.accumulator!r} keeps the weights on a grid, but weight is "
                'None; give weight a format, or write accumulator="full"'
            )
        if self.accumulator == "variance_corrected":
            _check_drawn(self.weight)
        _check_rules(self.rules)

    def for_parameter(self, index: int, name: str, tensor: torch.Tensor) -> Precision:
        """The precision of one parameter, after the rules."""
        for match, precision in self.rules:
            if matches(match, index, name, tensor):
                return FULL if precision is None else precision
        return self

    def __str__(self) -> str:
        weight = "float32" if self.weight is None else str(self.weight)
        gradient = "float32" if self.gradient is None else str(self.gradient)
        rules = f", {len(self.rules)} rule(s) for single parameters" if self.rules else ""
        return f"weights {weight}, gradients {gradient}, {self.accumulator} accumulator{rules}"


def _format_of(field: str, given: Any) -> Any:
    if given is None or isinstance(given, PerChannel):
        return given
    if isinstance(given, str):
        return parse_format(given)
    try:
        return nf.parse(given)
    except TypeError as error:
        raise TypeError(f"{field}={given!r}: {error}; or PerChannel(8), or None") from None


def _check_drawn(weight: Any) -> None:
    if isinstance(weight, PerChannel):
        return
    try:
        check_drawable(weight)
    except ValueError as error:
        raise ValueError(
            f'weight={weight!s} with accumulator="variance_corrected": {error}'
        ) from error


def _check_rules(rules: object) -> None:
    if not isinstance(rules, tuple):  # a list has no hash, and a precision needs one
        raise ValueError(
            f"rules={rules!r} is of type {type(rules).__name__}; write a tuple of pairs, "
            'for example rules=(("*norm*", None),)'
        )
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: object) -> None:
    is_pair = isinstance(rule, tuple) and len(rule) == 2
    is_match = is_pair and (isinstance(rule[0], int | str) or callable(rule[0]))  # type: ignore[index]
    if not is_match or not (rule[1] is None or isinstance(rule[1], Precision)):  # type: ignore[index]
        raise ValueError(
            f"rule {rule!r}: write a pair (index, name glob or predicate; Precision or None)"
        )
    if rule[1] is not None and rule[1].rules:  # type: ignore[index]
        raise ValueError(
            f"rule {rule!r} has a precision with rules of its own, which would do nothing; write "
            "them before it among the outer ones"
        )


def saturated(x: torch.Tensor, fmt: Any) -> int | torch.Tensor:
    """How many elements of ``x`` lie beyond the range of ``fmt``, for CUDA tensors where they lie;
    a block format has none."""
    if isinstance(fmt, nf.BlockFloat | PerChannel):
        return 0
    found = ((x > fmt.max) | (x < fmt.min)).sum()
    return found if found.is_cuda else int(found)


FULL = Precision()
