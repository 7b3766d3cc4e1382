"""``analyze``: run a model and see what formats would do to its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from numformats.dtypes import FormatLike
from numformats.formats import Format
from numformats.naming import parse
from numformats.torch.analysis.observation import Analysis, Observation
from numformats.torch.analysis.tally import Tally
from numformats.torch.direction import NEAREST
from numformats.torch.scaling import AmaxScaling
from numformats.torch.weights.batches import called
from numformats.torch.weights.choice import check_shapes, places
from numformats.torch.weights.entering import entering
from numformats.torch.weights.packed import is_packed
from numformats.torch.weights.trial import check_deterministic

ROLES = ("weights", "activations", "errors", "gradients")


def analyze(
    model: nn.Module,
    batches: Iterable[Any],
    formats: Sequence[FormatLike] | FormatLike,
    *,
    loss: Callable[[nn.Module, Any], torch.Tensor] | None = None,
    rounding: str = NEAREST,
    scaling: AmaxScaling | None = None,
    call: Callable[[nn.Module, Any], Any] = called,
) -> Analysis:
    """Run ``model`` on batches and measure what each format would do to its tensors.

    Nothing is rounded in the model: the tensors are those of full precision. Observed are modules
    that own parameters of two or more dimensions: their weights, what enters (activations), and
    with ``loss`` also the gradient of what leaves (errors) and of the weights (gradients).

    Args:
        model: any module, in the mode it is to be seen in; parameters and gradients stay as they
            were.
        batches: of a data loader.
        formats: one or several.
        loss: from (model, batch) to a scalar tensor, which is differentiated; None: forward only.
        rounding: a deterministic mode.
        scaling: of formats without block scales.
        call: runs the model on a batch where there is no ``loss``; see ``quantize_model``.

    Returns:
        ``Analysis``; print it, or take ``rows()`` or ``frame()``. Sums in float64; tolerance: its
        rounding.

    Raises:
        TypeError, ValueError: unknown formats, no batches, no module with weights.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 2, bias=False))
        >>> _ = model[0].weight.data.fill_(1.0625)
        >>> found = analyze(model, [torch.full((1, 4), 1000.0)], "e4m3")
        >>> [(r["role"], r["saturated"], round(r["sqnr"], 1)) for r in found.rows()]
        [('weights', 0.0, 24.6), ('activations', 1.0, 5.2)]
    """
    several: Any = formats if isinstance(formats, list | tuple) else [formats]
    tallies = [(parse(fmt), rounding, scaling) for fmt in several]
    found = _observations(model, tallies, ROLES if loss is not None else ROLES[:2])
    seen = found.observations
    modules = dict(model.named_modules())
    for (name, role), one in seen.items():
        if role == "weights":
            for weight in _weights(modules[name]):
                one.add(weight)
    empty = True
    with _watched(modules, seen):
        for batch in batches:
            empty = False
            if loss is None:
                with torch.no_grad():
                    call(model, batch)
            else:
                _differentiate(loss(model, batch), modules, seen)
    if empty:
        raise ValueError("batches is empty; give an iterable of at least one batch")
    return found


def _observations(
    model: nn.Module,
    tallies: list[tuple[Format, str, AmaxScaling | None]],
    roles: tuple[str, ...],
) -> Analysis:
    for fmt, rounding, _ in tallies:
        check_deterministic(fmt, rounding)
    check_shapes("*", places(model))
    names = [name for name, module in model.named_modules() if _weights(module)]
    if not names:
        raise ValueError(f"{type(model).__name__} has no weights of two or more dimensions")
    return Analysis({
        (name, role): Observation(name, role, {str(how[0]): Tally(*how) for how in tallies})
        for name in names
        for role in roles
    })  # fmt: skip


def _weights(module: nn.Module) -> list[nn.Parameter]:
    if is_packed(module):
        return []
    return [w for w in module.parameters(recurse=False) if w.ndim > 1 and w.is_floating_point()]


@contextmanager
def _watched(
    modules: dict[str, nn.Module], seen: dict[tuple[str, str], Observation]
) -> Iterator[None]:
    """Within the context what enters modules, and the gradient of what leaves them, is counted."""
    hooks: list[Any] = []
    for (name, role), one in seen.items():
        if role == "activations":
            hooks.append(modules[name].register_forward_pre_hook(_entering(one), with_kwargs=True))
        elif role == "errors":
            hooks.append(modules[name].register_forward_hook(_leaving(one)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _entering(one: Observation) -> Callable[..., None]:
    def add(module: nn.Module, args: Any, kwargs: Any) -> None:
        for x in entering(args, kwargs):
            one.add(x)

    return add


def _leaving(one: Observation) -> Callable[..., None]:
    def add(module: nn.Module, args: Any, output: Any) -> None:
        for x in _tensors(output):
            if x.requires_grad:
                x.register_hook(one.add)  # type: ignore[no-untyped-call]

    return add


def _tensors(value: Any) -> list[torch.Tensor]:
    parts = value if isinstance(value, tuple | list) else (value,)
    return [x for x in parts if isinstance(x, torch.Tensor) and x.is_floating_point()]


def _differentiate(
    loss: torch.Tensor,
    modules: dict[str, nn.Module],
    seen: dict[tuple[str, str], Observation],
) -> None:
    """Count the gradients of the weights, which are not accumulated anywhere."""
    owners = [
        (one, weight)
        for (name, role), one in seen.items()
        if role == "gradients"
        for weight in _weights(modules[name])
        if weight.requires_grad
    ]
    weights = [weight for _, weight in owners]
    trained = [p for p in modules[""].parameters() if p.requires_grad]
    if not trained or not loss.requires_grad:
        raise ValueError(
            "the loss does not depend on parameters that require gradients; leave loss out, or "
            "write model.requires_grad_(True)"
        )
    found = torch.autograd.grad(loss, weights or trained, allow_unused=True)
    for (one, _), gradient in zip(owners, found, strict=False):
        if gradient is not None:
            one.add(gradient)
