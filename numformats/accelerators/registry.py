"""The named accelerators: ``accelerator`` and ``accelerators``."""

import difflib
from functools import cache
from pathlib import Path

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.files import ENDINGS, load
from numformats.accelerators.presets import VENDORS
from numformats.engines.chips import ALIASES

LISTED = 14  # names in an error message


@cache
def _registry() -> dict[str, Accelerator]:
    chips = [chip for vendor in VENDORS for chip in vendor.PRESETS]
    return {chip.name: chip for chip in sorted(chips, key=lambda chip: chip.name)}


def accelerators() -> dict[str, Accelerator]:
    """All named accelerators by their names; a new dict.

    Example:
        >>> accelerators()["nvidia-h100-fp8"].confidence
        'silicon'
    """
    return dict(_registry())


def accelerator(name: str | Accelerator) -> Accelerator:
    """The accelerator that ``name`` means.

    Args:
        name: a name in ``nf.accelerators()``; one with another chip of the same arithmetic
            (``"nvidia-h200-fp8"``); a path to a ``.json`` or ``.toml`` file; or an accelerator,
            which is returned as it is.

    Returns:
        A preset; ``.explain()`` says what it does. Promise: equal names give equal presets.

    Raises:
        TypeError: ``name`` is neither text nor an accelerator.
        ValueError: an unknown name (with the closest match), or a file that does not fit.

    Example:
        >>> accelerator("nvidia-h100-fp8").engine.frac_bits
        13

    Reference: ``docs/accelerators.md``.
    """
    if isinstance(name, Accelerator):
        return name
    if isinstance(name, Path):
        return load(name)
    if not isinstance(name, str):
        raise TypeError(
            f"name is {name!r}, a {type(name).__name__}; write a name such as 'nvidia-h100-fp8' or "
            "an Accelerator"
        )
    if name.endswith(ENDINGS):
        return load(name)
    found = _registry().get(_own(name))
    if found is None:
        raise ValueError(_unknown(name))
    return found


def _own(name: str) -> str:
    """``name`` with the chip whose arithmetic it shares."""
    plain = name.strip().lower()
    if plain in ALIASES:
        return ALIASES[plain]
    for alias in sorted(ALIASES, key=len, reverse=True):
        if plain.startswith(f"{alias}-") and plain not in _registry():
            return ALIASES[alias] + plain[len(alias) :]
    return plain


def _unknown(name: str) -> str:
    own = _own(name)
    close = difflib.get_close_matches(own, _registry(), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    chip = "-".join(own.split("-")[:2])
    same = [known for known in _registry() if known.startswith(chip)] if chip else []
    same = same or [known for known in _registry() if own and own in known]
    more = ", ..." if len(same) > LISTED else ""
    listed = f"{chip} has {', '.join(same[:LISTED])}{more}; " if same else ""
    return (
        f"unknown accelerator {name!r}; {hint}{listed}nf.accelerators() lists all (in a shell: "
        "numformats accelerators)"
    )
