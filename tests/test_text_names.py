"""Core texts that meet in one source have names of their own; compilers would say so only where a
kernel needs both."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numformats.backends import dot_texts, emit

# The same rule in both lanes, and functions that C++ tells apart by their number of arguments.
SHARED = {"aligned", "scaled_bits", "unit_value", "with_sign"}


def groups() -> Iterator[tuple[Callable[..., Any], ...]]:
    for module in (emit, dot_texts):
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, tuple):
                yield tuple(f for f in value if inspect.isfunction(f))


def meeting(given: Iterator[tuple[Callable[..., Any], ...]]) -> Mapping[str, set[str]]:
    """Names that more than one module defines, with these modules."""
    modules = defaultdict(set)
    for group in given:
        for text in group:
            modules[text.__name__].add(text.__module__)
    return {name: found for name, found in modules.items() if len(found) > 1}


def test_names_of_texts_are_unique() -> None:
    assert sum(map(len, groups())) > 80
    assert set(meeting(groups())) == SHARED


def test_a_second_text_of_a_name_is_found() -> None:
    def reach() -> None:  # a name of core/draw.py
        pass

    assert "reach" in meeting(iter([*groups(), (reach,)]))
