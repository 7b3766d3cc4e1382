"""What torch refuses of shapes and sizes, and a simulation therefore, too."""

from collections.abc import Iterable, Sequence

import torch

from numformats.torch.simulation.windows import Windows

Tensor = torch.Tensor


def axes(op: str, wanted: int, **tensors: Tensor) -> None:
    """Each of ``tensors`` has ``wanted`` axes.

    Raises:
        ValueError: another number.
    """
    for name, x in tensors.items():
        if x.ndim != wanted:
            raise ValueError(
                f"{op}: {name} has shape {tuple(x.shape)}, and needs {wanted} axes; write "
                "torch.matmul for vectors, matrices and batches of any kind"
            )


def at_most(op: str, wanted: int, **tensors: Tensor) -> None:
    """Each of ``tensors`` has at most ``wanted`` axes.

    Raises:
        ValueError: more.
    """
    for name, x in tensors.items():
        if x.ndim > wanted:
            raise ValueError(f"{op}: {name} has shape {tuple(x.shape)}; give at most {wanted} axes")


def alike(op: str, axis: int, **tensors: Tensor) -> None:
    """All of ``tensors`` are as long along ``axis``.

    Raises:
        ValueError: they are not.
    """
    if len({x.shape[axis] for x in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in tensors.items())
        raise ValueError(f"{op}: {shapes}; axis {axis} of all of them must be as long")


def bias_of(op: str, bias: Tensor | None, channels: int) -> None:
    """``bias`` has one element a channel.

    Raises:
        ValueError: another shape.
    """
    if bias is not None and tuple(bias.shape) != (channels,):
        raise ValueError(f"{op}: bias has shape {tuple(bias.shape)}; write ({channels},)")


def windows_of(op: str, x: Tensor, windows: Windows) -> None:
    """``windows`` are those of the spatial axes of ``x`` (B, C, ...), and sizes that exist.

    Raises:
        ValueError: other numbers of sizes; sizes below 1, padding below 0.
    """
    dims = len(windows.kernel)
    for name, least in (("kernel", 1), ("stride", 1), ("dilation", 1), ("padding", 0)):
        sizes = getattr(windows, name)
        flat = [n for size in sizes for n in (size if isinstance(size, tuple) else (size,))]
        if len(sizes) != dims or min(flat, default=least) < least:
            raise ValueError(f"{op}: {name}={sizes}; write {dims} numbers from {least} on")
    named = op[-2:-1] if op.endswith("d") else str(dims)
    if x.ndim != dims + 2 or named != str(dims):
        raise ValueError(
            f"{op}: input {tuple(x.shape)} and a kernel {windows.kernel} of {dims} axes; the input "
            f"needs (batch, channels) or (channels) and {named} spatial axes, the kernel {named}"
        )


def some_windows(op: str, sizes: Sequence[int], found: Sequence[int]) -> None:
    """The result has elements along every spatial axis.

    Raises:
        ValueError: the input is too small.
    """
    if min(found, default=1) < 1:
        raise ValueError(
            f"{op}: an input of {tuple(sizes)} gives a result of {tuple(found)}; give a larger "
            "input, or pad it"
        )


def without_gradients(op: str, tensors: Iterable[Tensor]) -> None:
    """Nothing that goes to ``out=`` is to be differentiated.

    Raises:
        RuntimeError: one of ``tensors`` requires a gradient, as torch has it.
    """
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        raise RuntimeError(
            f"{op}: out= does not support automatic differentiation, and one of the arguments "
            "requires grad; leave out= away, or write torch.no_grad()"
        )
