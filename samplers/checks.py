"""What a sampler refuses or warns of, and what to write instead."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from samplers.domains import check_count, check_nonnegative
from samplers.precision import Precision

STREAMS = ("seed", "chain")  # options that tell streams of random bits apart
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def with_plain_numbers(options: dict[str, Any]) -> dict[str, Any]:
    """The options with seed and chain as Python ints, as checkpoints hold them; the same dict where
    they are."""
    given = {name: options[name] for name in STREAMS if name in options}
    plain = {name: int(n) for name, n in given.items() if isinstance(n, np.integer)}
    return {**options, **plain} if plain else options


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options outside their domain."""
    for name in ("lr", "temperature", "weight_decay"):
        check_nonnegative(name, options[name])
    wanted = "the number of data points behind the mean loss, >= 1"
    check_count("num_data", options["num_data"], wanted)
    for name in STREAMS:
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
            raise ValueError(f"{name}={value!r}; write an int in [0, 2**64)")
    if options.get("maximize"):
        raise ValueError(
            "maximize is not offered: a sampler needs an energy; negate the loss instead"
        )


def check_names(group: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse options of a group that are called nearly as one of ``known``, and would do nothing;
    others belong to the caller, as those of schedulers do."""
    known = set(known)
    for name in group:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
        if name not in known and close:
            raise ValueError(f"a group has the option {name!r}; did you mean {close[0]!r}?")


def check_parameter(label: str, param: torch.Tensor) -> None:
    """Refuse parameters that are no real, dense floating-point tensors."""
    if param.dtype not in FLOATS:
        raise TypeError(
            f"{label} has dtype {param.dtype}; a sampler takes {', '.join(map(str, FLOATS))} "
            "(view a complex parameter as real with torch.view_as_real)"
        )
    if param.layout != torch.strided:
        raise TypeError(f"{label} is {param.layout}; a sampler takes dense ones: call to_dense()")


class NonFiniteGradientError(ValueError):
    """A gradient with NaN or Inf, or too large a one: the chain has diverged, or the loss is
    undefined."""


def check_gradients(given: Iterable[tuple[str, int, torch.Tensor | None]]) -> None:
    """Refuse gradients, of which come the label, the step and the tensor, that are sparse, since
    every weight moves in every step because of the noise, or not finite."""
    held = [(label, step, grad) for label, step, grad in given if grad is not None]
    for label, _, grad in held:
        if grad.layout != torch.strided:
            raise TypeError(
                f"the gradient of {label} is {grad.layout}; a sampler moves every weight in "
                "every step: build the layer with sparse=False, or call grad.to_dense()"
            )
    if not _finite_sums(grad for _, _, grad in held):
        for label, step, grad in held:
            _check_finite(label, step, grad)


def _finite_sums(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether all sums are finite, which means finite terms: one pass, and one look at a
    device."""
    sums: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    for x in tensors:
        sums.setdefault((x.device, x.dtype), []).append(x.sum())
    return all(bool(torch.stack(found).isfinite().all()) for found in sums.values())


def _check_finite(label: str, step: int, grad: torch.Tensor) -> None:
    bad = int((~torch.isfinite(grad)).sum())
    if bad:
        raise NonFiniteGradientError(
            f"the gradient of {label} at its step {step} holds {bad} of {grad.numel()} elements "
            "that are NaN or infinite; no parameter has been moved: load an earlier state and use "
            "a smaller lr, or find the operation with torch.autograd.set_detect_anomaly(True)"
        )


def check_squares(given: Iterable[tuple[str, torch.Tensor | None, torch.dtype]]) -> None:
    """Refuse gradients, of which come the label, the tensor and a dtype, whose squares this
    lacks."""
    held = [(label, grad.to(dtype), dtype) for label, grad, dtype in given if grad is not None]
    if _finite_sums(grad.square() for _, grad, _ in held):
        return
    for label, grad, dtype in held:
        limit = math.sqrt(torch.finfo(dtype).max)
        beyond = int((grad.abs() > limit).sum())
        if beyond > 0:
            raise NonFiniteGradientError(
                f"the gradient of {label} holds {beyond} element(s) beyond {limit:.3g}, whose "
                f"squares are infinite in {dtype}; no parameter has been moved: load an earlier "
                "state and use a smaller lr"
            )


def check_scaler(optimizer: torch.optim.Optimizer) -> None:
    """Refuse ``GradScaler.step``, which hands its scale to optimizers; what it left there goes, so
    that the next ``optimizer.step()`` is none of the scaler's."""
    scale, overflow = (vars(optimizer).pop(name, None) for name in ("grad_scale", "found_inf"))
    if scale is not None or overflow is not None:
        raise TypeError(
            "GradScaler.step leaves out the steps whose scaled gradients overflow, and with them "
            "their noise, which changes the stationary law; use bfloat16 autocast without a "
            "scaler, or divide the gradients by the scale and call optimizer.step()"
        )


SUMMED_LOSS = 100.0
"""Mean losses are rarely larger: a uniform guess over e^100 classes."""


def warn_if_summed(loss: object) -> None:
    """Warn of a first loss whose size suggests a sum over the batch."""
    value = loss.detach() if isinstance(loss, torch.Tensor) else loss
    if isinstance(value, torch.Tensor | float | int) and abs(float(value)) > SUMMED_LOSS:
        _warn(f"the first loss is {float(value):.4g}")


def warn_if_large(moves: Iterable[tuple[torch.Tensor, float]]) -> None:
    """Warn of first gradients that would move the weights by more than their own size."""
    size = change = 0.0
    for param, rate in moves:
        assert param.grad is not None
        size += float(param.detach().double().square().sum())
        change += rate**2 * float(param.grad.double().square().sum())
    if change > size > 0:
        _warn(
            f"the first gradients times the step size have norm {math.sqrt(change):.3g}, the "
            f"weights {math.sqrt(size):.3g}"
        )


def _warn(found: str) -> None:
    warnings.warn(
        f"{found}: a loss that is summed over the batch looks like this; samplers take the mean "
        'over the batch (reduction="mean"), which num_data then scales up, or lr is too large',
        UserWarning,
        stacklevel=6,
    )


def check_representable(
    label: str, param: torch.Tensor, quantized: torch.Tensor, precision: Precision
) -> None:
    """Refuse a weight format whose values the parameter's dtype cannot hold."""
    if param.dtype == quantized.dtype:
        return
    if not torch.equal(quantized.to(param.dtype).to(quantized.dtype), quantized):
        raise ValueError(
            f"{label} has dtype {param.dtype}, which cannot hold the values of "
            f"weight={precision.weight!s}; use float32 parameters or a coarser format"
        )


def check_state(kind: str, number: int, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a state that another optimizer, one with another accumulator, or one of parameters of
    other shapes has saved."""
    if saved.keys() != own.keys():
        raise ValueError(
            f"the state of parameter {number} holds {sorted(saved)}, wanted {sorted(own)}: "
            f"it is no state of {kind} with this precision and accumulator; build the optimizer "
            "as it was when the state was saved"
        )
    for name, held in own.items():
        came = getattr(saved[name], "shape", None)
        if isinstance(held, torch.Tensor) and came != held.shape:
            found = type(saved[name]).__name__ if came is None else f"shape {tuple(came)}"
            raise ValueError(
                f"{name!r} of parameter {number} has {found} in the state, wanted shape "
                f"{tuple(held.shape)}; load a state of the same model, its parameters in the same "
                "order"
            )
