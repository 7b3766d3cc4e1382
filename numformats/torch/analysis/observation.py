"""What an analysis saw: one role of one module, and all of them as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from numformats.torch.analysis.binades import Binades
from numformats.torch.analysis.tally import Tally


class Observation:
    """One role of one module: how its magnitudes spread, and each format's error."""

    def __init__(self, module: str, role: str, tallies: dict[str, Tally]) -> None:
        self.module, self.role, self.tallies = module, role, tallies
        self.binades = Binades()

    def add(self, x: torch.Tensor) -> None:
        """Count a floating-point tensor."""
        self.binades.add(x)
        for tally in self.tallies.values():
            tally.observe(x)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a format."""
        low, high = self.binades.range or (None, None)
        for name, tally in self.tallies.items():
            yield {
                "module": self.module, "role": self.role, "format": name,
                "elements": tally.elements, "sqnr": tally.sqnr,
                "max_relative": tally.max_relative,
                "saturated": tally.share(tally.saturated),
                "flushed": tally.share(tally.flushed),
                "non_finite": tally.share(tally.non_finite),
                "low_exponent": low, "high_exponent": high,
            }  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """What was seen, by module and role."""

    observations: dict[tuple[str, str], Observation]

    def rows(self) -> list[dict[str, Any]]:
        """One row a module, role and format: ``sqnr`` (dB), ``max_relative``, the shares
        ``saturated`` (rounded to beyond the range), ``flushed`` (nonzero that became 0) and
        ``non_finite``, and the exponents of the smallest and largest nonzero magnitude."""
        return [row for seen in self.observations.values() for row in seen.rows()]

    def frame(self) -> Any:
        """The rows as a ``pandas.DataFrame``.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError(
                "pandas is missing; write pip install pandas, or take rows()"
            ) from error
        return pandas.DataFrame(self.rows())

    def __getitem__(self, at: tuple[str, str]) -> Observation:
        if at not in self.observations:
            known = ", ".join(map(repr, list(self.observations)[:6]))
            raise KeyError(f"{at!r} was not seen; write (module, role), for example {known}")
        return self.observations[at]

    def __str__(self) -> str:
        width = max(len(module) for module, _ in self.observations)
        shares = "saturated   flushed  non-finite"
        lines = [f"{'module':{width}}  {'role':11}  {'format':10}  SQNR dB  {shares}  2^"]
        for row in self.rows():
            span = f"{row['low_exponent']}..{row['high_exponent']}"
            lines.append(
                f"{row['module']:{width}}  {row['role']:11}  {row['format']:10}  "
                f"{row['sqnr']:7.1f}  {row['saturated']:9.2%}  {row['flushed']:8.2%}  "
                f"{row['non_finite']:10.2%}  {span}"
            )
        return "\n".join(lines)
