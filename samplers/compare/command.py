"""The command that repeats a comparison."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from samplers.compare.config import Config


def repeat_command(config: Config, folder: Path | None = None, out: str | None = None) -> str:
    """The line for a shell; options with their default values are left out.

    Args:
        config: of the comparison.
        folder: where MNIST lies, if it was given.
        out: folder of the results, if not the command's own.

    Example:
        >>> repeat_command(Config(formats=("fixed<8,5>", "e4m3"), steps=500))
        "samplers compare --formats 'fixed<8,5> e4m3' --steps 500"
    """
    words = ["samplers", "compare"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            words += [f"--{field.name.replace('_', '-')}", _text(field.name, value)]
    if folder is not None:
        words += ["--folder", str(folder)]
    if out is not None:
        words += ["--out", out]
    return shlex.join(words)


def _text(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return (", " if name == "rows" else " ").join(map(str, value))
    return str(value)
