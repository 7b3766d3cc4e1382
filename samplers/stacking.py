"""Draws of several chains as one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def stacked(name: str, held: Mapping[int, Sequence[Floats]], counts: Mapping[int, int]) -> Floats:
    """The draws of one tensor, (chains, draws, *shape).

    Args:
        name: of the tensor.
        held: its draws in each chain.
        counts: how many samples each chain has; the order of the chains.

    Raises:
        ValueError: fewer draws than samples, which would mix the chains, or draws of several
            shapes.
    """
    for chain, count in counts.items():
        found = len(held.get(chain, ()))
        if found != count:
            raise ValueError(
                f"tensor {name!r} stands in {found} of the {count} samples of chain {chain}; write "
                "names that all samples have, or take the part of the samples that has it"
            )
    shapes = sorted({draw.shape for chain in counts for draw in held[chain]})
    if len(shapes) > 1:
        raise ValueError(
            f"tensor {name!r} has the shapes {shapes}; take samples of one model, or other names"
        )
    return np.stack([np.stack(held[chain]) for chain in counts])
