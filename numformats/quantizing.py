"""``quantize``: round every element of an array to a value of a format."""

from typing import Any

from numformats.arrays import Host, check_out, empty_like, host, like, run_flat
from numformats.backends import select
from numformats.backends.task import ScalarTask, Wrapping
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import Carrier
from numformats.lowering import code_spec, lower
from numformats.naming import parse
from numformats.random import Key, as_key
from numformats.request import Request, request


def quantize(
    x: Any,
    fmt: Format | str,
    rounding: str = "nearest_even",
    *,
    key: Key | int | None = None,
    random_bits: int | None = None,
    backend: str = "auto",
    out: Any = None,
) -> Any:
    """Round every element of ``x`` to a value of ``fmt``.

    Args:
        x: NumPy array or CPU torch tensor of float16, bfloat16, float32 or float64, any shape and
            strides.
        fmt: a format or its name; the result stays in the carrier dtype of ``x``.
        rounding: a name in ``nf.roundings()``.
        key: needed by stochastic modes; equal keys give equal bits on every backend.
        random_bits: N of the N-bit modes (``stochastic_a``, ...), 1 to 32 (64 for float64); all
            bits by default.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        out: receives the result (may be ``x``); same kind, shape and dtype as ``x``.

    Returns:
        Same kind, shape and dtype as ``x`` (``out`` if given). NaN stays NaN; beyond the range
        ``fmt.overflow`` decides, and where the carrier cannot hold the largest value, the largest
        format value that it holds stands for it. Without ``out`` nothing else is allocated, for
        contiguous input. Promise: bit-identical across backends.

    Raises:
        TypeError: integer, complex or object input; an ``out`` of another kind.
        ValueError: unknown names, a stochastic mode without ``key``, a mismatching ``out``.

    Example:
        >>> import numpy as np
        >>> quantize(np.float32([1.06, 1000.0, -0.0]), "e4m3")
        array([  1., 448.,  -0.], dtype=float32)

    Reference: ``docs/formats.md``; OCP OFP8 1.0 section 5, OCP MX 1.0 section 6.3, IEEE P3109 v4.0.
    """
    fmt, source = parse(fmt), host(x)
    wanted = request(rounding, as_key(key), random_bits, source.carrier.lane)
    module = select(backend)
    target = check_out(out, x, source).view if out is not None else empty_like(source)
    if isinstance(fmt, BlockFloat):
        from numformats.blocks import quantize_blocks

        quantize_blocks(source, target, fmt, wanted, module)
    else:
        _quantize_scalar(source, target, fmt, wanted, module)
    return out if out is not None else like(x, source, target)


def _quantize_scalar(
    source: Host, target: Any, fmt: FixedPoint | Float, wanted: Request, module: Any
) -> None:
    def work(bits: Any, result: Any) -> None:
        module.scalar(scalar_task(bits, result, source.carrier, fmt, wanted, encode=False))

    run_flat(source, target, wanted.mode.stochastic, work)


def scalar_task(
    x: Any, out: Any, carrier: Carrier, fmt: FixedPoint | Float, wanted: Request, *, encode: bool
) -> ScalarTask:
    """The task of rounding the flat stored bits ``x`` into ``out``."""
    return ScalarTask(
        x=x,
        out=out,
        carrier=carrier,
        lowered=lower(fmt, carrier, wanted.mode),
        codes=code_spec(fmt, carrier.lane),
        mode=wanted.mode,
        words=wanted.words,
        first=wanted.first,
        spare=wanted.spare,
        encode=encode,
        wrapping=_wrapping(fmt, carrier),
    )


def _wrapping(fmt: FixedPoint | Float, carrier: Carrier) -> Wrapping | None:
    if not isinstance(fmt, FixedPoint) or fmt.overflow != "wrap":
        return None
    top = fmt.word_bits - fmt.signed - fmt.frac_bits
    if top > carrier.emax + (not fmt.signed) or (
        not fmt.signed and fmt.word_bits > carrier.sig_bits + 1
    ):
        raise ValueError(
            f"{fmt} wraps to values that {carrier.name} cannot hold; give x in a wider dtype, for "
            "example numpy.float64"
        )
    word = (1 << fmt.word_bits) - 1
    return Wrapping(word, (word + 1) // 2 * fmt.signed, -fmt.frac_bits)
