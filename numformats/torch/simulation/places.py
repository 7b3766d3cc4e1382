"""Where an operation takes place: which module runs, and by which rule."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn

from numformats.accelerators import Accelerator
from numformats.accelerators.accelerator import ROLES
from numformats.accelerators.words import short_engine
from numformats.formats import Format
from numformats.random import Key
from numformats.rounding import find
from numformats.torch.simulation.report import LEFT, Row
from numformats.torch.simulation.run import Run

OUTSIDE = ""


class Policy(NamedTuple):
    """How a module computes: products on ``chip`` (None: by torch), results in ``elementwise``."""

    chip: Accelerator | None
    elementwise: Format | None


class Frame(NamedTuple):
    """A module whose forward is running."""

    module: nn.Module
    path: str
    policy: Policy


class Site:
    """One matrix product of one call: its chip, its key, and its lines in the report."""

    def __init__(
        self, run: Run, op: str, path: str, chip: Accelerator, dtype: Any, key: Key | None
    ) -> None:
        self.run, self.op, self.path, self.chip, self.dtype = run, op, path, chip, dtype
        self.key, self.exact, self._products = key, run.exact, 0
        self.composite: AbstractContextManager[Any] = nullcontext()  # where calls are seen again
        self.in_place = False

    def again(self) -> "Site":
        """The next product of the same call."""
        self._products += 1
        key = self.key and self.key.fold(64 + self._products)
        site = Site(self.run, self.op, self.path, self.chip, self.dtype, key)
        site.composite = self.composite
        return site

    def part(self, number: int, position: int = 0) -> Key | None:
        """The key of part ``number`` of the product (see ``products.Product``)."""
        return None if self.key is None else self.key.fold(number).fold(position)

    def cast(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` in the dtype of autocast, where that is on."""
        return x if self.dtype is None or x.dtype == torch.float64 else x.to(self.dtype)

    def inside(self) -> Any:
        """The simulation's own arithmetic."""
        return self.run.inside()

    def note(
        self, direction: str, roles: tuple[str, ...], shapes: tuple[Any, ...], reason: str = ""
    ) -> None:
        """Count a product."""
        formats, engine = texts(self.chip, roles, self.exact and not reason)
        sizes = tuple(tuple(shape) for shape in shapes)
        row = Row(self.op, self.path, direction, " x ".join(roles), sizes, formats, engine)
        if reason:
            row = row._replace(status=LEFT, reason=f"float32 sums: {reason}")
        self.run.report.add(row)


@cache
def texts(chip: Accelerator, roles: tuple[str, ...], exact: bool) -> tuple[str, str]:
    """Formats of operands, and how products add up, in a few words."""
    formats = " x ".join(str(chip.storage(role) or "as they come") for role in roles)
    if len(roles) == 1:
        return formats, ""
    return formats, short_engine(chip.engine) if exact else "torch"


@cache
def draws(chip: Accelerator) -> bool:
    """Whether storing or multiplying needs a key."""
    return chip.engine.keyed or any(find(chip.rounding_of(r)).stochastic for r in ROLES)


def places_of(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """The paths of all modules below ``root``, several of a shared one; ``torch.compile``'s wrapper
    is left out of them."""
    return [
        (".".join(part for part in name.split(".") if part != "_orig_mod"), module)
        for name, module in root.named_modules(remove_duplicate=False)
    ]


def paths(root: nn.Module) -> dict[nn.Module, str]:
    """The first path of every module below ``root``."""
    found: dict[nn.Module, str] = {}
    for name, module in places_of(root):
        found.setdefault(module, name)
    return found


class PlacesNow(NamedTuple):
    """A copy of what ``Places`` knows."""

    frames: tuple[Frame, ...]
    names: dict[nn.Module, str]
    policies: dict[nn.Module, Policy]


class Places:
    """The stack of modules whose forward is running, with their paths below the outermost one."""

    def __init__(self, rules: Any) -> None:
        self.rules, self.frames = rules, list[Frame]()
        self.names: dict[nn.Module, str] = {}
        self.policies: dict[nn.Module, Policy] = {}

    @property
    def current(self) -> tuple[str, Policy]:
        """Path and policy of the innermost module."""
        if not self.frames:
            return OUTSIDE, self.rules.base
        return self.frames[-1].path, self.frames[-1].policy

    def enter(self, module: nn.Module) -> None:
        """The forward of ``module`` begins."""
        if not self.frames:
            self.names = paths(module)
            self.policies = self.rules.bind(module, self.names)
        path = self.names.get(module) or type(module).__name__
        self.frames.append(Frame(module, path, self.policies.get(module, self.current[1])))

    def leave(self, module: nn.Module) -> None:
        """It ends, and with it whatever an exception left behind; nothing where it never began."""
        if all(frame.module is not module for frame in self.frames):
            return
        while self.frames and self.frames.pop().module is not module:
            pass

    def now(self) -> PlacesNow:
        """To be gone back to."""
        return PlacesNow(tuple(self.frames), self.names, self.policies)

    def go(self, there: PlacesNow) -> None:
        """Go back to where it was."""
        self.frames = list(there.frames)
        self.names, self.policies = there.names, there.policies

    def clear(self) -> None:
        """Nothing runs."""
        self.go(PlacesNow((), {}, {}))
