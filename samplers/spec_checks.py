"""What a specification may hold: types and limits of its fields, refused before a run begins."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from numformats.checks import choice
from samplers.cycles import check_exploration, cycle_length, samples_at
from samplers.domains import check_share
from samplers.integers import integer
from samplers.precision import Precision

if TYPE_CHECKING:
    from samplers.spec import ChainSpec

LEAST = {
    "steps": 1, "batch_size": 1, "thinning": 1, "checkpoint_every": 1, "threads": 1, "burn_in": 0,
    "seed": 0, "chain": 0,
}  # fmt: skip
SEEDS = 1 << 64
OWN_OPTIONS = ("params", "precision", "seed", "chain")


def plain_fields(spec: ChainSpec) -> dict[str, Any]:
    """The fields that have one plain type, as that type.

    Raises:
        ValueError: another type.
    """
    for name in ("options", "model_options", "data_options"):
        _check_mapping(name, getattr(spec, name), '{"lr": 0.1}')
    if not isinstance(spec.folder, str | os.PathLike):
        raise ValueError(f"folder={spec.folder!r}; write a path")
    if not isinstance(spec.optimizer, str):
        raise ValueError(
            f"optimizer={spec.optimizer!r}; write its name, such as 'SGLD' or "
            "'package.module:Class'"
        )
    numbers = {name: integer(name, getattr(spec, name), least) for name, least in LEAST.items()}
    if spec.cycles is not None:
        numbers["cycles"] = integer("cycles", spec.cycles, 1)
    return {
        "folder": str(spec.folder),
        **numbers,
        "exploration": _share(spec.exploration),
        "replacement": _truth("replacement", spec.replacement),
        "device": _device(spec.device),
    }


def check_fields(what: str, kind: type, data: Mapping[str, Any]) -> None:
    """Refuse names that are no fields of the dataclass ``kind``, and fields that are missing."""
    fields = dataclasses.fields(kind)
    for name in data:
        choice(f"field of {what}", name, [f.name for f in fields])
    needed = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in data]
    if missing:
        raise ValueError(f"{what} has no {', '.join(missing)}; write them")


def _check_mapping(name: str, value: Any, example: str) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}={value!r}; write a mapping, for example {example}")


def check_precision(data: Any) -> None:
    """Refuse what are no fields of a `Precision`, also within its rules."""
    if data is None:
        return
    _check_mapping("precision", data, '{"weight": "e4m3"}')
    check_fields("a precision", Precision, data)
    rules = data.get("rules", ())
    if not isinstance(rules, list | tuple) or not all(
        isinstance(rule, list | tuple) and len(rule) == 2 for rule in rules
    ):
        raise ValueError(
            f"rules={rules!r} of precision; write a list of pairs, a glob or an index with a "
            'precision, for example [["*norm*", null]]'
        )
    for _, inner in rules:
        check_precision(inner)


def check_domain(spec: ChainSpec) -> None:
    """Refuse values that make no run together, or one that keeps no sample."""
    if "lr" not in spec.options or any(name in spec.options for name in OWN_OPTIONS):
        raise ValueError(
            f"options={dict(spec.options)}: write lr among them, and {', '.join(OWN_OPTIONS[1:])} "
            "as fields of the specification"
        )
    if spec.schedule is not None and spec.cycles is not None:
        raise ValueError(
            f"cycles={spec.cycles!r} beside schedule={spec.schedule!r}: both set the step size; "
            "leave one out"
        )
    if spec.seed >= SEEDS:
        raise ValueError(f"seed={spec.seed}; write an int from 0 to 2^64 - 1")
    if spec.burn_in >= spec.steps:
        raise ValueError(f"burn_in={spec.burn_in!r}; write 0 <= burn_in < steps={spec.steps}")
    if spec.cycles is not None:
        _check_cycles(spec, spec.cycles)
    elif spec.thinning > spec.steps - spec.burn_in:
        raise ValueError(
            f"thinning={spec.thinning} keeps no sample of {spec.steps - spec.burn_in} steps "
            "after burn_in; write a smaller one"
        )


def check_device(device: str) -> None:
    """Refuse a device that this process has not; a specification may be written on another machine.

    Raises:
        ValueError: what torch says to the device.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used here ({reason}); write 'cpu', or run it where the "
            "device is"
        ) from error


def _check_cycles(spec: ChainSpec, cycles: int) -> None:
    if cycles > spec.steps:
        raise ValueError(f"cycles={cycles!r}; write 1 <= cycles <= steps={spec.steps}, or None")
    length = cycle_length(spec.steps, cycles)
    check_share("exploration", spec.exploration)
    check_exploration(length, spec.exploration)
    whole = spec.steps // length * length
    last = _last_kept(spec.steps - whole, length, spec.thinning)
    # a whole cycle keeps its last step; after it only a part of one is left
    late = last < spec.burn_in - whole or not samples_at(last, length, spec.exploration)
    if spec.burn_in >= whole and late:
        raise ValueError(
            f"burn_in={spec.burn_in}, thinning={spec.thinning} and exploration="
            f"{spec.exploration} keep no sample of {spec.steps} steps in cycles of {length}; write "
            "smaller ones"
        )


def _last_kept(end: int, length: int, thinning: int) -> int:
    """The last position before ``end`` that is whole thinnings before the last of its cycle."""
    return end - 1 - (end - length) % thinning


def _share(value: Any) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise ValueError(f"exploration={value!r}; write a share from 0 to below 1, such as 0.9")
    return float(value)


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} is of type {type(value).__name__}; write True or False")
    return bool(value)


def _device(value: Any) -> str:
    try:
        return value if isinstance(value, str) and torch.device(value) else str(torch.device(value))
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device={value!r} ({reason}); write 'cpu' or 'cuda'") from error
