"""Everything that decides a chain, as frozen plain data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samplers.durable import read_json
from samplers.named import as_data, name_of
from samplers.precision import Precision
from samplers.spec_checks import check_domain, check_fields, check_precision, plain_fields

NOT_COMPARED = ("folder", "chain", "checkpoint_every")  # chains of a folder differ in these alone


@dataclass(frozen=True)
class ChainSpec:
    """What `run_chain` runs: plain data once built, equal after a round trip through JSON.

    The model and the data come from functions that a new process can import, given as functions or
    by name (``"package.module:function"``). Batches, initial weights, noise, rounding and torch's
    own generator (dropout, augmentation) are functions of ``seed``, ``chain`` and the step alone.

    Args:
        folder: of the run; chains that differ in ``chain`` alone share it.
        model: makes the ``torch.nn.Module``, from ``model_options``.
        data: makes (inputs, targets), or an object with ``len`` that gives a batch for a tensor of
            indices, from ``data_options``.
        steps: optimizer steps of the run.
        batch_size: points in a batch.
        options: of the optimizer, ``lr`` at least; ``num_data`` is the length of the data where it
            is needed and not given. A dataclass (a prior) is kept by its name and fields.
        optimizer: the name of a class in ``samplers``, or ``"package.module:Class"``.
        precision: a `Precision`, its fields as a mapping, or None.
        loss: mean loss of a batch, from the model's output and the targets.
        burn_in: steps before the first sample.
        thinning: steps from one sample to the next; in cycles counted back from a cycle's end.
        cycles: of `CosineCycles`; None keeps the step size.
        exploration: share of a cycle without noise.
        schedule: factor of ``lr`` for a step (from 0) of so many steps; None keeps it, or has it
            follow ``cycles``.
        replacement: draw each batch anew from all points; else epoch after epoch in a new order,
            without the points that fill no batch.
        seed: of everything random.
        chain: its number.
        checkpoint_every: steps from one checkpoint to the next.
        threads: of torch and Numba while the chain runs; torch's bits may depend on it.
        device: of model and data.

    Raises:
        ValueError, TypeError: what cannot run, or is no plain data.
    """

    folder: str | Path
    model: str | Callable[..., Any]
    data: str | Callable[..., Any]
    steps: int
    batch_size: int
    options: Mapping[str, Any]
    optimizer: str = "SGLD"
    precision: Precision | Mapping[str, Any] | None = None
    loss: str | Callable[..., Any] = "torch.nn.functional:cross_entropy"
    model_options: Mapping[str, Any] = field(default_factory=dict)
    data_options: Mapping[str, Any] = field(default_factory=dict)
    burn_in: int = 0
    thinning: int = 1
    cycles: int | None = None
    exploration: float = 0.9
    schedule: str | Callable[[int, int], float] | None = None
    replacement: bool = False
    seed: int = 0
    chain: int = 0
    checkpoint_every: int = 1000
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        plain = plain_fields(self)
        functions = ("model", "data", "loss", *(["schedule"] if self.schedule else []))
        plain |= {name: name_of(getattr(self, name), name) for name in functions}
        held = self.precision
        precision = held if isinstance(held, Precision) else precision_of(held)
        plain["precision"] = None if precision is None else precision_data(precision)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        options = {name: as_data(value) for name, value in self.options.items()}
        object.__setattr__(self, "options", options)
        for name in ("options", "model_options", "data_options", "precision"):
            object.__setattr__(self, name, _plain(name, getattr(self, name)))
        check_domain(self)

    def to_json(self) -> dict[str, Any]:
        """All fields as plain data: ``ChainSpec(**spec.to_json()) == spec``."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def identity(self) -> dict[str, Any]:
        """What all chains of a folder have in common, and no later call may change."""
        return {k: v for k, v in self.to_json().items() if k not in NOT_COMPARED}


def read_spec(path: Path) -> ChainSpec:
    """The specification in a JSON file.

    Raises:
        ValueError, TypeError: no such file, other fields, or values that make no run; with the
            file's name.
    """
    data = read_json(path)
    try:
        check_fields("a specification", ChainSpec, data)
        return ChainSpec(**data)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from error


def precision_data(precision: Precision) -> dict[str, Any]:
    """The fields of a `Precision` as plain data, formats by name; `precision_of` goes back.

    Raises:
        ValueError: a rule with a predicate, which has no name.
    """
    return {
        f.name: _rules(precision) if f.name == "rules" else _plain_value(getattr(precision, f.name))
        for f in dataclasses.fields(precision)
    }


def precision_of(data: Mapping[str, Any] | None) -> Precision | None:
    """The `Precision` with these fields; those that are missing have their defaults."""
    check_precision(data)
    if data is None:
        return None
    rules = tuple((match, precision_of(inner)) for match, inner in data.get("rules", ()))
    return Precision(**{**data, "rules": rules})


def _rules(precision: Precision) -> list[Any]:
    for match, _ in precision.rules:
        if not isinstance(match, int | str):
            raise ValueError(
                f"the rule {match!r} of precision is a predicate, which is no plain data; write a "
                "glob on the parameter's name or its index"
            )
    return [[m, None if inner is None else precision_data(inner)] for m, inner in precision.rules]


def _plain_value(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _plain(name: str, value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}={value!r} is no plain data ({error}); write numbers, text, lists and mappings"
        ) from error
