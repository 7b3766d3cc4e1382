"""``decode``: stored codes to the values they stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numformats import device_reals
from numformats.arrays import Host, as_kind, plain
from numformats.backends import select
from numformats.block_tasks import block_decode_task
from numformats.blocking import scales_shape
from numformats.coding import check_codes
from numformats.device import on_device
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import LANE32
from numformats.naming import parse
from numformats.tasks import decode_task, fits
from numformats.viewing import codes_in


def decode(
    codes: Any, fmt: FormatLike | None = None, *, dtype: Any = None, backend: str = "auto"
) -> Any:
    """The values of stored codes.

    Args:
        codes: unsigned integers of any shape, on the host or on a CUDA device; for block formats
            the tuple that ``encode`` gave; or an array of a data type that is a format, such as
            ``torch.float8_e4m3fn``.
        fmt: the format or its name; not needed where the data type of ``codes`` is one.
        dtype: ``numpy.float32`` or ``numpy.float64``; by default float32 where it holds every
            value of the format (of the elements, for blocks), else float64.
        backend: ``"auto"`` or a name in ``nf.backends()``.

    Returns:
        Values in the shape of the codes, of the codes' kind. Promise: exact (scales that are not
        powers of two: rounded once into ``dtype``), bit-identical across backends. On a device
        nothing is checked element by element: values beyond ``dtype`` become Inf there.

    Raises:
        TypeError: codes that are not integers, nor of a data type that is ``fmt``; a plain array
            for a block format; no format.
        ValueError: a code of more than ``fmt.bits`` bits; a format with values that float64 lacks;
            a value beyond ``dtype``.

    Example:
        >>> decode(np.uint8([56, 254, 127]), "e4m3")
        array([   1., -448.,   nan], dtype=float32)
    """
    codes, fmt = _resolved(codes, fmt)
    check_kind(codes, fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    kind = _dtype(element, dtype)
    if on_device(codes[0] if isinstance(codes, tuple) else codes):
        return device_reals.decode(codes, fmt, kind, backend)
    module = select(backend)
    if isinstance(fmt, BlockFloat):
        return _decode_blocks(codes, fmt, kind, module)
    view, source = plain(codes, "codes")
    check_codes(view, fmt.bits, fmt)
    made = _checked(lambda kind: _reals(view, fmt, kind, module), kind, fits(fmt, LANE32))
    return _given(made, source)


def _resolved(codes: Any, fmt: FormatLike | None) -> tuple[Any, Format]:
    """Codes and their format, one of which the data type of an array may give."""
    found = None if isinstance(codes, tuple) else codes_in(codes)
    if found is None:
        if fmt is None:
            raise TypeError(
                f"codes are {getattr(codes, 'dtype', type(codes).__name__)} and fmt is missing; "
                "give the format they were encoded in"
            )
        return codes, parse(fmt)
    if fmt is not None and parse(fmt) != found[1]:
        raise TypeError(
            f"codes have dtype {codes.dtype}, which holds {found[1]}; give the unsigned integers "
            f"that encode returned for {parse(fmt)}, or leave fmt out"
        )
    return found


def check_kind(codes: Any, fmt: Format) -> None:
    """Block formats take the tuple that ``encode`` gave, others an array."""
    if not isinstance(fmt, BlockFloat):
        if isinstance(codes, tuple):
            raise TypeError(
                f"codes are a tuple of block codes, and {fmt} is no block format; give the format "
                "they were encoded in"
            )
        return
    if not isinstance(codes, tuple) or len(codes) != 2 + fmt.tensor_scale:
        want = "(codes, scales, tensor_scale)" if fmt.tensor_scale else "(codes, scales)"
        raise TypeError(
            f"codes of {fmt} are {type(codes).__name__}; give the tuple {want} that encode returned"
        )


def _given(values: Any, source: Host | None) -> Any:
    return values if source is None else as_kind(source, values)


def _dtype(fmt: FixedPoint | Float, dtype: Any) -> Any:
    """The NumPy type of the values; what float64 cannot hold is refused."""
    if isinstance(fmt, Float) and (fmt.emax > 1023 or fmt.low_exponent < -1074):
        raise ValueError(
            f"{fmt} has values that float64 cannot hold; fmt.value(code) gives them as fractions"
        )
    if dtype is None:
        return np.float32 if fits(fmt, LANE32) else np.float64
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype={dtype!r}; write numpy.float32 or numpy.float64")
    return np.dtype(dtype).type


def _reals(view: Any, fmt: FixedPoint | Float, dtype: Any, module: Any) -> Any:
    """Values of codes."""
    out = np.empty(view.shape, dtype)
    if view.size:
        module.decode(decode_task(_flat(view), out.reshape(-1), fmt))
    return out


def _flat(codes: Any) -> Any:
    kind = codes.dtype.newbyteorder("=")
    unsigned = np.dtype(f"u{kind.itemsize}")
    return np.ascontiguousarray(codes, kind).reshape(-1).view(unsigned)


def _checked(reals: Callable[[Any], Any], dtype: Any, held: bool) -> Any:
    """``reals(dtype)``, which may not turn a finite value into Inf; ``held``: float32 holds all."""
    out = reals(dtype)
    suspect = np.zeros(1, bool) if held or dtype is np.float64 else np.isinf(out)
    if suspect.any() and (suspect & np.isfinite(reals(np.float64))).any():
        raise ValueError("a value lies beyond float32; write dtype=numpy.float64")
    return out


def _decode_blocks(codes: Any, fmt: BlockFloat, dtype: Any, module: Any) -> Any:
    (view, source), (levels, _) = plain(codes[0]), plain(codes[1])
    check_codes(view, fmt.element.bits, fmt)
    check_codes(levels, fmt.scale.bits, fmt.scale)
    if levels.shape != scales_shape(fmt, view.shape):
        raise ValueError(
            f"scales have shape {levels.shape}; {fmt} over codes of shape {view.shape} has scales "
            f"of shape "
            f"{scales_shape(fmt, view.shape)}"
        )
    second = float(codes[2]) if fmt.tensor_scale else 1.0
    totals = _reals(levels, fmt.scale, np.float64, module).reshape(-1)

    def reals(kind: Any) -> Any:
        out = np.empty(view.shape, kind)
        if view.size:
            given = (_flat(view), out.reshape(-1), totals, second)
            module.decode(block_decode_task(*given, view.shape, fmt))
        return out

    top = max(float(fmt.element.max), -float(fmt.element.min))
    held = top * _largest(totals) * abs(second) <= float(np.finfo(np.float32).max)
    return _given(_checked(reals, dtype, held), source)


def _largest(totals: Any) -> float:
    """The largest finite magnitude."""
    sizes = np.abs(totals)
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))
