"""Functions of microxcaling written out in bfloat16 steps: torch's own cast after each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Result = tuple[Tensor, ...]


def q(x: Tensor) -> Tensor:
    """Rounded to bfloat16, ties to even."""
    return x.bfloat16().float()


def sigmoid(x: Tensor, e: Tensor) -> Result:
    """y = 1 / (1 + e^-x); dx = y (1 - y) e."""
    y = q(1 / q(q(torch.exp(-q(x))) + 1))
    return y, q(q(y * q(1 - y)) * q(e))


def tanh(x: Tensor, e: Tensor) -> Result:
    """dx = (1 - y y) e."""
    y = q(torch.tanh(q(x)))
    return y, q(q(1 - q(y * y)) * q(e))


def relu(x: Tensor, e: Tensor) -> Result:
    """dx = e where y > 0."""
    y = q(torch.relu(x))
    return y, q(torch.where(y > 0, e, 0 * e))


def relu6(x: Tensor, e: Tensor) -> Result:
    """dx = e where 0 < y < 6."""
    y = q(x.clamp(0, 6))
    return y, q(torch.where((y > 0) & (y < 6), e, 0 * e))


def leaky_relu(x: Tensor, e: Tensor) -> Result:
    """With a slope of 0.01 below 0."""
    y = q(torch.where(q(x) > 0, q(x), 0.01 * q(x)))
    return y, torch.where(y > 0, q(e), q(q(e) * 0.01))


def silu(x: Tensor, e: Tensor) -> Result:
    """dx = (s + y (1 - s)) e, s the sigmoid."""
    s = q(1 / q(q(torch.exp(-q(x))) + 1))
    y = q(q(x) * s)
    return y, q(q(s + q(y * q(1 - s))) * q(e))


def gelu(x: Tensor, e: Tensor) -> Result:
    """x sigmoid(1.59375 (x + 0.044677734 x^3)), and its slope with 0.21386719 x^2."""
    x, e = q(x), q(e)
    inner = q(1.59375 * q(q(0.044677734 * q(q(x * x) * x)) + x))
    phi = q(1 / q(q(torch.exp(-inner)) + 1))
    slope = q(q(1.59375 + q(0.21386719 * q(x * x))) * q(phi * q(1 - phi)))
    return q(x * phi), q(q(phi + q(x * slope)) * e)


def gelu_first(x: Tensor, e: Tensor) -> Result:
    """x sigmoid(1.703125 x)."""
    x, e = q(x), q(e)
    phi = q(1 / q(q(torch.exp(-q(1.703125 * x))) + 1))
    slope = q(1.703125 * q(phi * q(1 - phi)))
    return q(x * phi), q(q(phi + q(x * slope)) * e)


def softmax(x: Tensor, e: Tensor) -> Result:
    """dx = y (e - sum e y), along the last axis."""
    x, e = q(x), q(e)
    powers = q(torch.exp(q(x - x.max(-1, keepdim=True)[0])))
    y = q(powers / q(powers.sum(-1, keepdim=True)))
    return y, q(y * q(e - q(q(e * y).sum(-1, keepdim=True))))


def softmax_exp2(x: Tensor, e: Tensor) -> Result:
    """With 2^x and reciprocals; the gradient times 0.69140625."""
    x, e = q(x), q(e)
    powers = q(torch.exp2(q(x - x.max(-1, keepdim=True)[0])))
    y = q(powers * q(1 / q(powers.sum(-1, keepdim=True))))
    return y, q(q(y * q(e - q(q(e * y).sum(-1, keepdim=True)))) * 0.69140625)


def exp2_sigmoid(x: Tensor, e: Tensor) -> Result:
    """e^-x as 2^(-1.4453125 x)."""
    y = q(1 / q(q(torch.exp2(q(1.4453125 * -q(x)))) + 1))
    return y, q(q(y * q(1 - y)) * q(e))


def layer_norm(x: Tensor, w: Tensor, b: Tensor, e: Tensor) -> Result:
    """Over the last axis; y, dx, dw, db."""
    x, w, b, e, n = q(x), q(w), q(b), q(e), x.shape[-1]
    shift = q(x - q(q(x.sum(-1, keepdim=True)) / n))
    above = q(q(q(q(shift * shift).sum(-1, keepdim=True)) / n) + 1e-12)
    norm = q(shift * q(1 / q(above.sqrt())))
    lead = list(range(x.ndim - 1))
    d, root = q(e * w), q(above.sqrt())
    t = q(q(q(q(d * norm) * root).sum(-1, keepdim=True)) / n)
    dx = q(q(d * q(1 / root)) + q(-q(t * q(1 / above)) * norm))
    dx = q(dx - q(q(dx.sum(-1, keepdim=True)) / n))
    return q(q(w * norm) + b), dx, q(q(e * norm).sum(lead)), q(e.sum(lead))


def rms_norm(x: Tensor, w: Tensor, b: Tensor, e: Tensor) -> Result:
    """Over the last axis; y, dx, dw, db."""
    x, w, b, e, n = q(x), q(w), q(b), q(e), x.shape[-1]
    inverse = q(1 / q(q(q(q(q(x * x).sum(-1, keepdim=True)) / n) + 1e-12).sqrt()))
    norm = q(x * inverse)
    d = q(q(e * w) * inverse)
    dx = q(d - q(norm * q(q(q(d * norm).sum(-1, keepdim=True)) / n)))
    lead = list(range(x.ndim - 1))
    return q(q(w * norm) + b), dx, q(q(e * norm).sum(lead)), q(e.sum(lead))


def spread(x: Tensor, w: Tensor, b: Tensor, e: Tensor, groups: int) -> Result:
    """Group normalisation, (N, C, L); with 0 groups batch normalisation; y, dx, dw, db."""
    x, e, w, b = q(x), q(e), q(w)[:, None], q(b)[:, None]
    shape = (x.shape[0], groups, -1, x.shape[2]) if groups else x.shape
    axes = [2, 3] if groups else [0, 2]

    def mean(t: Tensor) -> Tensor:
        count = t.numel() // (t.shape[0] * groups if groups else t.shape[1])
        return q(q(t.sum(axes, keepdim=True)) / count)

    z = x.reshape(shape)
    shift = q(z - mean(z))
    inverse = q(1 / q(q(mean(q(shift * shift)) + 1e-5).sqrt()))
    norm = q(shift * inverse).reshape(x.shape)
    d = q(e * w).reshape(shape)
    direct = q(d * inverse)
    t = q(q(mean(q(d * shift)) * q(inverse * inverse)) * inverse)
    dx = q(q(direct + q(-t * shift)) + mean(-direct)).reshape(x.shape)
    return q(q(w * norm) + b), dx, q(q(e * norm).sum([0, 2])), q(e.sum([0, 2]))


ACTIVATIONS: dict[str, tuple[Callable[..., Result], dict[str, Any], dict[str, Any]]] = {
    "sigmoid": (sigmoid, {}, {}),
    "sigmoid, exp2": (exp2_sigmoid, {}, {"vec_use_exp2": True}),
    "tanh": (tanh, {}, {}),
    "relu": (relu, {}, {}),
    "relu6": (relu6, {}, {}),
    "leaky_relu": (leaky_relu, {}, {}),
    "silu": (silu, {}, {}),
    "gelu": (gelu, {}, {}),
    "gelu, first": (gelu_first, {"first_order_gelu": True}, {}),
    "softmax": (softmax, {}, {}),
    "softmax, exp2": (softmax_exp2, {}, {"softmax_exp2": True, "vec_use_recip": True}),
}
"""Name, steps, keywords of the call, more keys of the specification."""
