"""Rounding steps of chains as Numba takes them: what is compiled in, and what is an argument."""

from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np

from numformats.backends.chain_task import Step
from numformats.backends.emitted import PACKAGE
from numformats.core.grid import Grid
from numformats.lanes import LANE64
from numformats.rounding import Mode

STEP_GRID = "from numformats.backends.numba_steps import StepGrid\n"
_ROUND = """
from {package}.{module} import round_bits as {role}_bits, wrap_bits as {role}_wrap

{inline}
def round_{role}(bits, rand, g):
    return {call}
"""
_PLAIN_CALL = "{role}_bits(bits, rand, g.spare, {grid}, {general}, False)"
_WRAP_CALL = "{role}_wrap(bits, rand, g.spare, {grid}, g.word, g.word_sign, g.word_exp)"
_GRID = f"Grid({', '.join(f'g.{name}' for name in Grid._fields)})"


# Numba's parallel loops take tuples of scalars only: a grid, its random bits, and its wrapping word
_named: Any = namedtuple
StepGrid = _named("StepGrid", [*Grid._fields, "spare", "word", "word_sign", "word_exp"])


class StepCode(NamedTuple):
    """What of a rounding step is compiled into a kernel."""

    mode: Mode
    general: bool
    wraps: bool


def code_of(step: Step | None) -> StepCode | None:
    """What is compiled of ``step``."""
    if step is None:
        return None
    return StepCode(step.mode, step.lowered.general, step.wrapping is not None)


def step_grid(step: Step) -> Any:
    """What a kernel is given of ``step``."""
    zero, w = np.uint64(0), step.wrapping
    limits = w.limits(LANE64) if w else (zero, zero, np.int64(0))
    return StepGrid(*step.lowered.grid, np.uint64(step.spare), *limits)


def rounding_text(role: str, code: StepCode, module: str, inline: str) -> str:
    """Source of ``round_<role>``, which rounds by the emitted ``module`` of its mode."""
    call = (_WRAP_CALL if code.wraps else _PLAIN_CALL).format(
        role=role, grid=_GRID, general=code.general
    )
    return _ROUND.format(package=PACKAGE, module=module, role=role, inline=inline, call=call)
