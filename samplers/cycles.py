"""Cyclical step sizes for SGLD: cosine cycles that first explore, then sample."""

from __future__ import annotations

import math
from typing import Any

import torch

from samplers.domains import check_share
from samplers.integers import integer


def cycle_length(steps: int, cycles: int) -> int:
    """L = ⌈steps/cycles⌉."""
    return math.ceil(steps / cycles)


def samples_at(position: int, length: int, exploration: float) -> bool:
    """Whether a step at this position of its cycle injects noise and keeps its sample."""
    return position / length >= exploration


def sampling_steps(steps: int, cycles: int, exploration: float) -> list[int]:
    """The steps, from 0, of a whole run that keep their samples."""
    length = cycle_length(steps, cycles)
    return [k for k in range(steps) if samples_at(k % length, length, exploration)]


def check_exploration(length: int, exploration: float) -> None:
    """Refuse cycles without a sampling step."""
    if not samples_at(length - 1, length, exploration):
        raise ValueError(
            f"exploration={exploration!r} leaves no sampling step in cycles of {length} "
            "step(s); write a smaller share >= 0, or fewer cycles"
        )


class CosineCycles:
    """Cosine step sizes in cycles; the last part of each cycle injects noise and keeps samples.

        lr_k = lr_0/2·(cos(π·mod(k-1, L)/L) + 1),   L = ⌈steps/cycles⌉,   k = 1, 2, ..., steps

    Step k explores (temperature 0) while mod(k-1, L)/L < exploration, and samples at the
    optimizer's own temperature from then on. Call `step` after ``optimizer.step()``; read
    `sampling` before it, or right after ``optimizer.step()``.

    Args:
        optimizer: its groups' ``lr`` and ``temperature`` on construction are lr_0 and T.
        steps: number of optimizer steps of the whole run.
        cycles: number of cycles M.
        exploration: share β of a cycle without noise, in [0, 1).

    Raises:
        ValueError, TypeError: arguments outside their domain, cycles without a sampling step.

    Reference: Zhang, Li, Zhang, Chen, Wilson, ICLR 2020 (arXiv 1902.03932), equation 1 and
    algorithm 1.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, steps: int, cycles: int, exploration: float = 0.9
    ) -> None:
        steps, cycles = integer("steps", steps, 1), integer("cycles", cycles, 1)
        if cycles > steps:
            raise ValueError(f"cycles={cycles!r} with steps={steps!r}; write 1 <= cycles <= steps")
        check_share("exploration", exploration)
        check_exploration(cycle_length(steps, cycles), exploration)
        if any("temperature" not in group for group in optimizer.param_groups):
            raise ValueError(
                f"{type(optimizer).__name__} has no temperature to switch off; use samplers.SGLD"
            )
        self.optimizer = optimizer
        self.steps, self.cycles, self.exploration = steps, cycles, exploration
        self.length = cycle_length(steps, cycles)
        self.done = 0
        self.base = [(group["lr"], group["temperature"]) for group in optimizer.param_groups]
        self._apply()

    @property
    def position(self) -> int:
        """Steps since the start of the cycle of the current step."""
        return self.done % self.length

    @property
    def sampling(self) -> bool:
        """Whether the current step injects noise and its sample is kept."""
        return self.done < self.steps and samples_at(self.position, self.length, self.exploration)

    def step(self) -> None:
        """Go on to the next step: set the groups' ``lr`` and ``temperature`` for it."""
        self._check_groups(self.base)
        self.done += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers; the optimizer has a state of its own."""
        names = ("steps", "cycles", "exploration", "done", "base")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            ValueError: no state of cycles, or one of an optimizer with another number of groups.
        """
        own = self.state_dict()
        if state.keys() != own.keys():
            raise ValueError(
                f"the state holds {sorted(state)}, wanted {sorted(own)}: give what "
                "CosineCycles.state_dict() returned"
            )
        self._check_groups(state["base"])
        for name, value in state.items():
            setattr(self, name, value)
        self.length = cycle_length(self.steps, self.cycles)
        self._apply()

    def _check_groups(self, base: list[tuple[Any, Any]]) -> None:
        count = len(self.optimizer.param_groups)
        if count != len(base):
            raise ValueError(
                f"the optimizer has {count} parameter group(s), these cycles have the lr and the "
                f"temperature of {len(base)}; build CosineCycles after the last add_param_group"
            )

    def _apply(self) -> None:
        factor = (math.cos(math.pi * self.position / self.length) + 1) / 2
        for group, (lr, temperature) in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = lr * factor
            group["temperature"] = temperature if self.sampling else 0.0
