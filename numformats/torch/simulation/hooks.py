"""What torch calls while a simulation runs: as modules begin and end, and as optimizers step."""

from collections.abc import Callable
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

    def pausing(on: bool) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            mode.paused = on

        return hook

    return (
        optimizer.register_optimizer_step_pre_hook(pausing(True)),
        optimizer.register_optimizer_step_post_hook(pausing(False)),
    )
