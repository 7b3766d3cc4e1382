"""``Run``: what all operations under one simulation share."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import get_ident

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

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Without autocast, interception and audit."""
        self.deepen(1)
        try:
            with ExitStack() as stack:
                stack.enter_context(torch._C._DisableTorchDispatch())
                stack.enter_context(torch._C.DisableTorchFunction())
                for device in ("cpu", "cuda"):
                    if torch.is_autocast_enabled(device):
                        stack.enter_context(torch.autocast(device, enabled=False))
                yield
        finally:
            self.deepen(-1)

    def key(self, path: str, op: str) -> Key:
        """The key of this call: of seed, step, call site, and how often it was called before."""
        count = self.calls.get((path, op), 0)
        self.calls[path, op] = count + 1
        digest = hashlib.blake2b(f"{path}/{op}".encode(), digest_size=8).digest()
        return Key(self.seed).fold(self.step).fold(int.from_bytes(digest, "little")).fold(count)
