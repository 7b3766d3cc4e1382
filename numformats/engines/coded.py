"""Operands of ``matmul`` that are stored codes: their numbers, and the scales that units take."""

from typing import Any, NamedTuple

import numpy as np

from numformats.arrays import as_kind, plain
from numformats.codes import Codes
from numformats.decoding import decode
from numformats.device import on_device
from numformats.engines import device_matmul
from numformats.engines.arguments import host_operands
from numformats.engines.device_arrays import all_given
from numformats.engines.engine import Engine
from numformats.engines.fitting import holds, wanted_blocks
from numformats.engines.integer import IntegerDot
from numformats.engines.job import batches
from numformats.engines.results import target_of
from numformats.formats import BlockFloat, FixedPoint

PLACES = {"a": (-1, -2), "b": (-2, -1)}  #: axes along K and across it


class Numbers(NamedTuple):
    """Operands as arrays; ``tensor_scale`` is the product of the scales of whole tensors."""

    a: Any
    b: Any
    c: Any
    scale_a: Any
    scale_b: Any
    tensor_scale: float | None = None


def uncoded(engine: Engine, a: Any, b: Any, c: Any, scale_a: Any, scale_b: Any) -> Numbers:
    """The numbers of operands, scales and c, where they are ``Codes``.

    Raises:
        TypeError, ValueError: a format that the engine does not take.
    """
    given, scales = {"a": a, "b": b}, {"a": scale_a, "b": scale_b}
    wholes = []
    for name, x in given.items():
        if isinstance(scales[name], Codes):
            scales[name] = scales[name].values()
        if not isinstance(x, Codes):
            continue
        if not (isinstance(x.fmt, BlockFloat) and engine.scaled):
            given[name] = _numbers(engine, name, x)
            continue
        if scales[name] is not None:
            raise ValueError(f"{name} brings its scales along; leave scale_{name} out")
        given[name], scales[name] = _block_scaled(engine, name, x)
        wholes += [np.float32(x.codes[2])] if x.fmt.tensor_scale else []
    c = _numbers(engine, "c", c) if isinstance(c, Codes) else c
    whole = float(np.prod(wholes, dtype=np.float32)) if wholes else None
    return Numbers(given["a"], given["b"], c, scales["a"], scales["b"], whole)


def _numbers(engine: Engine, name: str, x: Codes) -> Any:
    own = dict(zip("abc", (*engine.inputs, engine.c_values), strict=True))[name]
    if isinstance(engine, IntegerDot):
        return _integers(name, x, own)
    truncated = getattr(engine, "truncate_inputs", False) and name != "c"
    if not (truncated or isinstance(x.fmt, BlockFloat) or holds(own, x.fmt)):
        raise ValueError(
            f"{name} is coded in {x.fmt}, which has values that {own}, the engine's format for "
            f"{name}, lacks; choose an engine for {x.fmt}, or write nf.encode({name}, {str(own)!r})"
        )
    return x.values()


def _integers(name: str, x: Codes, own: Any) -> Any:
    if not isinstance(x.fmt, FixedPoint):
        raise TypeError(
            f"{name} is coded in {x.fmt}, and integer engines take fixed point, such as {own}; "
            "write a fixed point, or choose an engine for floats, such as MACChain"
        )
    if on_device(x.codes):
        raise ValueError(
            f"the codes of {name} lie on a device; integer engines take integers there"
        )
    view, source = plain(x.values(np.float64))
    whole = np.ldexp(view, x.fmt.frac_bits).astype(np.int64 if name == "c" else np.int32)
    return whole if source is None else as_kind(source, whole)


def _block_scaled(engine: Any, name: str, x: Codes) -> tuple[Any, Any]:
    """Elements and scales of blocks along K; the scales of tiles are repeated across K."""
    fmt, own = x.fmt, dict(zip("ab", engine.inputs, strict=True))[name]
    codes, levels = x.codes[:2]
    sizes, (along, across) = _sizes(fmt, len(codes.shape)), PLACES[name]
    if (fmt.element, fmt.scale, sizes.pop(along, None)) != (own, engine.scale, engine.scale_block):
        raise ValueError(
            f"{name} is coded in {str(fmt)!r}: {wanted_blocks(own, engine)}, with axis={along}"
        )
    values, scales = decode(codes, fmt.element), decode(levels, fmt.scale)
    if across in sizes:
        size = sizes.pop(across) or codes.shape[across]
        places = [i // size for i in range(codes.shape[across])]
        scales = scales[..., places, :] if across == -2 else scales[..., places]
    if sizes:
        raise ValueError(
            f"{name} has blocks along axes {sorted(sizes)}; write axis=({across}, {along})"
        )
    return values, scales


def _sizes(fmt: BlockFloat, ndim: int) -> dict[int, int | None]:
    """Block sizes by axis, counted from the end; axis None blocks every axis."""
    axes = range(-ndim, 0) if fmt.axis is None else fmt.axis
    several = axes if isinstance(axes, tuple | range) else (axes,)
    sizes = (
        fmt.block_size if isinstance(fmt.block_size, tuple) else (fmt.block_size,) * len(several)
    )
    return {a - ndim if a >= 0 else a: size for a, size in zip(several, sizes, strict=True)}


def check_single(engine: Engine, a: Any, b: Any, c: Any, out: Any) -> None:
    """Results, c and ``out`` are float32, in which the scale of a whole tensor is applied, and go
    together.

    Raises:
        TypeError, ValueError: they are not, or do not.
    """
    device = on_device(a)
    found: dict[str, Any] = (
        all_given({"a": a, "b": b, "c": c}) if device else dict(host_operands(a, b, c))
    )
    first, second, third = found["a"], found["b"], found.get("c")
    shape = (*batches(first, second, third), first.shape[-2], second.shape[-1])
    place = device_matmul.target_of if device else target_of
    target = None if out is None else place(out, first, shape, engine)
    kinds = {"c": third, "out": target}
    names = {name: x.carrier.name for name, x in kinds.items() if x is not None}
    whole = {"the engine's result": str(engine.results).replace("fp", "float")}
    for name, kind in (whole | names).items():
        if kind != "float32":
            raise ValueError(
                f"{name} is {kind}, and the scale of a whole tensor is applied in float32; give "
                "float32, or codes with tensor_scale=1 and scale the result yourself"
            )


def tensor_scaled(result: Any, tensor_scale: float, c: Any, out: Any = None) -> Any:
    """``result * tensor_scale + c`` in float32, as software does it after the unit."""
    with np.errstate(over="ignore", invalid="ignore"):
        result = result * tensor_scale
        result = result if c is None else result + c
    if out is None:
        return result
    out[...] = result
    return out
