"""Rounding what enters a module, with scales fixed by running the model on sample batches."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import nn

from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat
from numformats.naming import parse
from numformats.torch.checking import check_tensor
from numformats.torch.quantizer import Quantizer
from numformats.torch.quantizing import run
from numformats.torch.scaling import AmaxScaling
from numformats.torch.weights.entering import changed, entering

NAME = "input_quantizer"


class Calibrated(Quantizer):
    """A ``Quantizer`` whose scale stays as calibration left it, also in training mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` rounded with that scale."""
        check_tensor(x)
        return run(x, self.plan, self.key, self.history, self.grad_history, record=False)


def input_quantizer(
    inputs: FormatLike | None, scaling: AmaxScaling | None, calibrated: bool
) -> Quantizer | None:
    """The quantizer of activations, after checking that its options go together."""
    if inputs is None:
        if scaling is not None or calibrated:
            raise ValueError(
                "input_scaling or calibration is given, and inputs is not; write inputs='e4m3', or "
                "leave them out"
            )
        return None
    if calibrated:
        fmt = parse(inputs)
        if isinstance(fmt, BlockFloat) and not fmt.tensor_scale:
            raise ValueError(
                f"inputs={str(fmt)!r} carries scales of its own, and calibration fixes scales; "
                "leave calibration out"
            )
        given = scaling or AmaxScaling()
        if given.axes or given.history:
            raise ValueError(
                f"input_scaling={given!r} with calibration, which fixes one scale a tensor; leave "
                "axis and history out"
            )
        scaling = AmaxScaling(history=1, limit=given.limit, power_of_two=given.power_of_two)
        return Calibrated(inputs, forward_scaling=scaling)
    return Quantizer(inputs, forward_scaling=scaling)


def attach(model: nn.Module, modules: Collection[nn.Module], quantizer: Quantizer) -> None:
    """Round with a copy of ``quantizer`` what enters each module.

    Raises:
        ValueError: one whose inputs are rounded already.
    """
    for name, module in model.named_modules():
        if module in modules and hasattr(module, NAME):
            raise ValueError(
                f"{name!r} has an {NAME}, by which its inputs are rounded already; leave inputs "
                "out, or name all of its parameters in one call"
            )
    for module in modules:
        module.register_module(NAME, copy.deepcopy(quantizer))
        module.register_forward_pre_hook(_round_inputs, with_kwargs=True)


def _round_inputs(module: nn.Module, args: Any, kwargs: Any) -> Any:
    return changed(getattr(module, NAME), args, kwargs)


def calibrate(
    model: nn.Module,
    modules: Collection[nn.Module],
    batches: Iterable[Any],
    call: Callable[[nn.Module, Any], Any],
) -> None:
    """Fix the scales at the largest finite magnitudes that enter while only weights are rounded.

    Raises:
        ValueError: no batch.
    """
    seen = _largest(model, modules, batches, call)
    missed = [name for name, module in model.named_modules() if module in modules - seen.keys()]
    if missed:
        warnings.warn(
            f"no floating-point tensor entered {', '.join(map(repr, missed))}: their inputs are "
            "not rounded",
            stacklevel=3,
        )
    for module in modules:
        getattr(module, NAME).history.fill_(float(seen.get(module, torch.zeros(()))))


def _largest(
    model: nn.Module,
    modules: Collection[nn.Module],
    batches: Iterable[Any],
    call: Callable[[nn.Module, Any], Any],
) -> dict[nn.Module, torch.Tensor]:
    seen: dict[nn.Module, torch.Tensor] = {}

    def watch(module: nn.Module, args: Any, kwargs: Any) -> None:
        for x in entering(args, kwargs):
            finite = torch.where(x.isfinite(), x, torch.zeros_like(x)).abs().flatten()
            most = finite.amax().float().cpu() if finite.numel() else torch.zeros(())
            seen[module] = torch.maximum(seen.get(module, most), most)

    hooks = [
        module.register_forward_pre_hook(watch, prepend=True, with_kwargs=True)
        for module in modules
    ]
    modes, count = {module: module.training for module in model.modules()}, 0
    rounding = {module: getattr(module, NAME) for module in modules}
    try:
        model.eval()
        for module in modules:
            setattr(module, NAME, nn.Identity())
        with torch.no_grad():
            for batch in batches:
                call(model, batch)
                count += 1
    finally:
        for hook in hooks:
            hook.remove()
        for module, quantizer in rounding.items():
            setattr(module, NAME, quantizer)
        for module, mode in modes.items():
            module.training = mode
    if not count:
        raise ValueError("calibration has no batch; give an iterable of at least one")
    return seen
