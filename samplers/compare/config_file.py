"""Options of a comparison from a file, or as text from the command line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from samplers.compare.config import Config
from samplers.compare.folder import SCHEMA

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
KINDS = {"hidden": int, "formats": str, "accelerators": str, "rows": str}  # of tuples


def read_config(path: Path) -> dict[str, Any]:
    """The fields of `Config` that a file gives.

    Args:
        path: ``.yaml``, ``.yml``, ``.toml`` or ``.json``, such as the ``config.json`` of a folder.
            Lists may be texts, separated as on the command line.

    Returns:
        Keywords of `Config`.

    Raises:
        ValueError: another ending, a file that cannot be read, an unknown or repeated key, or a
            value of another type; with the line, as far as it can be told.
    """
    try:
        text = path.read_text()
        content = _parsed(path, text)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); write the path of a file") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no options; write lines such as steps: 500")
    schema = content.pop("schema", SCHEMA)
    content.pop("chips", None)  # of a folder: digests, compared there
    if schema != SCHEMA:
        raise ValueError(f"{path} has schema {schema!r}, wanted {SCHEMA}; leave that line out")
    return {key: _field(path, text, str(key), value) for key, value in content.items()}


def read_option(name: str, value: Any) -> Any:
    """The value of a field from an option of the command line.

    Raises:
        ValueError: text that is no list of what the field holds.
    """
    if name not in KINDS:
        return value
    words = _split(name, value)
    if KINDS[name] is int:
        if not all(word.isdigit() for word in words):
            raise ValueError(
                f"--{name} {value!r}: write widths separated by blanks, for example "
                f"--{name} '100 50'"
            )
        return tuple(map(int, words))
    return tuple(words)


def _split(name: str, text: str) -> list[str]:
    parts = text.split(",") if name == "rows" else text.split()
    return [part.strip() for part in parts if part.strip()]


def _parsed(path: Path, text: str) -> Any:
    ending = path.suffix.lower()
    if ending in (".yaml", ".yml"):
        return _yaml(path, text)
    try:
        if ending == ".toml":
            return tomllib.loads(text)
        if ending == ".json":
            return json.loads(text, object_pairs_hook=lambda pairs: _once(path, text, pairs))
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no {ending[1:].upper()}: {error}") from error
    raise ValueError(f"{path} ends in {ending!r}; write a .yaml, .toml or .json file")


def _yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        node = yaml.compose(text, yaml.SafeLoader)
        if isinstance(node, yaml.MappingNode):
            _once(path, text, [(key.value, None) for key, _ in node.value])
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error


def _once(path: Path, text: str, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"{path} has {twice[0]!r} {_where(text, twice[0], 2)}, twice; keep one")
    return dict(pairs)


def _where(text: str, key: str, occurrence: int = 1) -> str:
    """The line of a key, or nothing where it stands in the middle of one."""
    found = re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*[:=]""")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if found.match(line)]
    return f"in line {lines[occurrence - 1]}" if len(lines) >= occurrence else "in it"


def _field(path: Path, text: str, key: str, value: Any) -> Any:
    place = _where(text, key)
    if key not in FIELDS:
        close = difflib.get_close_matches(key, FIELDS, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"{path} has the unknown option {key!r} {place}; did you mean {close!r}? The options "
            f"are {', '.join(FIELDS)}"
        )
    default = FIELDS[key].default
    try:
        if key in KINDS:
            return _listed(key, value)
        return _scalar(value, type(default))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {key}={value!r} {place} {error}") from error


def _scalar(value: Any, kind: type) -> Any:
    """YAML 1.1 reads 1e-3 as text: numbers may come so."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    words = {int: "an integer", float: "a number", str: "text"}
    raise TypeError(f"is {type(value).__name__}; write {words[kind]}")


def _listed(key: str, value: Any) -> tuple[Any, ...]:
    kind = KINDS[key]
    if isinstance(value, str):
        return tuple(read_option(key, value))
    if isinstance(value, int) and kind is int and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, list):
        raise TypeError(f"is {type(value).__name__}; write a list")
    for item in value:
        _scalar(item, kind)
        if kind is str and item.count("<") != item.count(">"):
            raise ValueError(f"has {item!r}; write names with commas in quotes, as 'fixed<8,5>'")
    return tuple(value)
