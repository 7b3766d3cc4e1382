"""Low-precision SGD without noise: the control beside every low-precision sampler."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from samplers.entry import Entry
from samplers.precision import Precision
from samplers.sgld import SGLD


class SGDLP(SGLD):
    """Minimises L(θ) + wd/2·‖θ‖² with the quantizers of `SGLD`, and without its noise.

        θ ← Q(θ - lr·(Q_G(∇loss) + wd·θ))

    The accumulator ``full`` gives SGDLP-F, ``low`` SGDLP-L. Averaging its iterates like samples
    tells what part of a sampler's gain is the averaging.

    Args:
        params: as of `SGLD`.
        lr: step size; schedulers and `CosineCycles` may change it.
        weight_decay: wd.
        precision: formats and accumulator.
        seed: of the stochastic rounding.
        chain: runs with one seed and different numbers share no random bits.

    Raises:
        ValueError, TypeError: as of `SGLD`; the accumulator ``variance_corrected``.

    Promise: in full precision the bits of ``torch.optim.SGD(lr, weight_decay)``; exact resume.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([0.5, 4.0])
        >>> precision = Precision("fixed<8,4>", accumulator="low", rounding="nearest_even")
        >>> SGDLP([weight], 0.1, precision=precision).step()
        >>> weight.detach()
        tensor([-0.0625, -0.3750])

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909); Li et al., NeurIPS 2017.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | torch.Tensor,
        *,
        weight_decay: float = 0.0,
        precision: Precision | None = None,
        seed: int = 0,
        chain: int = 0,
    ) -> None:
        super().__init__(
            params,
            lr,
            num_data=1,
            temperature=0.0,
            weight_decay=weight_decay,
            precision=precision,
            seed=seed,
            chain=chain,
        )

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        return "θ ← θ - lr·g (SGD, a control without noise)"

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        if group["temperature"] != 0:
            raise ValueError(
                f"temperature={group['temperature']!r}: SGDLP injects no noise; write "
                "samplers.SGLD to sample"
            )

    def _check(self, entry: Entry) -> None:
        if entry.precision.accumulator == "variance_corrected":
            raise ValueError(
                f'{entry.label} has accumulator="variance_corrected", but SGDLP has no variance to '
                'correct; write "low", whose stochastic rounding is the same law'
            )
