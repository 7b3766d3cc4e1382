"""A sampler's target density, update and arithmetic in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samplers.precision import Precision


def describe(groups: Sequence[dict[str, Any]], update: str, precision: Precision) -> str:
    """The target density, the update and the arithmetic of all groups."""
    lines = [describe_group(i, group) for i, group in enumerate(groups)]
    lines += [f"Update: {update}.", f"Arithmetic: {precision}."]
    own = [(i, group["precision"]) for i, group in enumerate(groups) if "precision" in group]
    return "\n".join([*lines, *(f"Arithmetic of group {i}: {found}." for i, found in own)])


def describe_group(index: int, group: dict[str, Any]) -> str:
    """One sentence on the density that the parameters of a group are drawn from."""
    count = sum(param.numel() for param in group["params"])
    head = f"Group {index}, {count} weights in {len(group['params'])} tensor(s): "
    data, temperature, decay = group["num_data"], group["temperature"], group["weight_decay"]
    prior = group.get("prior")
    penalty = f"{decay / 2:g}·‖θ‖²" if prior is None else f"log(1/p(θ))/{data}"
    told = f", p = {getattr(prior, '__name__', prior)}" if prior is not None else ""
    if temperature == 0:
        return f"{head}temperature 0, no noise: minimises L(θ) + {penalty}{told} (not a sampler)."
    density = f"density ∝ exp(-({data}/{temperature:g})·(L(θ) + {penalty}))"
    return f"{head}{density}, L the mean loss{told}; {_posterior(data, temperature, decay, prior)}."


def _posterior(data: float, temperature: float, decay: float, prior: object) -> str:
    cold = "" if temperature == 1 else f" at temperature {temperature:g}"
    if prior is not None:
        return f"the posterior of the prior p{cold}"
    if decay == 0:
        return f"the posterior of a flat prior{cold}"
    return f"the posterior of the prior N(0, {1 / (data * decay):.4g}·I){cold}"
