"""``matmul``: matrix products on a simulated matrix unit."""

from typing import Any

from numformats.backends import select
from numformats.codes import Codes
from numformats.device import on_device
from numformats.engines import device_matmul
from numformats.engines.arguments import (
    check_numbers,
    check_scales_given,
    checked_key,
    host_operands,
    scale_operands,
)
from numformats.engines.coded import check_single, tensor_scaled, uncoded
from numformats.engines.engine import Engine
from numformats.engines.host_reading import HostReader
from numformats.engines.integer import IntegerDot
from numformats.engines.job import Job, batches, operand
from numformats.engines.results import given, results_of, run_or_round, target_of
from numformats.engines.stripes import striped, stripes
from numformats.random import Key


def matmul(
    a: Any,
    b: Any,
    c: Any = None,
    *,
    engine: Engine,
    scale_a: Any = None,
    scale_b: Any = None,
    key: Key | int | None = None,
    backend: str = "auto",
    out: Any = None,
) -> Any:
    """``a @ b + c`` as a matrix unit computes it.

    Args:
        a: (..., M, K) values of the engine's input format, in float16, bfloat16, float32 or
            float64; NumPy arrays or CPU tensors, or arrays on a CUDA device (CuPy, torch, Numba,
            DLPack), of any strides. Or ``nf.Codes``: the numbers that ``nf.decode`` gives, in a
            format whose values the engine takes. Blocks along K bring their scales along to engines
            that take them; the scale of a whole tensor multiplies the result in float32, before c
            is added in float32. Integer engines take the integers of fixed-point codes.
        b: (..., K, N), of the kind of ``a``, or ``nf.Codes``; on a device, as all others, where
            ``a`` lies.
        c: (..., M, N), or broadcastable to it; values of the engine's format for c, or
            ``nf.Codes``. By default 0.
        engine: an engine, for example ``nf.engine("nvidia-h100", inputs="fp16")``.
        scale_a: (..., M, blocks) scales of the blocks of ``a`` along K, for engines that take them.
        scale_b: (..., blocks, N).
        key: needed by engines that round stochastically.
        backend: ``"auto"``, ``"numba_cpu"`` or ``"reference"``; on a device ``"auto"``,
            ``"cupy_cuda"`` or ``"numba_cuda"``.
        out: receives the result; (..., M, N) of a dtype that holds the engine's output format. It
            is as it was after an operand was refused, and may be one of the operands.

    Returns:
        (..., M, N), leading dimensions broadcast as in ``numpy.matmul``; of the kind of ``a``, in
        float16 where that is the engine's output format (tensors: also bfloat16), else in
        float32, or float64 where float32 cannot hold the results. A K that is no multiple of the
        unit's length is filled up with zeros; where K is 0, results are c, to nearest. Promise:
        bit-identical across backends and thread counts; what the engine's own docstring says about
        hardware.

    Raises:
        TypeError: integer or object arrays, operands of two kinds, an ``out`` of another kind.
        ValueError: shapes that do not go together; values that the input format lacks; codes in a
            format that the engine does not take; a backend for other memory, or one that cannot run
            here.

    Example:
        >>> import numpy as np, numformats as nf
        >>> a, b = np.float32([[-8192, -0.5, -0.25, -0.125]]), np.float32([[1024], [1], [1], [1]])
        >>> nf.matmul(a, b, np.float32([[2.0**23]]), engine=nf.engine("nvidia-h100", inputs="fp16"))
        array([[-0.75]], dtype=float32)

    Reference: ``docs/engines.md``.
    """
    if not isinstance(engine, Engine):
        raise TypeError(
            f"engine is {engine!r}; give an engine, for example nf.engine('nvidia-h100', "
            "inputs='fp16')"
        )
    if any(isinstance(x, Codes) for x in (a, b, c, scale_a, scale_b)):
        found = uncoded(engine, a, b, c, scale_a, scale_b)
        a, b, c, scale_a, scale_b, whole = found
        if whole is not None:
            check_single(engine, a, b, c, out)
            names: Any = {"engine": engine, "scale_a": scale_a, "scale_b": scale_b, "key": key}
            result = matmul(a, b, **names, backend=backend)
            return tensor_scaled(result, whole, c, out)
    check_scales_given(engine, scale_a, scale_b)
    if isinstance(engine, IntegerDot):
        return engine.multiply(a, b, c, backend, out)
    run = device_matmul.matmul if on_device(a) else _matmul
    return run(a, b, c, engine, scale_a, scale_b, checked_key(engine, key), backend, out)


def _matmul(
    a: Any,
    b: Any,
    c: Any,
    engine: Engine,
    scale_a: Any,
    scale_b: Any,
    key: Key | None,
    backend: str,
    out: Any,
) -> Any:
    """``matmul`` in host memory, but for integer engines."""
    sources = host_operands(a, b, c)
    first, second, third = sources["a"], sources["b"], sources.get("c")
    lead = batches(first, second, third)
    shape = (*lead, first.shape[-2], second.shape[-1])
    module, scales = select(backend), scale_operands(engine, scale_a, scale_b, first, second)
    target = target_of(out, first, shape, engine)
    results = results_of(target, third, [first, second], engine)
    left, right = operand("a", first, lead), operand("b", second, lead)
    job = Job(left, right, None, module, HostReader(module), *scales, key)
    if out is not None:
        check_numbers(engine, job)
    for stripe in stripes(results.shape):
        work = results.start(stripe)
        if work.size:
            run_or_round(engine, striped(job, stripe, work, results.shape))
        results.put(stripe, work)
    results.done()
    return given(target, out)
