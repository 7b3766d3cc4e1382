"""Which calls the simulation can take over, and what it says of the others."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.autograd import forward_ad

from numformats.torch.simulation.handlers import Target

Tensor = torch.Tensor
CARRIERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SPARSE = {"embedding": 4, "embedding_bag": 5}  # where the flag stands
INDEXED = (*SPARSE, "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu")
UNCAST = {  # what autocast leaves in the dtypes that come
    "cpu": {"mv", "dot", "vdot", "addmv", "addr", "convolution", "bilinear"},
    "cuda": {"dot", "vdot", "bilinear"},
}
PLAIN = (Tensor, torch.nn.Parameter)


class Given(NamedTuple):
    """The tensors of a call, the dtype of its first one, and that of autocast, if it is on."""

    tensors: tuple[Tensor, ...]
    dtype: torch.dtype
    autocast: torch.dtype | None


def given(found: Target, args: Any, kwargs: dict[str, Any]) -> Given:
    """What a call was given; torch casts nothing for results that have their place already."""
    tensors = tuple(tensors_of((args, *kwargs.values())))
    device = tensors[0].device.type if tensors else "cpu"
    dtype = tensors[0].dtype if tensors else torch.float32
    placed = found.in_place or kwargs.get("out") is not None
    casts = device in UNCAST and found.name not in UNCAST[device] and not placed
    cast = casts and torch.is_autocast_enabled(device)
    return Given(tensors, dtype, torch.get_autocast_dtype(device) if cast else None)


def tensors_of(values: Any) -> Iterator[Tensor]:
    """The tensors among ``values``, and in lists and tuples of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from tensors_of(value)


def misfit(name: str, values: Given, args: Any, kwargs: dict[str, Any]) -> str:
    """Why torch computes this call itself; empty where the simulation can."""
    for x in args:
        if hasattr(type(x), "__torch_function__") and not isinstance(x, Tensor):
            return f"an operand of its own kind, {type(x).__name__}"
    for x in values.tensors:
        reason = unlike(x)
        if reason:
            return reason
    floats = [x.dtype for x in values.tensors if x.is_floating_point() or name not in INDEXED]
    if values.tensors and values.dtype not in CARRIERS:
        return f"dtype {_word(values.dtype)}"
    if values.autocast is None and len(set(floats)) > 1:
        return "operands of several dtypes"
    if kwargs.get("sparse") or any(args[SPARSE[name] :][:1] if name in SPARSE else ()):
        return "sparse gradients"
    return ""


def unlike(x: Tensor) -> str:
    """Why a tensor is none that we compute with; empty where it is."""
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return "a torch.func transform"
    if forward_ad._current_level >= 0 and forward_ad.unpack_dual(x).tangent is not None:
        return "forward-mode differentiation"
    if type(x) not in PLAIN and not _plain_parameter(type(x)):
        return f"a tensor subclass, {type(x).__name__}"
    if x.is_nested or x.layout is not torch.strided:
        return "a nested tensor" if x.is_nested else f"layout {_word(x.layout)}"
    if x.device.type == "meta":
        return "meta tensors have no values"
    if x.is_complex() or x.is_quantized:
        return f"dtype {_word(x.dtype)}"
    return ""


def _plain_parameter(kind: type[Tensor]) -> bool:
    """Whether a class of parameters leaves all calls to torch, as `torch.nn.Parameter` does."""
    hooks = ("__torch_function__", "__torch_dispatch__")
    own = torch.nn.Parameter
    return issubclass(kind, own) and all(getattr(kind, h) is getattr(own, h) for h in hooks)


def _word(x: Any) -> str:
    return str(x).removeprefix("torch.")


def one_pass(what: str, grad: Tensor) -> None:
    """Refuse the gradients of several backward passes at once."""
    if torch._C._functorch.is_legacy_batchedtensor(grad):
        raise NotImplementedError(
            f"{what}: simulations take the gradients of one backward pass; write "
            "is_grads_batched=False (vectorize=False), and call it once for each"
        )
