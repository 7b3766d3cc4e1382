"""How the magnitudes of tensors spread over the powers of two."""

from __future__ import annotations

from collections import Counter

import torch


class Binades:
    """Counts of elements by exponent: ``counts[e]`` have 2^e <= |x| < 2^(e+1).

    Example:
        >>> found = Binades()
        >>> found.add(torch.tensor([0.0, 1.0, 1.5, -4.0, float("inf")]))
        >>> found.counts[0], found.counts[2], found.zeros, found.non_finite, found.range
        (2, 1, 1, 1, (0, 2))
    """

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.zeros = 0
        self.non_finite = 0
        self.amax = 0.0  #: largest finite magnitude

    def add(self, x: torch.Tensor) -> None:
        """Count the elements of ``x``, floating point of any dtype and shape. Exact."""
        x = x.detach().flatten()
        good = x[x.isfinite()].double()
        self.non_finite += x.numel() - good.numel()
        nonzero = good[good != 0].abs()
        self.zeros += good.numel() - nonzero.numel()
        if nonzero.numel():
            self.amax = max(self.amax, float(nonzero.amax()))
            exponents = torch.frexp(nonzero)[1] - 1
            low = int(exponents.amin())
            found = torch.bincount(exponents - low).tolist()
            self.counts.update({low + i: n for i, n in enumerate(found) if n})

    @property
    def elements(self) -> int:
        """All elements that were counted."""
        return sum(self.counts.values()) + self.zeros + self.non_finite

    @property
    def range(self) -> tuple[int, int] | None:
        """Exponents of the smallest and the largest nonzero magnitude; None without any."""
        return (min(self.counts), max(self.counts)) if self.counts else None

    def shares(self) -> dict[int, float]:
        """The share of each binade among all elements, from the smallest exponent on."""
        return {e: self.counts[e] / self.elements for e in sorted(self.counts)}
