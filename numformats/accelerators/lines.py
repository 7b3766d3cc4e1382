"""On which line of a JSON or TOML file a key stands."""

import re

Keys = tuple[str, ...]
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}:]')
_TABLE = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"""\s*([\w."' -]+?)\s*=""")


def line_of(text: str, ending: str, keys: Keys) -> int:
    """The line of the innermost of ``keys`` that ``text`` holds; 1 where it holds none.

    Args:
        text: a file that could be read.
        ending: ``".json"`` or ``".toml"``.
        keys: from the outermost table to the key.
    """
    found = _json(text) if ending == ".json" else _toml(text)
    while keys and keys not in found:
        keys = keys[:-1]
    return found.get(keys, 1)


def _json(text: str) -> dict[Keys, int]:
    found: dict[Keys, int] = {}
    tables: list[str | None] = []
    last, at, key = "", 0, None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == ":":
            key = last
            path = tuple(t for t in tables if t is not None)
            found.setdefault((*path, key), text.count("\n", 0, at) + 1)
        elif mark == "{":
            tables.append(key)
            key = None
        elif mark == "}":
            tables.pop()
        else:
            last, at = token[1], token.start()
    return found


def _toml(text: str) -> dict[Keys, int]:
    found: dict[Keys, int] = {}
    table: Keys = ()
    inside = False  # of a text of several lines
    for number, line in enumerate(text.splitlines(), 1):
        head, key = _TABLE.match(line), _KEY.match(line)
        if not inside and head:
            table = _split(head[1])
            found.setdefault(table, number)
        elif not inside and key:
            found.setdefault((*table, *_split(key[1])), number)
        inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found


def _split(dotted: str) -> Keys:
    return tuple(part.strip(" \"'") for part in dotted.split("."))
