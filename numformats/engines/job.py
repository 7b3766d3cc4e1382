"""A matrix product as engines take it: operands in three dimensions, and where the results go."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from numformats.arrays import Host
from numformats.formats import FixedPoint, Float
from numformats.halves import floats
from numformats.lanes import Carrier
from numformats.quantizing import quantize
from numformats.random import Key

PIECE = 1 << 18  # elements looked at in one go


@dataclass(frozen=True)
class Operand:
    """``bits`` (batches, rows, columns) in C order (on a device ``Matrices``, of any strides),
    bfloat16 as uint16; ``at`` names the batch that every batch of the result reads; ``name`` and
    ``shape`` are the caller's, whose element ``first`` in C order the bits begin with."""

    name: str
    bits: Any
    carrier: Carrier
    at: Any
    shape: tuple[int, ...]
    first: int = 0
    checked: bool = False  #: whether all values are known to be of the engine's format


@dataclass(frozen=True)
class Flush:
    """Numbers smaller than ``low`` become zeros: of their sign if ``signed``."""

    low: float
    signed: bool


@dataclass(frozen=True)
class Job:
    """``out`` (batch, M, N), float32 or float64, holds c and receives the results; ``reader`` lays
    operands out in the memory that ``backend`` works in."""

    a: Operand
    b: Operand
    out: Any
    backend: Any
    reader: Any
    scale_a: Operand | None = None
    scale_b: Operand | None = None
    key: Key | None = None


def batches(a: Any, b: Any, c: Any) -> tuple[int, ...]:
    """The common leading dimensions.

    Raises:
        ValueError: an operand that is no matrix, or shapes that do not go together.
    """
    for name, x in (("a", a), ("b", b), ("c", c)):
        if x is not None and len(x.shape) < 2:
            matrix = f"{name}[None, :]" if x.shape else f"numpy.reshape({name}, (1, 1))"
            raise ValueError(
                f"{name} has shape {x.shape}; give matrices (..., rows, columns), for example "
                f"{matrix}"
            )
    (m, k), (k_b, n) = a.shape[-2:], b.shape[-2:]
    if k != k_b:
        raise ValueError(
            f"a has shape {a.shape} and b {b.shape}: a has {k} columns and b {k_b} rows; give "
            "a (..., M, K) and b (..., K, N)"
        )
    try:
        lead = np.broadcast_shapes(*(x.shape[:-2] for x in (a, b, c) if x is not None))
        if c is not None:
            np.broadcast_to(np.empty(()), (*lead, m, n))
            if np.broadcast_shapes(c.shape[-2:], (m, n)) != (m, n):
                raise ValueError
    except ValueError:
        raise ValueError(
            f"a {a.shape}, b {b.shape} and c {None if c is None else c.shape} do not go together; "
            f"the result is (..., {m}, {n}), and leading dimensions and c are broadcast as in "
            "numpy.matmul"
        ) from None
    return lead


def operand(name: str, x: Host, lead: tuple[int, ...]) -> Operand:
    """``x`` in three dimensions; broadcast batches are named, not copied."""
    rows, columns = x.shape[-2:]
    count = int(np.prod(x.shape[:-2]))
    # writable, since kernels are compiled anew for arrays that are not
    bits = np.require(x.view, requirements=["C", "W"]).reshape(count, rows, columns)
    return Operand(name, bits, x.carrier, batch_numbers(x.shape[:-2], lead), x.shape)


def batch_numbers(shape: tuple[int, ...], lead: tuple[int, ...]) -> Any:
    """Which batch of an operand with leading dimensions ``shape`` every batch of ``lead`` reads."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    return np.array(np.broadcast_to(numbers, lead), order="C").reshape(-1)


def values(x: Operand) -> Any:
    """The numbers of an operand in host memory, as a NumPy float array.

    Raises:
        ValueError: an operand on a device (engines that run there use ``Job.reader``).
    """
    _check_on_host(x)
    return floats(x.bits, x.carrier)


def _check_on_host(x: Operand) -> None:
    if not isinstance(x.bits, np.ndarray):
        refuse_device(x.name)


def refuse_device(name: str) -> NoReturn:
    """The engine works in host memory alone.

    Raises:
        ValueError: always.
    """
    raise ValueError(
        f"{name} lies on a CUDA device, and this engine reads it in host memory; copy the "
        "operands to the host first (cupy.asnumpy, torch .cpu())"
    )


def refuse(x: Operand, bad: Any, fmt: Any, start: int = 0) -> None:
    """Name the first element of ``x`` where ``bad``, which is no value of ``fmt``; ``bad`` covers
    the elements from ``start`` on.

    Raises:
        ValueError: always.
    """
    first = start + int(np.argmax(bad.reshape(-1)))
    at = tuple(int(i) for i in np.unravel_index(x.first + first, x.shape))
    value = float(values(x).reshape(-1)[first])
    rounded = f"round first: {x.name} = nf.quantize({x.name}, {str(fmt)!r})"
    raise ValueError(
        f"{x.name}{list(at)} = {value!r} is no value of {fmt}, the engine's format for {x.name}; "
        + (rounded if value == value else f"replace it first: numpy.nan_to_num({x.name})")
    )


_OWN = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}


@lru_cache(maxsize=1024)
def all_are_values(carrier: Carrier, fmt: FixedPoint | Float) -> bool:
    """Whether every number of a dtype is a value of ``fmt``, NaN and Inf included."""
    exp_bits, man_bits = _OWN[carrier.name]
    own = Float(exp_bits, man_bits)
    return (
        isinstance(fmt, Float)
        and (fmt.signed, fmt.zero, fmt.has_nan, fmt.has_inf) == (True,) * 4
        and (fmt.subnormals or fmt.emin <= own.low_exponent)
        and fmt.man_bits >= man_bits
        and fmt.emax >= own.emax
        and fmt.low_exponent <= own.low_exponent
    )


def check_values(x: Operand, fmt: FixedPoint | Float) -> None:
    """The numbers of ``x`` are values of ``fmt``; looked at in pieces, so that little is held.

    Raises:
        ValueError: a value that the format lacks.
    """
    _check_on_host(x)
    if all_are_values(x.carrier, fmt):
        return
    flat = x.bits.reshape(-1) if x.bits.flags["C_CONTIGUOUS"] else x.bits.flat
    for start in range(0, x.bits.size, PIECE):
        with np.errstate(invalid="ignore"):  # signalling NaN
            wide = floats(flat[start : start + PIECE], x.carrier).astype(np.float64)
        nan = np.isnan(wide)
        bad = (quantize(wide, fmt, "toward_zero") != wide) & ~(nan & fmt.has_nan)
        if bad.any():
            refuse(x, bad, fmt, start)


def numbers(x: Operand, fmt: FixedPoint | Float, dtype: Any) -> Any:
    """The numbers of ``x`` in ``dtype``, checked to be values of ``fmt``.

    Raises:
        ValueError: a value that the format lacks.
    """
    check_values(x, fmt)
    with np.errstate(invalid="ignore"):
        return values(x).astype(dtype, copy=False)
