"""``quantize``: round every element of an array to a value of a format."""

from typing import Any

from numformats import device_verbs
from numformats.arrays import Host, host, like
from numformats.backends import select
from numformats.block_tasks import rounding_lane
from numformats.device import on_device
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.naming import parse
from numformats.outputs import check_out, empty_like, run_flat
from numformats.random import Key, as_key
from numformats.request import Request, given_scale, request
from numformats.tasks import scalar_task


def quantize(
    x: Any,
    fmt: FormatLike,
    rounding: str = "nearest_even",
    *,
    key: Key | int | None = None,
    random_bits: int | None = None,
    tensor_scale: float | None = None,
    backend: str = "auto",
    out: Any = None,
) -> Any:
    """Round every element of ``x`` to a value of ``fmt``.

    Args:
        x: array of float16, bfloat16, float32 or float64, any shape and strides: NumPy, torch (CPU
            or CUDA), CuPy, Numba device arrays, or any of the array API standard, with
            ``__cuda_array_interface__`` or with DLPack.
        fmt: a format or its name; the result stays in the carrier dtype of ``x``.
        rounding: a name in ``nf.roundings()``.
        key: needed by stochastic modes; equal keys give equal bits on every backend.
        random_bits: N of the N-bit modes (``stochastic_a``, ...), 1 to 32 (64 for float64); all
            bits by default.
        tensor_scale: the scale of the whole array of two-level formats (NVFP4), rounded to float32;
            by default that of its largest magnitude, which takes a pass over memory. What a scale
            is too small for is rounded to the largest values.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        out: receives the result (may be ``x``); same kind, shape and dtype as ``x``.

    Returns:
        Same kind, shape and dtype as ``x`` (``out`` if given). NaN stays NaN; beyond the range
        ``fmt.overflow`` decides, and where the carrier cannot hold the largest value, the largest
        format value that it holds stands for it. On the host nothing of its size is allocated but
        the result, for contiguous input of float32 or float64 (devices: ``docs/gpu.md``). Promise:
        bit-identical across backends.

    Raises:
        TypeError: integer, complex or object input; an ``out`` of another kind.
        ValueError: unknown names, a stochastic mode without ``key``, a mismatching ``out``, a
            ``tensor_scale`` that is not positive, or for a format without one, a tensor that
            requires grad (``numformats.torch.quantize`` takes it).

    Example:
        >>> import numpy as np
        >>> quantize(np.float32([1.06, 1000.0, -0.0]), "e4m3")
        array([  1., 448.,  -0.], dtype=float32)

    Reference: ``docs/formats.md``; OCP OFP8 1.0 section 5, OCP MX 1.0 section 6.3, IEEE P3109 v4.0.
    """
    fmt = parse(fmt)
    whole = given_scale(fmt, tensor_scale)
    if on_device(x):
        asked = (rounding, as_key(key), random_bits, whole)
        return device_verbs.quantize(x, fmt, *asked, backend, out)
    source = host(x)
    lane = rounding_lane(fmt, source.carrier, rounding)
    wanted = request(rounding, as_key(key), random_bits, lane, whole)
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
