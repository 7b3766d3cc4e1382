"""``simulate``: run PyTorch code with the arithmetic of an accelerator."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack, overload

from torch import nn

from numformats.accelerators import Accelerator
from numformats.dtypes import FormatLike
from numformats.formats import Format
from numformats.torch.simulation.running import Simulation

Chip = str | Accelerator | Format


class Options(TypedDict, total=False):
    """The keywords of ``simulate``."""

    mode: str
    elementwise: FormatLike | None
    elementwise_rounding: str
    rules: Mapping[str, Any] | None
    seed: int
    step: int


@overload
def simulate(model_or_accelerator: Chip, /, **options: Unpack[Options]) -> Simulation: ...


@overload
def simulate(
    model_or_accelerator: nn.Module, accelerator: Chip, /, **options: Unpack[Options]
) -> nn.Module: ...


def simulate(
    model_or_accelerator: Any,
    accelerator: Any = None,
    /,
    *,
    mode: str = "exact",
    elementwise: FormatLike | None = None,
    elementwise_rounding: str = "nearest_even",
    rules: Mapping[str, Any] | None = None,
    seed: int = 0,
    step: int = 0,
) -> Any:
    """Compute the matrix products of PyTorch code as an accelerator does, forward and backward.

    ``with simulate(accelerator):`` for a block of code, ``simulate(model, accelerator)`` for all
    calls of a model, in place. Backward products are simulated wherever ``backward()`` is called.

    Args:
        model_or_accelerator: a name in ``nf.accelerators()``, an ``Accelerator``, or a format
            (all roles stored in it, float32 sums); or a model.
        accelerator: likewise, after a model.
        mode: ``"exact"``: products on the accelerator's engine, bit for bit; ``"fast"``: operands
            are stored and scaled as on the accelerator, and torch multiplies in float32.
        elementwise: format of the results of element-wise operations (and of the errors that come
            back to them), or None.
        elementwise_rounding: a name in ``nf.roundings()``.
        rules: mapping from modules to what they compute with: None (full precision), an
            accelerator, or a format. Modules are paths of ``named_modules()``, class names,
            patterns with ``*`` of either, ``"first"``, ``"last"``; they hold for submodules, and
            later rules win. Keys ``"weights"``, ``"activations"``, ``"errors"``, ``"gradients"``
            change the format of a role.
        seed: stochastic rounding draws by (seed, step, call site, calls of that site so far).
        step: for code that makes a new context in every training step.

    Returns:
        A ``Simulation`` to be entered; its ``report()`` counts what was simulated and what was
        not. Or the model, with ``model.simulation``. Promise: exact products are those of
        ``Accelerator.matmul``, bit for bit, and with equal seeds on any number of threads; fast
        ones are within float32 rounding of their sums.

    Raises:
        TypeError, ValueError: unknown names, formats that the engine does not take, patterns that
            match no module. RuntimeError: a context inside another.

    Example:
        >>> import torch
        >>> from numformats.torch import simulate
        >>> x, w = torch.tensor([[1.06, 2.0]]), torch.nn.Parameter(torch.tensor([[0.5], [0.25]]))
        >>> with simulate("e4m3") as chip:
        ...     (x @ w).sum().backward()
        >>> w.grad.flatten(), len(chip.report().full_precision)
        (tensor([1., 2.]), 0)

    Reference: ``docs/simulate.md``.
    """
    options: Options = {
        "mode": mode, "elementwise": elementwise, "elementwise_rounding": elementwise_rounding,
        "rules": rules, "seed": seed, "step": step,
    }  # fmt: skip
    if not isinstance(model_or_accelerator, nn.Module):
        if accelerator is not None:
            raise TypeError(
                f"{model_or_accelerator!r} is no torch.nn.Module; write simulate(model, "
                "accelerator), or simulate(accelerator) for a context"
            )
        return Simulation(model_or_accelerator, **options)
    if accelerator is None:
        raise TypeError("accelerator is missing; write simulate(model, 'nvidia-h100-fp8')")
    if hasattr(model_or_accelerator, "simulation"):
        raise ValueError(
            "the model has an attribute 'simulation' already; end an earlier simulation with "
            "model.simulation.remove()"
        )
    Simulation(accelerator, **options).attach(model_or_accelerator)
    return model_or_accelerator
