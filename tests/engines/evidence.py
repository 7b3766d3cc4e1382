"""``python -m tests.engines.evidence``: every instruction of MMA-Sim beside its unit, as a table
for ``docs/engines.md``."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.engines import peers
from tests.engines.inputs import bits, operands, raw_operands
from tests.engines.test_mmasim import any_nan

SIDE = 320  # rows and columns of a product
HEAD = ("chip", "path", "inputs", "output", "instructions", "random bits", "hard", "differences")
MAKERS = (raw_operands, operands)


def compared(row: peers.Instruction, make: Any, count: int) -> tuple[int, int]:
    """Results compared, at least ``count``, and how many differ."""
    done = different = 0
    while done < count:
        got, wanted = peers.both(row, make(row, SIDE, SIDE, row.k, 1000 + done))
        differs = bits(got) != bits(wanted)
        if any_nan(row):
            differs &= ~(np.isnan(got) & np.isnan(wanted))
        done, different = done + got.size, different + int(np.count_nonzero(differs))
    return done, different


def group(row: peers.Instruction) -> tuple[str, str, str]:
    """What shares a line: a chip, a path, and the output with c and scales."""
    output = row.output if row.c == row.output else f"{row.output} (c {row.c})"
    return row.chip, row.path, output + (f", {row.scale}/{row.scale_block}" if row.scale else "")


def lines(rows: Iterable[peers.Instruction], count: int) -> Iterable[str]:
    """The table, line by line."""
    groups: dict[tuple[str, str, str, str], list[peers.Instruction]] = defaultdict(list)
    for row in rows:
        groups[*group(row), "" if row.a[0] == "e" else row.a].append(row)
    order = list(peers.CHIPS.values())
    yield f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}"
    for (chip, path, output, _), members in sorted(
        groups.items(), key=lambda g: order.index(g[0][0])
    ):
        pairs = {(row.a, row.b) for row in members}
        names = ", ".join(dict.fromkeys(row.a for row in members))
        inputs = f"{names}: {len(pairs)} pairs" if len(pairs) > 1 else names
        raw, hard = ([compared(row, make, count) for row in members] for make in MAKERS)
        numbers = [sum(n for n, _ in found) for found in (raw, hard)]
        wrong = sum(n for _, n in (*raw, *hard))
        cells = (chip, path, inputs, output, len(members), *map("{:,}".format, numbers), wrong)
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=100_000, help="of each kind, instruction")
    for line in lines(peers.INSTRUCTIONS, parser.parse_args().results):
        print(line, flush=True)


if __name__ == "__main__":
    main()
