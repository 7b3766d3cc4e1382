"""Integer matrix products of arrays on CUDA devices."""

from math import prod
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.chain_task import PlainTask
from numformats.backends.reading_task import IntegersTask, Layout, WrapTask
from numformats.device_libraries import flat
from numformats.engines.device_arrays import Given, all_given, same_library
from numformats.engines.job import batch_numbers, batches
from numformats.engines.layouts import extent_of, grouped_places, layout, spread_layout
from numformats.engines.splitting import Groups

Range = tuple[int, int]


def multiply(engine: Any, a: Any, b: Any, c: Any, backend: str, out: Any) -> Any:
    """``nf.matmul`` for integer engines on a device."""
    given = all_given({"a": a, "b": b, "c": c})
    for x in given.values():
        _check_dtype(x)
    first, second, third = given["a"], given["b"], given.get("c")
    lead = batches(first, second, third)
    shape = (*lead, first.shape[-2], second.shape[-1])
    module, target = select(backend, "cuda"), _target(engine, first, shape, out)
    if 0 not in shape:
        total = _start(engine, module, first, third, lead, (prod(lead), *shape[-2:]))
        if first.shape[-1]:
            _add(engine, module, first, second, lead, total)
        _finish(engine, module, total, target)
    return target.array if out is None else out


def _check_dtype(x: Given) -> None:
    kind = x.library.dtype(x.array)
    if not kind.startswith(("int", "uint")):
        raise TypeError(
            f"{x.name} has dtype {kind}; integer engines take integer arrays: write "
            f"{x.name}.astype('int8') (torch: {x.name}.to(torch.int8)), or int32"
        )


def _target(engine: Any, first: Given, shape: tuple[int, ...], out: Any) -> Given:
    if out is None:
        return Given(first.library.empty(shape, engine.dtype.name, first.array), "out")
    target = all_given({"a": first.array, "out": out})["out"]
    same_library(target, first)
    kind = target.library.dtype(target.array)
    if target.shape != shape or kind != engine.dtype.name:
        raise ValueError(
            f"out has shape {target.shape}, dtype {kind}; the result has shape {shape}: write "
            f"out of dtype {engine.dtype}"
        )
    return target


def _read(module: Any, x: Given, g: Layout, extent: Any, dtype: Any, limits: Range) -> Any:
    """The integers of ``x``, which have to lie within ``limits``."""
    bits = x.matrices(np.dtype(x.library.dtype(x.array)))
    made = module.empty(extent, np.dtype(dtype), bits)
    if module.read_integers(IntegersTask(bits, made, g, limits)):
        host = x.library.to_host(x.array)
        raise ValueError(
            f"{x.name} lies in [{host.min()}, {host.max()}], and the engine takes "
            f"[{limits[0]}, {limits[1]}]; clip it first, or choose a wider engine"
        )
    return made


def _start(
    engine: Any, module: Any, a: Given, c: Given | None, lead: tuple[int, ...], extent: Any
) -> Any:
    """The accumulators, holding c or zero."""
    dtype = np.dtype(np.int64) if engine.overflow == "saturate" else engine.dtype
    if c is None:
        like = a.matrices(np.dtype(a.library.dtype(a.array)))
        return module.zeros(extent, dtype, like)
    shape = (prod(c.shape[:-2]), *c.shape[-2:])
    g = spread_layout(extent, shape, batch_numbers(c.shape[:-2], lead))
    return _read(module, c, g, extent, dtype, engine.limits)


def _add(engine: Any, module: Any, a: Given, b: Given, lead: tuple[int, ...], total: Any) -> None:
    clamps = engine.overflow == "saturate"
    groups, read = Groups(engine.length if clamps else 4), list[Any]()
    for x, axis, limits in zip((a, b), (2, 1), engine.ranges, strict=True):
        shape = (prod(x.shape[:-2]), *x.shape[-2:])
        g = layout(shape, axis, grouped_places(groups, shape[axis]) if clamps else None)
        read.append(_read(module, x, g, extent_of(shape, axis, g), np.int32, limits))
    a_at, b_at = (batch_numbers(x.shape[:-2], lead) for x in (a, b))
    limits = engine.limits if clamps else (0, 0)
    module.plain(
        PlainTask("integer", read[0], read[1], a_at, b_at, total, groups.stored, limits=limits)
    )  # fmt: skip


def _finish(engine: Any, module: Any, total: Any, target: Given) -> None:
    """The accumulators in the target, modulo their width where they wrap."""
    found, array = target.library, target.array
    contiguous = found.contiguous(array)
    made = array if contiguous else found.empty(target.shape, engine.dtype.name, array)
    wraps = engine.overflow == "wrap"
    spare = 8 * total.dtype.itemsize - engine.accumulator_bits if wraps else 0
    module.wrap_integers(WrapTask(total, flat(found, made, engine.dtype), spare))
    if not contiguous:
        found.assign(array, made)
