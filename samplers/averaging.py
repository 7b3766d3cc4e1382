"""The running average of predictions, in memory that does not grow with the samples."""

from __future__ import annotations

import math
from typing import Any

import torch


class PredictiveAverage:
    """Mean of the samples' class probabilities, and what their disagreement says.

        p̄ = 1/S Σ_s p_s        I = H(p̄) - 1/S Σ_s H(p_s)

    Three tensors are held, however many samples come; sums run in float64, probabilities through
    logaddexp.

    Example:
        >>> average = PredictiveAverage()
        >>> for p in ([[0.5, 0.5]], [[1.0, 0.0]]):
        ...     average.add(torch.tensor(p).log())
        >>> average.probabilities
        tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    def __init__(self) -> None:
        self.samples = 0
        self._total = torch.empty(0, dtype=torch.float64)
        self._entropy = torch.empty(0, dtype=torch.float64)

    def add(self, log_probabilities: torch.Tensor) -> None:
        """One more sample.

        Args:
            log_probabilities: (n, classes), log softmax of its logits; the same points each time.

        Raises:
            ValueError: another shape than before, or numbers above 0, which are no logarithms of
                probabilities.
        """
        # a copy, since the caller may fill the same buffer with the next sample
        log_p = log_probabilities.detach().to(torch.float64, copy=True)
        if log_p.dim() != 2 or (self.samples and log_p.shape != self._total.shape):
            raise ValueError(
                f"log_probabilities have shape {tuple(log_p.shape)}; write (n, classes), as for "
                f"the samples before: {tuple(self._total.shape)}"
            )
        if bool((log_p > 1e-6).any()):  # log_softmax may round to a little above 0
            raise ValueError(
                f"log_probabilities go up to {float(log_p.max()):.4g}; write "
                "torch.log_softmax(logits, dim=1), neither logits nor probabilities"
            )
        entropy = torch.special.entr(log_p.exp()).sum(1)
        if self.samples:
            self._total = torch.logaddexp(self._total, log_p)
            self._entropy = self._entropy + entropy
        else:
            self._total, self._entropy = log_p, entropy
        self.samples += 1

    @property
    def probabilities(self) -> torch.Tensor:
        """The mean of the samples' probabilities, (n, classes), float64."""
        return (self._total - math.log(self._counted())).exp()

    @property
    def expected_entropy(self) -> torch.Tensor:
        """The mean of the samples' entropies in nats, (n,): the aleatoric part."""
        return self._entropy / self._counted()

    def state_dict(self) -> dict[str, Any]:
        """Tensors and a number; a checkpoint of the average."""
        return {"samples": self.samples, "total": self._total, "entropy": self._entropy}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.samples = state["samples"]
        self._total, self._entropy = state["total"].clone(), state["entropy"].clone()

    def _counted(self) -> int:
        if not self.samples:
            raise ValueError("no samples came; call add() with the predictions of at least one")
        return self.samples
