"""``quantize_model``: a trained model with its weights in low precision, and its activations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, Format
from numformats.random import Key
from numformats.torch.direction import NEAREST, Direction, checked
from numformats.torch.scaling import AmaxScaling
from numformats.torch.weights.batches import called
from numformats.torch.weights.calibration import attach, calibrate, input_quantizer
from numformats.torch.weights.choice import Formats, Place, chosen, groups
from numformats.torch.weights.packed import PackedWeight, check_codes
from numformats.torch.weights.undoing import all_or_nothing


def quantize_model(
    model: nn.Module,
    formats: Formats,
    *,
    rounding: str = NEAREST,
    key: Key | int | None = None,
    scaling: AmaxScaling | None = None,
    inputs: FormatLike | None = None,
    input_scaling: AmaxScaling | None = None,
    calibration: Iterable[Any] | None = None,
    call: Callable[[nn.Module, Any], Any] = called,
    inplace: bool = False,
) -> nn.Module:
    """A model whose weights are stored as packed codes, and whose activations are rounded.

    A weight becomes Q(w), or s·Q(w/s); its module decodes the codes whenever it reads the weight.
    Weights no longer train: train with ``Quantizer`` or ``simulate`` and call this at the end.

    Args:
        model: any module; shared parameters stay shared. Weights that are packed stay as they are.
        formats: one format for all parameters of two or more dimensions, or a mapping from patterns
            of names, paths or classes to formats (None: as it is; the last match counts).
        rounding: of the weights, a name in ``nf.roundings()``.
        key: of stochastic rounding; each weight has bits of its own.
        scaling: of weights in formats without block scales; ``AmaxScaling(axis=0)`` gives each
            output of a linear layer its scale.
        inputs: format of the floating-point tensors that enter the modules with such weights, but
            for keywords with ``mask`` in their name; None leaves them.
        input_scaling: how it is scaled; needless for block formats. Two-level ones (NVFP4) take it
            as their scale of the whole tensor.
        calibration: batches that fix one scale a tensor for ``inputs``, max |x| over the largest
            value; then ``input_scaling`` may only carry ``limit`` and ``power_of_two``.
        call: runs the model on a batch; by default ``model(*batch)`` of a tuple or list without its
            last entry (the targets), ``model(**batch)`` of a mapping, else ``model(batch)``.
        inplace: change ``model`` instead of a copy; where this fails it is as it was.

    Returns:
        The model, in evaluation mode as far as ``model`` was. Promise: every weight has the bits of
        ``numformats.torch.quantize(weight, ...)``. ``storage(model)`` lists the bytes.

    Raises:
        TypeError, ValueError: patterns that match nothing, unknown formats, options that do not go
            together, two wishes for a shared parameter, inputs that are rounded already,
            calibration without batches, without ``inputs`` or of block formats without a scale of
            the whole tensor, weights without values.

    Example:
        >>> from numformats.torch.weights import storage
        >>> small = quantize_model(nn.Linear(64, 10), "mxfp4")
        >>> storage(small).bits_per_weight
        4.25
    """
    wanted = chosen(model, formats)
    ways = {fmt: _way(fmt, rounding, scaling) for fmt in wanted.values() if fmt is not None}
    if any(way.stochastic for way in ways.values()) and key is None:
        raise ValueError(f"rounding {rounding!r} draws random bits and key is missing; write key=0")
    made = input_quantizer(inputs, input_scaling, calibration is not None)
    model = model if inplace else copy.deepcopy(model)
    root = Key(key) if isinstance(key, int) else key
    held = list(groups(model, wanted))
    touched = dict.fromkeys(place.module for places, _ in held for place in places)
    with all_or_nothing(model):
        with torch.no_grad():
            for index, (places, fmt) in enumerate(held):
                _pack(places, ways[fmt], None if root is None else root.fold(index))
        if made is not None:
            attach(model, touched, made)
            if calibration is not None:
                calibrate(model, touched, calibration, call)
    return model


def _way(fmt: Format, rounding: str, scaling: AmaxScaling | None) -> Direction:
    if scaling is not None and scaling.history:
        raise ValueError("scaling keeps a history; weights are there at once: leave history out")
    fits = None if isinstance(fmt, BlockFloat) else scaling
    return checked("formats", fmt, rounding, None, fits)


def _pack(held: list[Place], way: Direction, key: Key | None) -> None:
    """Pack one parameter; the places that share it share its codes."""
    first, *others = held
    if first.weight.is_meta:
        raise ValueError(f"{first.name!r} is on the meta device and has no values; load it first")
    first.weight.requires_grad_(False)
    try:
        for place in held:
            _parametrize(place, PackedWeight(way, key))
    except ValueError as error:
        raise ValueError(f"{first.name!r}: {error}") from error
    kept = _codes(first)
    for place in others:
        shared = _codes(place)
        for name, tensor in kept.named_parameters(recurse=False):
            setattr(shared, name, tensor)


def _parametrize(place: Place, packed: PackedWeight) -> None:
    parametrize.register_parametrization(place.module, place.key, packed, unsafe=True)
    _codes(place).register_load_state_dict_pre_hook(check_codes)


def _codes(place: Place) -> Any:
    lists: Any = place.module.parametrizations
    return lists[place.key]
