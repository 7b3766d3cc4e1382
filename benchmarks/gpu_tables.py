"""The readable form of what ``benchmarks.gpu`` measures, with the bars that each row is held to."""

from __future__ import annotations

from typing import Any

OF_CUPY = 0.7  # the bar of Numba CUDA, as a share of CuPy's
LAUNCH_BAR = 15.0  # microseconds of one small call of CuPy

Row = dict[str, Any]


def judged(rows: list[Row], key: str) -> list[Row]:
    """The rows with a verdict on ``key``: CuPy against its bar, Numba CUDA against CuPy."""
    names = ("format", "rounding", "unit")
    best = {tuple(r.get(n) for n in names): r for r in rows if r["backend"] == "cupy_cuda"}
    return [r | _verdict(r, best.get(tuple(r.get(n) for n in names)), key) for r in rows]


def _verdict(row: Row, best: Row | None, key: str) -> Row:
    if "error" in row:
        return {"held": False}
    if row["backend"] == "cupy_cuda":
        return {"held": row[key] >= row["bar"]} if row["bar"] else {}
    if best is None or "error" in best:
        return {}
    share = row[key] / best[key]
    return {"of_cupy": share, "held": share >= OF_CUPY}


def _cell(row: Row, key: str, form: str) -> str:
    return format(row[key], form) if key in row else "-"


def _held(row: Row) -> str:
    return {True: "yes", False: "**no**", None: "-"}[row.get("held")]


def _bar(row: Row, form: str) -> str:
    if row["backend"] != "cupy_cuda":
        return f"{OF_CUPY} of CuPy"
    return format(row["bar"], form) if row["bar"] else "-"


def _table(head: str, lines: list[list[str]]) -> str:
    rule = "|" + "---|" * len(head.split(" | "))
    return "\n".join(["", f"| {head} |", rule, *(f"| {' | '.join(r)} |" for r in lines)]) + "\n"


def _errors(rows: list[Row]) -> str:
    found = [f"* {_label(r)}: {r['error']}" for r in rows if "error" in r]
    return "\n".join(["", "Not measured:", "", *found]) + "\n" if found else ""


def _label(row: Row) -> str:
    names = ("format", "rounding", "unit", "library", "backend")
    return " ".join(str(row[n]) for n in names if n in row)


def report(found: dict[str, Any]) -> str:
    """Everything that was measured so far."""
    lines = [f"* {name}: {value}" for name, value in found["about"].items()]
    text = "\n".join(lines) + "\n"
    text += _calls(found["calls"]) + _rows(found["rows"])
    text += _peers(found["peers"]) + _products(found["products"])
    return text + _errors([r for name in SECTIONS for r in found[name]])


SECTIONS = ("calls", "rows", "peers", "products")


def _calls(rows: list[Row]) -> str:
    lines = [[r["backend"], _cell(r, "microseconds", ".1f"), _call_bar(r), _held(r)] for r in rows]
    return _table("one small call | microseconds | bar | held", lines)


def _call_bar(row: Row) -> str:
    return f"{row['bar']:.0f}" if row["bar"] else "-"


def _rows(rows: list[Row]) -> str:
    lines = []
    for r in judged(rows, "share"):
        speeds = (_cell(r, f"{of}gigabytes_per_second", ".0f") for of in ("", "copy_"))
        shares = (_cell(r, key, ".2f") for key in ("share", "of_cupy"))
        names = (r["format"], r["rounding"], r["backend"])
        lines.append([*names, *speeds, *shares, _bar(r, ".2f"), _held(r)])
    head = "format | rounding | backend | GB/s | copy GB/s | share | of CuPy | bar | held"
    return _table(head, lines)


def _peers(rows: list[Row]) -> str:
    lines = [
        [r["library"], _cell(r, "gigabytes_per_second", ".0f"), _cell(r, "share", ".2f")]
        for r in rows
    ]
    return _table("other library | GB/s | share of copy", lines)


def _products(rows: list[Row]) -> str:
    key = "multiply_adds_per_second"
    lines = [
        [
            r["unit"], r["backend"], str(r["size"]), _cell(r, key, ".2e"),
            _cell(r, "of_cupy", ".2f"), _bar(r, ".0e"), _held(r),
        ]
        for r in judged(rows, key)
    ]  # fmt: skip
    head = "unit | backend | size | multiply-adds a second | of CuPy | bar | held"
    return _table(head, lines)
