"""``Run``: what all operations under one simulation share."""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch

from numformats.random import Key
from numformats.torch.simulation.report import Report


@dataclass
class Run:
    """What all operations under one simulation share."""

    report: Report
    exact: bool
    seed: int
    step: int

    def __post_init__(self) -> None:
        self.calls: dict[tuple[str, str], int] = {}
        self._depths: dict[int, int] = {}  # by thread: another may run backward

    @property
    def depth(self) -> int:
        """How deep this thread is inside our own arithmetic, which nobody intercepts or counts."""
        return self._depths.get(get_ident(), 0)

    def deepen(self, by: int) -> None:
        """Go in (1) or out (-1)."""
        now = self._depths[get_ident()] = self.depth + by
        if not now:
            del self._depths[get_ident()]

    def inside(self) -> "Inside":
        """Without autocast, interception and audit."""
        return Inside(self)

    def key(self, path: str, op: str) -> Key:
        """The key of this call: of seed, step, call site, and how often it was called before."""
        count = self.calls.get((path, op), 0)
        self.calls[path, op] = count + 1
        digest = hashlib.blake2b(f"{path}/{op}".encode(), digest_size=8).digest()
        return Key(self.seed).fold(self.step).fold(int.from_bytes(digest, "little")).fold(count)


class Inside:
    """What ``Run.inside`` gives: a context, entered once."""

    def __init__(self, run: Run) -> None:
        self.run, self.stack = run, ExitStack()

    def __enter__(self) -> None:
        self.run.deepen(1)
        self.stack.callback(self.run.deepen, -1)
        enter = self.stack.enter_context
        enter(torch._C._DisableTorchDispatch())
        enter(torch._C.DisableTorchFunction())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                enter(torch.autocast(device, enabled=False))

    def __exit__(self, *raised: Any) -> None:
        self.stack.__exit__(*raised)
