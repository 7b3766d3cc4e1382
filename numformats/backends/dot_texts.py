"""The core texts of matrix products, as lists that every backend compiles from."""

from collections.abc import Callable
from typing import Any

from numformats.core import chain, dot, operand

Texts = tuple[Callable[..., Any], ...]
SPLIT: Texts = (
    operand.operand_shift,
    operand.operand_significand,
    operand.operand_exponent,
    operand.operand_kind,
)
DOT: Texts = (
    dot.aligned,
    dot.term,
    dot.over_range,
    dot.product_flags,
    dot.special_sum,
    dot.c_exponent,
    dot.c_shift,
    dot.scaled,
    dot.converted,
    dot.down,
    dot.late_sum,
)  # need T, TU, TERM_LAST, DOT_GENERAL, DOT_NAN, and a mode
GROUP: Texts = (
    dot.first_truncated,
    dot.finish_truncated,
    dot.group_is_zero,
    dot.group_exponent,
    dot.group_term,
)
CHAIN: Texts = (
    chain.sum_error,
    chain.odd_bits,
    chain.add_odd,
    chain.plain_nan,
    chain.flushed,
    chain.flushed_input,
)  # of the 64-bit lane
