"""Where qtorch and ``numformats.torch.interop.qtorch`` differ: ``python -m
tests.torch.interop.differences`` prints the table of ``docs/migrating.md``.

qtorch must be importable; it compiles itself when imported, into ``TORCH_EXTENSIONS_DIR``.
"""

from __future__ import annotations

import torch

from numformats.torch.interop import qtorch as ours
from tests.torch.interop.qtorch_rules import CASES, patterns, random

COUNT = 1 << 24


def shares(theirs: torch.Tensor, mine: torch.Tensor) -> tuple[float, float]:
    """The share of elements with another value, and of those with another sign of zero."""
    values = theirs != mine
    signs = ~values & (theirs.signbit() != mine.signbit())
    return values.double().mean().item(), signs.double().mean().item()


def main() -> None:
    """Print one row a case."""
    import qtorch.quant  # type: ignore[import-not-found]

    print("| case | float16 patterns | random float32 | sign of zero, patterns |")
    print("|---|---|---|---|")
    for case, (name, arguments) in CASES.items():
        found = []
        for x in (patterns(), random(COUNT)):
            theirs = getattr(qtorch.quant, name)(x, *arguments, rounding="nearest")
            mine = getattr(ours.quant, name)(x, *arguments, rounding="nearest")
            found.append(shares(theirs, mine))
        (values, signs), (others, _) = found
        print(f"| {case} | {values:.2g} | {others:.2g} | {signs:.2g} |")


if __name__ == "__main__":
    main()
