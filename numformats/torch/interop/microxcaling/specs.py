"""Specifications: dictionaries of what is rounded to which format."""

from __future__ import annotations

import argparse
import json
from collections import UserDict
from collections.abc import Mapping
from typing import Any

from numformats.checks import choice

FORMATS = (
    "w_elem_format", "a_elem_format", "w_elem_format_bp", "a_elem_format_bp_ex",
    "a_elem_format_bp_os",
)  # fmt: skip
ROUNDS = (
    "round", "round_m", "round_weight", "round_output", "round_grad_weight", "round_grad_input",
    "round_mx_output", "round_mx_input_grad_input", "round_mx_weight_grad_input",
    "round_mx_grad_output_grad_input", "round_mx_input_grad_weight",
    "round_mx_grad_output_grad_weight",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "scale_bits": 0,
    **dict.fromkeys(FORMATS),
    "mx_flush_fp32_subnorms": False,
    "shared_exp_method": "max",
    "block_size": 0,
    "bfloat": 0,
    "fp": 0,
    "bfloat_subnorms": True,
    "quantize_backprop": True,
    **dict.fromkeys(ROUNDS, "nearest"),
    "softmax_exp2": False,
    "vec_use_exp2": False,
    "vec_use_recip": False,
    "custom_cuda": False,
}
FALLBACKS = {
    "w_elem_format_bp": "w_elem_format",
    "a_elem_format_bp_os": "a_elem_format",
    "a_elem_format_bp_ex": "a_elem_format",
    **dict.fromkeys(ROUNDS[1:7], "round"),
    **dict.fromkeys(ROUNDS[7:], "round_grad_input"),
}
"""Keys that are taken from another where they are absent, in this order."""
Specs = Mapping[str, Any]


class MxSpecs(UserDict[str, Any]):
    """What is rounded to which format: a dictionary in which every key has a value.

    ``custom_cuda`` may be set and chooses nothing: one definition runs everywhere.

    Args:
        given: mappings and keywords as for ``dict``.

    Raises:
        ValueError: an unknown key, with the closest match.

    Example:
        >>> MxSpecs(w_elem_format="fp8_e4m3")["block_size"]
        0
    """

    def __init__(self, *given: Any, **keywords: Any) -> None:
        super().__init__({**DEFAULTS, **dict(*given, **keywords)})

    def __setitem__(self, key: str, value: Any) -> None:
        choice("key of specs", key, DEFAULTS)
        super().__setitem__(key, value)

    def safe_json(self, indent: int | None = None) -> str:
        """The specification as JSON; what JSON has not is written as text."""
        return json.dumps(self.data, indent=indent, default=str)

    def __str__(self) -> str:
        return self.safe_json(indent=4)


def get_default_mx_specs() -> MxSpecs:
    """Specifications that round nothing."""
    return MxSpecs()


def apply_mx_specs(mx_specs: Specs | None, default_mx_specs: MxSpecs | None = None) -> MxSpecs:
    """``default_mx_specs`` with what ``mx_specs`` gives and is not None.

    Raises:
        TypeError: no mapping. ValueError: an unknown key.
    """
    if not isinstance(mx_specs, Mapping | None):
        raise TypeError(
            f"mx_specs is {mx_specs!r}; write a dictionary, such as {{'block_size': 32}}, or None"
        )
    given = {key: value for key, value in (mx_specs or {}).items() if value is not None}
    return MxSpecs({**(default_mx_specs or {}), **given})


def checked_specs(mx_specs: Specs) -> MxSpecs:
    """``mx_specs`` with every key; what ``MxSpecs`` has checked is taken as it is."""
    return mx_specs if isinstance(mx_specs, MxSpecs) else apply_mx_specs(mx_specs)


def get_backwards_mx_specs(specs: Specs) -> MxSpecs:
    """``specs`` for backward products: nothing is rounded without ``quantize_backprop``."""
    found = MxSpecs(specs)
    if not found["quantize_backprop"]:
        for key in (*FORMATS, "block_size", "bfloat", "fp"):
            found[key] = DEFAULTS[key]
    return found


def finalize_mx_specs(specs: Specs, early_exit: bool = True) -> MxSpecs | None:
    """``specs`` with every key: formats of backward products from the forward ones, roundings from
    ``"round"``, where they are absent.

    Args:
        specs: a dictionary of some keys.
        early_exit: give None where nothing is rounded.

    Raises:
        ValueError: an unknown key.

    Example:
        >>> found = finalize_mx_specs({"a_elem_format": "int8", "round": "even"})
        >>> found["a_elem_format_bp_os"], found["round_output"]
        ('int8', 'even')
        >>> finalize_mx_specs({"block_size": 32}) is None
        True
    """
    if early_exit and not any(specs.get(key) for key in (*FORMATS, "bfloat", "fp")):
        return None
    found = dict(specs)
    for key, base in FALLBACKS.items():
        if found.get(key) is None and base in found:
            found[key] = found[base]
    return apply_mx_specs(found)


def add_mx_args(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """An option for every key: ``--block_size``, ``--custom_cuda``, and ``--no_KEY`` for what is
    on by default; ``get_mx_specs`` reads them."""
    group = parser.add_argument_group("mx")
    for key, value in DEFAULTS.items():
        if isinstance(value, bool):
            group.add_argument(f"--{'no_' * value}{key}", action="store_true")
        else:
            group.add_argument(f"--{key}", type=int if isinstance(value, int) else str)
    group.add_argument("--skip_early_exit", action="store_true")
    return parser


def get_mx_specs(parsed_args: argparse.Namespace) -> MxSpecs | None:
    """The specifications that options of ``add_mx_args`` stand for; None where nothing is rounded.

    Example:
        >>> parser = add_mx_args(argparse.ArgumentParser())
        >>> found = get_mx_specs(parser.parse_args("--bfloat 16 --no_quantize_backprop".split()))
        >>> found["bfloat"], found["quantize_backprop"]
        (16, False)
    """
    given = vars(parsed_args)
    found: dict[str, Any] = {}
    for key, value in DEFAULTS.items():
        if value is True:
            found[key] = not given[f"no_{key}"]
        elif given[key] is not None:
            found[key] = given[key]
    return finalize_mx_specs(found, early_exit=not given["skip_early_exit"])
