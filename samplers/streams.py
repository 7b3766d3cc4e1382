"""What is random about a chain's data: functions of seed, chain and step alone."""

from __future__ import annotations

import numpy as np
import torch

BATCHES, INITIAL, STEP = 0, 1, 2


def generator_seed(seed: int, chain: int, purpose: int, number: int = 0) -> int:
    """A seed for torch's generator; another one for each combination of arguments."""
    sequence = np.random.SeedSequence([seed, chain, purpose, number])
    return int(sequence.generate_state(1, np.uint64)[0])


class BatchOrder:
    """Which points stand in the batch of a step.

    Without replacement every epoch has an order of its own, and the points that fill no whole batch
    rest until the next one; with it, each batch is drawn from all points.

    Args:
        count: number of points.
        batch_size: points in a batch.
        seed: of all chains.
        chain: number of the chain; chains have orders of their own.
        replacement: draw each batch anew.

    Raises:
        ValueError: a batch larger than the data.
    """

    def __init__(
        self, count: int, batch_size: int, *, seed: int, chain: int, replacement: bool = False
    ) -> None:
        if batch_size > count:
            raise ValueError(f"batch_size={batch_size}, but the data have {count} points")
        self.count, self.batch_size, self.replacement = count, batch_size, replacement
        self.stream = (seed, chain, BATCHES)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __call__(self, step: int) -> torch.Tensor:
        """Indices (batch_size,), int64, of batch number ``step``, from 0."""
        if self.replacement:
            drawn = np.random.default_rng([*self.stream, step])
            return torch.from_numpy(drawn.integers(self.count, size=self.batch_size))
        epoch, position = divmod(step, self.count // self.batch_size)
        if epoch != self._epoch:
            drawn = np.random.default_rng([*self.stream, epoch])
            self._epoch, self._order = epoch, drawn.permutation(self.count)
        begin = position * self.batch_size
        return torch.from_numpy(self._order[begin : begin + self.batch_size])
