"""``Report``: what was computed as the accelerator does, and what was not, by name and count."""

from collections import Counter
from typing import Any, NamedTuple

SIMULATED, LEFT = "simulated", "full precision"
WIDTHS = {"module": 32, "shapes": 30, "formats": 40, "engine": 30, "reason": 70}


class Row(NamedTuple):
    """One kind of event; the report counts them.

    ``op`` is the function; ``module`` the path of the module whose forward called it;
    ``direction`` is ``"forward"`` or ``"backward"``; ``roles``, ``shapes`` and ``formats`` are
    those of both operands; ``engine`` says how products were added; ``status`` is
    ``"simulated"`` or ``"full precision"``, and ``reason`` why.
    """

    op: str
    module: str
    direction: str
    roles: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()
    formats: str = ""
    engine: str = ""
    status: str = SIMULATED
    reason: str = ""


class Report:
    """What ran under a simulation, in the order of first occurrence.

    ``rows`` are dicts, ``print(report)`` a table.

    Example:
        >>> report = Report()
        >>> report.add(Row("linear", "fc1", "forward", status=LEFT, reason="a rule"))
        >>> report.rows[0]["count"], report.full_precision[0]["module"]
        (1, 'fc1')
    """

    def __init__(self) -> None:
        self._counts: Counter[Row] = Counter()

    def add(self, row: Row) -> None:
        """Count one event."""
        self._counts[row] += 1

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every kind of event as a dict of the fields of ``Row`` and ``count``."""
        return [{**row._asdict(), "count": n} for row, n in self._counts.items()]

    @property
    def simulated(self) -> list[dict[str, Any]]:
        """The rows that the accelerator computed."""
        return [row for row in self.rows if row["status"] == SIMULATED]

    @property
    def full_precision(self) -> list[dict[str, Any]]:
        """The rows that torch computed in full precision, each with its reason."""
        return [row for row in self.rows if row["status"] == LEFT]

    def __str__(self) -> str:
        parts = []
        for title, rows in (("Simulated", self.simulated), ("Full precision", self.full_precision)):
            total = sum(row["count"] for row in rows)
            parts.append(f"{title}: {total} in {len(rows)} kinds" if rows else f"{title}: none")
            parts.extend(table(rows))
        return "\n".join(parts)

    def __repr__(self) -> str:
        left = sum(row["count"] for row in self.full_precision)
        return f"<Report: {self._counts.total()} events, {left} in full precision>"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as lines of aligned columns; columns without entries are left out."""
    if not rows:
        return []
    names = [name for name in ("count", *Row._fields) if name != "status"]
    names = [name for name in names if any(row[name] for row in rows)]
    cells = [[_cell(name, row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    return [
        "  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for line in (names, *cells)
    ]


def _cell(name: str, value: Any) -> str:
    text = " x ".join(map(str, value)) if name == "shapes" else str(value)
    width = WIDTHS.get(name, 40)
    if name == "module" and not text:
        return "(outside)"
    return text if len(text) <= width else text[: width - 1] + "…"
