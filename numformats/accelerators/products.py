"""Matrix products on an accelerator: store the operands, multiply, bring the scales back."""

from math import gcd
from typing import Any, NamedTuple

import numpy as np

from numformats.accelerators.accelerator import FORWARD, Accelerator
from numformats.accelerators.integers import multiply_integers
from numformats.accelerators.storing import Stored, store
from numformats.arrays import Host, as_kind
from numformats.checks import choice
from numformats.engines import matmul
from numformats.engines.arguments import host_operands
from numformats.engines.coded import tensor_scaled
from numformats.engines.job import batches
from numformats.halves import values_of
from numformats.quantizing import quantize
from numformats.random import Key, as_key


class Call(NamedTuple):
    """How engines are run: the key of the product, and the backend."""

    key: Key | None
    backend: str

    def part(self, number: int) -> Key | None:
        """The key of one part: 0 and 1 the operands, from 2 on the segments of K."""
        return None if self.key is None else self.key.fold(number)


def multiply(
    chip: Accelerator,
    a: Any,
    b: Any,
    c: Any,
    roles: tuple[str, str],
    output_scale: float | None,
    key: Key | int | None,
    backend: str,
) -> Any:
    """``Accelerator.matmul``."""
    for role in check_roles(roles):
        choice("role", role, ("weights", "activations", "errors"))
    if chip.integer and roles != FORWARD:
        raise ValueError(
            f"roles={roles!r}: the integer unit of {chip.name} multiplies activations by weights; "
            "write roles=('activations', 'weights')"
        )
    call = Call(as_key(key), backend)
    given = host_operands(a, b, c)
    source, x, y = given["a"], working(given["a"]), working(given["b"])
    third = None if c is None else working(given["c"])
    batches(x, y, third)
    left = store(chip, x, roles[0], call.part(0), backend)
    right = store(chip, y.swapaxes(-1, -2), roles[1], call.part(1), backend)
    return as_kind(source, multiply_stored(chip, left, right, third, roles, output_scale, call))


def multiply_stored(
    chip: Accelerator,
    left: Stored,
    right: Stored,
    c: Any,
    roles: tuple[str, str],
    output_scale: float | None,
    call: Call,
) -> Any:
    """The product of operands (..., M, K) and (..., N, K) that are stored already; NumPy arrays.

    Raises:
        ValueError: an output scale for a chip that does not requantize.
    """
    if chip.integer:
        return multiply_integers(chip, left, right, c, output_scale, call.backend)
    if output_scale is not None:
        raise ValueError(
            f"output_scale={output_scale!r}: {chip.name} does not requantize; leave it out"
        )
    return _floats(chip, left, right, c, roles, call)


def check_roles(roles: Any) -> tuple[str, str]:
    """``roles``, a pair.

    Raises:
        TypeError: something else.
    """
    if not isinstance(roles, tuple) or len(roles) != 2:
        raise TypeError(f"roles={roles!r}; write a pair such as ('activations', 'weights')")
    return roles


def working(source: Host) -> Any:
    """The numbers as float32, or float64 where they came so."""
    values = values_of(source)
    return values if values.dtype == np.float64 else values.astype(np.float32)


def _floats(
    chip: Accelerator, a: Stored, b: Stored, c: Any, roles: tuple[str, str], call: Call
) -> Any:
    engine = chip.engine_for(roles)
    if engine.scaled:
        return _block_scaled(engine, a, b, c, call)
    if a.scale is None and b.scale is None:
        start = None if c is None else quantize(c, engine.c_values, backend=call.backend)
        y = b.values.swapaxes(-1, -2)
        key = call.part(2)
        return matmul(a.values, y, start, engine=engine, key=key, backend=call.backend)
    return _segments(engine, a, b, c, call)


def _block_scaled(engine: Any, a: Stored, b: Stored, c: Any, call: Call) -> Any:
    """Scales of blocks go to the engine, those of tensors come back in float32."""
    whole = a.tensor_scale * b.tensor_scale
    start = None if c is None else quantize(c, engine.c_values, backend=call.backend)
    scales = {"scale_a": a.block_scales, "scale_b": b.block_scales.swapaxes(-1, -2)}
    if a.two_level or b.two_level:
        start, c = None, c
    result = matmul(
        a.values, b.values.swapaxes(-1, -2), start, engine=engine, backend=call.backend, **scales
    )
    if not (a.two_level or b.two_level):
        return result
    third = None if c is None else c.astype(np.float32)
    return tensor_scaled(result.astype(np.float32), float(whole), third)


def _segments(engine: Any, a: Stored, b: Stored, c: Any, call: Call) -> Any:
    """Segments of K that share scales, each multiplied from 0 and added in float32."""
    count = a.values.shape[-1]
    step = gcd(a.inner or 0, b.inner or 0) or max(count, 1)
    total = None if c is None else c.astype(np.float32)
    y = b.values.swapaxes(-1, -2)
    for number, k in enumerate(range(0, max(count, 1), step)):
        part = matmul(
            a.values[..., k : k + step],
            y[..., k : k + step, :],
            engine=engine,
            key=call.part(2 + number),
            backend=call.backend,
        )
        with np.errstate(over="ignore", invalid="ignore"):
            factor = a.scale_at(k) * b.scale_at(k).swapaxes(-1, -2)
            scaled = part.astype(np.float32) * factor
            total = scaled if total is None else total + scaled
    return total
