"""Units with one wrong parameter: negative controls of the tests that compare units."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numformats as nf
from numformats.engines import ExactFDPA, FlushedAddMul, FMAChain, MACChain


def wrong(engine: Any, k: int) -> dict[str, Any]:
    """Engines that differ from ``engine`` in one parameter, which products of ``k`` show."""
    has = {part.name for part in fields(engine)}
    found: dict[str, Any] = {}
    for name in sorted(has & {"frac_bits", "late_bits"}):
        for step in (-1, 1):
            found[f"{name} {step:+}"] = replace(engine, **{name: getattr(engine, name) + step})
    length = min(getattr(engine, "length", 1), k) // 2
    if length >= getattr(engine, "group", 1):
        found["half the length"] = replace(engine, length=length)
    if "rounding" in has:
        other = "toward_zero" if engine.rounding == "nearest_even" else "nearest_even"
        found[other] = replace(engine, rounding=other)
    if "grouped" in has:
        found["grouped"] = replace(engine, grouped=not engine.grouped)
    if "group" in has:
        found["half the group"] = replace(engine, group=engine.group // 2)
    return found | _other_operations(engine)


def _other_operations(engine: Any) -> dict[str, Any]:
    if isinstance(engine, FlushedAddMul):
        exact = ExactFDPA(engine.fmt, engine.fmt, length=engine.pairs)
        return {"pairs": replace(engine, pairs=6 - engine.pairs), "exact": exact}
    if isinstance(engine, FMAChain) and engine.fmt == nf.parse("fp32"):
        chain = MACChain("fp32", "fp32", accumulator="fp32")
        return {
            "products rounded": replace(chain, product="fp32"),
            "toward_zero": replace(chain, rounding="toward_zero"),
        }
    return {}
