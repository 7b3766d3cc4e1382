"""Which products a chip can compute, and with which parts."""

from dataclasses import replace
from functools import cache

from numformats.accelerators import Accelerator
from numformats.accelerators.accelerator import FORWARD
from numformats.accelerators.validating import along_k
from numformats.engines import Engine
from numformats.engines.engine import FP32, FP64
from numformats.engines.fitting import element, holds
from numformats.formats import BlockFloat

Roles = tuple[str, str]


@cache
def unit_for(
    chip: Accelerator, roles: Roles, double: bool = False
) -> tuple[Accelerator, Roles] | str:
    """The chip and the roles that compute a product of ``roles``, or why it cannot be done.

    ``double``: what is taken as it comes is float64.
    """
    if chip.integer:
        return _integer_unit(chip, roles)
    engine = chip.engine_for(roles)
    for name, role in zip(("a_format", "b_format"), roles, strict=True):
        reason = _misfit(chip, engine, name, role, double)
        if reason:
            return reason
    return chip, roles


def _integer_unit(chip: Accelerator, roles: Roles) -> tuple[Accelerator, Roles] | str:
    if roles == FORWARD:
        return chip, roles
    if roles != ("activations", "activations"):
        return f"the integer unit of {chip.name} multiplies activations by weights"
    same = chip.scaling_of("activations")
    try:
        both = replace(
            chip, weights=chip.activations, scaling={r: same for r in FORWARD if same is not None}
        )
    except (TypeError, ValueError):
        return f"the unit of {chip.name} takes weights of {chip.weights} on one side"
    return both, FORWARD


def _misfit(chip: Accelerator, engine: Engine, name: str, role: str, double: bool) -> str:
    """Why operands of ``role`` do not fit the engine; empty where they do."""
    fmt = chip.storage(role)
    own = getattr(engine, name, getattr(engine, "fmt", None))
    if engine.scaled:
        fits = (
            isinstance(fmt, BlockFloat)
            and (fmt.element, fmt.scale) == (own, getattr(engine, "scale", None))
            and along_k(fmt) == getattr(engine, "scale_block", None)
        )
        return "" if fits else f"{chip.name} has no block format for {role} that its unit takes"
    if own is None or getattr(engine, "truncate_inputs", False):
        return ""
    kept = element(fmt) or (FP64 if double else FP32)
    if isinstance(fmt, BlockFloat) or holds(own, kept):
        return ""
    return f"{chip.name} has no format for {role} that its unit takes ({own})"
