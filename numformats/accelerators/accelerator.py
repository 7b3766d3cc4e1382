"""``Accelerator``: what a chip stores, how it scales, and how it multiplies matrices, as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from numformats.accelerators.scaling import Scaling
from numformats.checks import choice
from numformats.engines import Engine, IntegerDot
from numformats.engines.fitting import element, holds
from numformats.formats import FixedPoint, Float, Format
from numformats.naming import parse
from numformats.random import Key
from numformats.rounding import find

ROLES = ("weights", "activations", "errors", "gradients")
CONFIDENCES = ("silicon", "model", "documented", "approximate")  # from the surest down
FORWARD, BACKWARD = ("activations", "weights"), (("errors", "weights"), ("activations", "errors"))


@dataclass(frozen=True)
class Accelerator:
    """A preset: storage formats, scaling, rounding and the engine that multiplies.

    Args:
        name: lower-case words joined by ``-`` and ``.``.
        title: one line for people; by default the name.
        weights: format, or its name, in which weights are stored; None: as they come.
        activations: likewise for the inputs of layers.
        errors: gradients with respect to activations, as they enter matrix products.
        gradients: gradients with respect to weights, as they leave them.
        engine: how a matrix product adds up.
        scaling: a ``Scaling`` for every stored role, or a mapping from roles to scalings. Block
            formats carry their own scales.
        rounding: of what is stored; a name in ``nf.roundings()``.
        error_rounding: of errors and gradients, where it differs.
        requantize: how integer accumulators become narrow again, for integer engines.
        confidence: ``"silicon"``: equal to recorded outputs of the chip; ``"model"``: equal to a
            published bit-accurate model; ``"documented"``: as a manual says; ``"approximate"``.
        sources: papers, packages, manuals.
        notes: what is not known, and what is left out.

    Block formats run along K. Tiles of two dimensions are (outer, K), written with
    ``axis=(-2, -1)``. Promise: plain data; equal presets give equal bits on every backend.

    Raises:
        TypeError, ValueError: parts that do not go together.

    Example:
        >>> from numformats.engines import MACChain
        >>> chain = MACChain("e3m4", "e3m4", accumulator="fp16")
        >>> chip = Accelerator("paper-chip", weights="e3m4", activations="e3m4", engine=chain)
        >>> chip.confidence
        'approximate'

    Reference: ``docs/accelerators.md``.
    """

    name: str
    title: str = ""
    engine: Engine = field(kw_only=True)
    weights: Any = field(default=None, kw_only=True)
    activations: Any = field(default=None, kw_only=True)
    errors: Any = field(default=None, kw_only=True)
    gradients: Any = field(default=None, kw_only=True)
    scaling: Any = field(default=(), kw_only=True)
    rounding: str = field(default="nearest_even", kw_only=True)
    error_rounding: str | None = field(default=None, kw_only=True)
    requantize: Any = field(default=None, kw_only=True)
    confidence: str = field(default="approximate", kw_only=True)
    sources: tuple[str, ...] = field(default=(), kw_only=True)
    notes: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(
            r"[a-z0-9]+([.-][a-z0-9]+)*", self.name
        ):
            raise ValueError(
                f"name={self.name!r}; write lower-case words joined by '-', such as 'my-chip-fp8'"
            )
        if not self.title:
            object.__setattr__(self, "title", self.name)
        for role in ROLES:
            fmt = getattr(self, role)
            object.__setattr__(self, role, None if fmt is None else parse(fmt))
        object.__setattr__(self, "scaling", self._scalings())
        self._check_words()
        from numformats.accelerators.validating import check

        check(self)

    def __hash__(self) -> int:
        known = self.__dict__.get("_hash")
        if known is None:
            known = hash(tuple(getattr(self, each.name) for each in fields(self)))
            object.__setattr__(self, "_hash", known)
        return int(known)

    def __getstate__(self) -> dict[str, Any]:
        """The fields; hashes of texts are another process's."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _scalings(self) -> tuple[tuple[str, Scaling], ...]:
        given = self.scaling
        if isinstance(given, Scaling):
            stored = [r for r in ROLES if isinstance(getattr(self, r), Float | FixedPoint)]
            given = dict.fromkeys(stored, given)
        try:
            found = dict(given if isinstance(given, Mapping) else tuple(given))
        except (TypeError, ValueError):
            raise TypeError(
                f"scaling={given!r}; write Scaling('tensor'), or a mapping such as "
                "{'weights': Scaling('tensor')}"
            ) from None
        for role, scaling in found.items():
            choice("role of scaling", role, ROLES)
            if not isinstance(scaling, Scaling):
                raise TypeError(f"scaling of {role} is {scaling!r}; write Scaling('tensor')")
        return tuple((role, found[role]) for role in ROLES if role in found)

    def _check_words(self) -> None:
        choice("confidence", self.confidence, CONFIDENCES)
        find(self.rounding)
        if self.error_rounding is not None:
            find(self.error_rounding, "error_rounding")
        for name in ("title", "notes"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name}={getattr(self, name)!r}; write text")
        if not isinstance(self.sources, tuple) or not all(
            isinstance(s, str) and s for s in self.sources
        ):
            raise TypeError(f"sources={self.sources!r}; write a tuple of texts")

    def storage(self, role: str) -> Format | None:
        """The format of a role: ``"weights"``, ``"activations"``, ``"errors"``, ``"gradients"``."""
        choice("role", role, ROLES)
        fmt: Format | None = getattr(self, role)
        return fmt

    def scaling_of(self, role: str) -> Scaling | None:
        """The scaling of a role, or None."""
        choice("role", role, ROLES)
        return dict(self.scaling).get(role)

    def rounding_of(self, role: str) -> str:
        """The rounding mode in which a role is stored."""
        choice("role", role, ROLES)
        return (role in ROLES[2:] and self.error_rounding) or self.rounding

    def engine_for(self, roles: tuple[str, str] = FORWARD) -> Engine:
        """The engine that multiplies these roles.

        In backward products, operands of another format of the same width (E5M2 errors beside E4M3
        weights) go through the same unit, set to that format.
        """
        changes = {}
        for name, role in zip(("a_format", "b_format"), roles, strict=True):
            fmt, own = element(self.storage(role)), getattr(self.engine, name, None)
            if fmt is not None and own is not None and not holds(own, fmt) and fmt.bits == own.bits:
                changes[name] = fmt
        return replace(self.engine, **changes) if changes and roles != FORWARD else self.engine

    @property
    def integer(self) -> bool:
        """Whether products are those of integers."""
        return isinstance(self.engine, IntegerDot)

    def matmul(
        self,
        a: Any,
        b: Any,
        c: Any = None,
        *,
        roles: tuple[str, str] = FORWARD,
        output_scale: float | None = None,
        key: Key | int | None = None,
        backend: str = "auto",
    ) -> Any:
        """``a @ b + c`` on this accelerator: operands stored as its roles say, then multiplied.

        Args:
            a: (..., M, K) floats, NumPy or CPU tensors.
            b: (..., K, N), of the kind of ``a``.
            c: (..., M, N), or broadcastable to it; by default 0.
            roles: what ``a`` and ``b`` are: ``("activations", "weights")`` forward,
                ``("errors", "weights")`` and ``("activations", "errors")`` backward.
            output_scale: the step of the 8-bit results, for presets that requantize by a
                multiplier; without it they return what the accumulator holds.
            key: needed where storage or engine round stochastically: ``a`` draws with
                ``key.fold(0)``, ``b`` (transposed) with ``key.fold(1)``, the engine with
                ``key.fold(2)`` (segment s of K with ``key.fold(2 + s)``).
            backend: ``"auto"``, ``"numba_cpu"`` or ``"reference"``.

        Returns:
            (..., M, N) of the kind of ``a``. Without scales: as ``nf.matmul``, and c, rounded to
            the engine's format for it, starts the sum. With scales: every segment of K that shares
            scales is multiplied from 0; in float32, its result times the (float32) product of both
            scales is added to c, segments in order. Integers: the accumulator times both scales in
            float64, rounded to float32 (not where ``a`` is float64); c is rounded to its integers.
            Promise: bit-identical across backends.

        Raises:
            TypeError: arrays that are not floats. ValueError: shapes or roles that do not fit.

        Example:
            >>> import numpy as np, numformats as nf
            >>> chip = nf.accelerator("nvidia-b200-mxfp8")
            >>> chip.matmul(np.float32([[3.0]]), np.float32([[0.5]]))
            array([[1.5]], dtype=float32)
        """
        from numformats.accelerators.products import multiply

        return multiply(self, a, b, c, roles, output_scale, key, backend)

    def explain(self) -> str:
        """The preset in plain words: what is stored how, how products add up, what is known."""
        from numformats.accelerators.words import explain

        return explain(self)

    @property
    def summary(self) -> dict[str, str]:
        """Name, storage, engine and confidence in a few words each: a row of a table.

        Storage is one format, or weights x activations; errors follow where they differ.
        """
        from numformats.accelerators.words import short_engine, storage_text

        texts = (self.name, storage_text(self), short_engine(self.engine), self.confidence)
        return dict(zip(("name", "storage", "engine", "confidence"), texts, strict=True))

    def save(self, path: Any) -> None:
        """Write the preset to a ``.json`` or ``.toml`` file, which ``nf.accelerators.load`` reads.

        Raises:
            ValueError: another ending, or parts that only this program knows.
        """
        from numformats.accelerators.files import save

        save(self, path)
