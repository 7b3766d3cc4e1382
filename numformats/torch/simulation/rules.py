"""Rules: which modules compute in another way than the rest."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from numformats.accelerators import Accelerator, accelerator
from numformats.accelerators.accelerator import ROLES
from numformats.engines import Engine, FMAChain, MACChain
from numformats.engines.engine import FP32
from numformats.engines.fitting import holds
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.naming import parse
from numformats.torch.simulation.places import Policy, places_of

WEIGHTED = (
    nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.Embedding, nn.EmbeddingBag,
    nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention,
)  # fmt: skip


def format_of(value: Any) -> Format | None:
    """The format that ``value`` is or names; None where it is none."""
    try:
        return parse(value)
    except (TypeError, ValueError):
        return None


def accelerator_of(value: Any) -> Accelerator:
    """An accelerator, its name, or a format: everything stored in it, sums in float32 (float64).

    Raises:
        TypeError, ValueError: neither.
    """
    fmt = format_of(value)
    return accelerator(value) if fmt is None else _in_format(fmt)


def _in_format(fmt: Format) -> Accelerator:
    name = "stored-" + "".join(c if c.isalnum() else "-" for c in str(fmt).lower()).strip("-")
    while "--" in name:
        name = name.replace("--", "-")
    roles: dict[str, Any] = dict.fromkeys(ROLES, fmt)
    single = isinstance(fmt, BlockFloat) or holds(FP32, fmt)
    return Accelerator(name, engine=_wide() if single else FMAChain("fp64"), **roles)


def _wide() -> Engine:
    return MACChain("fp32", "fp32", accumulator="fp32")


def with_role(chip: Accelerator, role: str, fmt: Any, exact: bool) -> Accelerator:
    """``chip`` with another format of one role; its scaling stays where the format takes one.

    Raises:
        ValueError: a format that the engine does not take (exact mode).
    """
    fmt = None if fmt is None else parse(fmt)
    scaled = isinstance(fmt, Float | FixedPoint)
    scaling = {r: s for r, s in chip.scaling if r != role or scaled}
    engine = chip.engine if exact else _wide()
    return replace(chip, engine=engine, scaling=scaling, **{role: fmt})


class Rules:
    """Policies of modules by pattern; a later match wins over an earlier one."""

    def __init__(self, given: Any, base: Policy, exact: bool) -> None:
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"rules={given!r}; write a mapping, such as {{'fc1': None}}")
        self.patterns: dict[str, Policy] = {}
        self.checked = False
        roles = {k: v for k, v in (given or {}).items() if k in ROLES}
        chip = base.chip
        for role, fmt in roles.items():
            assert chip is not None
            chip = with_role(chip, role, fmt, exact)
        self.base = base._replace(chip=chip)
        for pattern, value in (given or {}).items():
            if not isinstance(pattern, str):
                raise TypeError(f"rule {pattern!r}; write a module's path, a pattern, or a role")
            if pattern not in ROLES:
                self.patterns[pattern] = self._policy(pattern, value)

    def _policy(self, pattern: str, value: Any) -> Policy:
        """A rule that is a format holds for element-wise results, too, where those are rounded."""
        fmt = format_of(value)
        if value is None or fmt == FP32:
            return Policy(None, None)
        try:
            chip = accelerator_of(value)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"rule {pattern!r}: {error}. A rule is None (full precision), an accelerator or a "
                "format"
            ) from None
        results = self.base.elementwise
        return Policy(chip, results if fmt is None or results is None else fmt)

    def bind(self, root: nn.Module, names: Mapping[nn.Module, str]) -> dict[nn.Module, Policy]:
        """The policies of the modules of ``root`` that a pattern names.

        Raises:
            ValueError: a pattern that matches no module of the first model.
        """
        found: dict[nn.Module, Policy] = {}
        ends, everywhere = _ends(root), places_of(root) if self.patterns else []
        for pattern, policy in self.patterns.items():
            hits = [m for name, m in everywhere if _matches(pattern, name, m)]
            if not hits and pattern in ends:
                hits = ends[pattern]
            if not hits and not self.checked:
                raise ValueError(_nothing(pattern, root, names))
            found.update(dict.fromkeys((m for hit in hits for m in hit.modules()), policy))
        self.checked = self.checked or len(names) > 1
        return found


def _matches(pattern: str, name: str, module: nn.Module) -> bool:
    """By path, which the root has none of, or by class."""
    return bool(name and fnmatchcase(name, pattern)) or fnmatchcase(type(module).__name__, pattern)


def _ends(root: nn.Module) -> dict[str, list[nn.Module]]:
    """The first and the last module with weights to multiply by, as they were registered."""
    layers: list[nn.Module] = [m for m in root.modules() if isinstance(m, WEIGHTED)]
    return {"first": layers[:1], "last": layers[-1:]}


def _nothing(pattern: str, root: nn.Module, names: Mapping[nn.Module, str]) -> str:
    known = sorted({*names.values(), *(type(m).__name__ for m in names)} - {""})
    close = difflib.get_close_matches(pattern, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(map(repr, close))}? " if close else ""
    return (
        f"rule {pattern!r} matches no module of {type(root).__name__}; {hint}write a path of "
        "named_modules(), a class name, a pattern with * of either, 'first', 'last', or a role"
    )
