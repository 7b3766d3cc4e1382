"""The table of presets in ``docs/accelerators.md``: ``python -m tests.accelerators.table``."""

from __future__ import annotations

import numformats as nf


def table() -> str:
    """All presets as a Markdown table."""
    rows = [tuple(chip.summary.values()) for chip in nf.accelerators().values()]
    lines = ["| preset | storage | engine | confidence |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| `{name}` | {' | '.join(rest)} |" for name, *rest in rows])


if __name__ == "__main__":
    print(table())
