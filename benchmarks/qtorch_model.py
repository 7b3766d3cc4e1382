"""A model with qtorch's quantizers where ``simulate`` rounds: weights and their gradients, the
inputs of layers and the errors that come back to their results.

The two products within ``MultiheadAttention`` are out of its reach: their operands stay as they
are.
"""

import copy
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

LAYERS = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)


def why_not() -> str | None:
    """Why qtorch cannot run here, in one line; None if it can."""
    try:
        import qtorch.quant  # noqa: F401 - compiles itself
    except Exception as error:  # whatever the compiler says
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else error!r}"
    return None


def quantized(model: nn.Module, rounding: str) -> nn.Module:
    """A copy that rounds to floats (4, 3) forward and (5, 2) backward."""
    from qtorch import FloatingPoint
    from qtorch.quant import Quantizer

    ahead, back = FloatingPoint(4, 3), FloatingPoint(5, 2)
    stored = Quantizer(ahead, back, rounding, rounding)
    entering, leaving = Quantizer(ahead, None, rounding), Quantizer(None, back, "nearest", rounding)

    def before(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(entering(x) for x in given)

    def after(module: nn.Module, given: Any, result: Any) -> Any:
        if isinstance(result, tuple):
            return (leaving(result[0]), *result[1:])
        return leaving(result)

    made = copy.deepcopy(model)
    for module in [module for module in made.modules() if isinstance(module, LAYERS)]:
        for name, weight in list(module.named_parameters(recurse=False)):
            if weight.ndim > 1:
                parametrize.register_parametrization(module, name, stored)
        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)
    return made
