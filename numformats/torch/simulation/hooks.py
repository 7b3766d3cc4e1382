"""What torch calls while a simulation runs: as modules begin and end, and as optimizers step."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from torch import nn
from torch.nn.modules import module as hooks
from torch.optim import optimizer

from numformats.torch.simulation.places import Places


def module_hooks(places: Places, here: Callable[[], bool]) -> tuple[Any, Any]:
    """``places`` follows the modules of the threads in which ``here()``."""

    def enter(module: nn.Module, _: Any) -> None:
        if here():
            places.enter(module)

    def leave(module: nn.Module, *_: Any) -> None:
        if here():
            places.leave(module)

    return (
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave, always_call=True),
    )


def optimizer_hooks(mode: Any) -> tuple[Any, Any]:
    """Optimizer steps are full precision: what they store is another matter."""

    def begins(*_: Any) -> None:
        mode.step = sys._getframe(1)

    def ends(*_: Any) -> None:
        mode.step = None

    return (
        optimizer.register_optimizer_step_pre_hook(begins),
        optimizer.register_optimizer_step_post_hook(ends),
    )


def executing(frame: FrameType) -> bool:
    """Whether a call goes on; torch calls no hook where an exception ended it."""
    try:
        frame.clear()
    except RuntimeError:  # it is
        return True
    return False
