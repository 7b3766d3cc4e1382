"""Accelerators in JSON and TOML files: the tables of ``tables.py`` as text."""

import json
import tomllib
from pathlib import Path
from typing import Any

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.lines import line_of
from numformats.accelerators.tables import Data, from_dict, to_dict

ENDINGS = (".json", ".toml")


def save(chip: Accelerator, path: Any) -> None:
    """Write ``chip`` to a ``.json`` or ``.toml`` file."""
    path = _ending(path)
    data = to_dict(chip)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    path.write_text(toml(data) if path.suffix == ".toml" else text, encoding="utf-8")


def load(path: Any) -> Accelerator:
    """The accelerator in a ``.json`` or ``.toml`` file.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError, ValueError: another ending, broken syntax, fields that do not fit; with the line,
            and the key at fault.

    Example:
        >>> import numformats as nf, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "chip.toml"
        >>> nf.accelerator("nvidia-h100-fp8").save(path)
        >>> load(path) == nf.accelerator("nvidia-h100-fp8")
        True
    """
    path = _ending(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text) if path.suffix == ".toml" else _json(text)
    except ValueError as error:
        raise ValueError(f"{path} is no {path.suffix[1:].upper()}: {error}") from None
    try:
        return from_dict(data)
    except (TypeError, ValueError) as error:
        keys: tuple[str, ...] = getattr(error, "keys", ())
        place = f"{path}, line {line_of(text, path.suffix, keys)}"
        place += f", key {'.'.join(keys)!r}" if keys else ""
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{place}: {error}") from None


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> Data:
    """A table of JSON, whose keys stand once, as in TOML."""
    keys = [key for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands twice in one table; keep one")
    return dict(pairs)


def _ending(path: Any) -> Path:
    found = Path(path)
    if found.suffix not in ENDINGS:
        raise ValueError(f"path={str(path)!r}; write a name that ends in .json or .toml")
    return found


def toml(data: Data) -> str:
    """``data`` as TOML: values, then tables. Strings, ints, floats, bools, lists, nested dicts."""
    return "\n".join(_toml_lines(data, "")) + "\n"


def _toml_value(value: Any) -> str:
    # JSON's strings, numbers and lists of these are TOML's, too, but for DEL as it is
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_lines(data: Data, prefix: str) -> list[str]:
    lines = [
        f"{name} = {_toml_value(value)}"
        for name, value in data.items()
        if not isinstance(value, dict)
    ]
    for name, value in data.items():
        if isinstance(value, dict):
            body = _toml_lines(value, f"{prefix}{name}.")
            lines += ["", f"[{prefix}{name}]", *body]
    return lines
