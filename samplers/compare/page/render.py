"""Templates to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def render(template: str, content: Mapping[str, Any]) -> str:
    """A template of ``samplers/compare/page/templates`` with its content; texts are escaped.

    Args:
        template: its file name.
        content: what its names stand for.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("samplers.compare.page")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(content)
