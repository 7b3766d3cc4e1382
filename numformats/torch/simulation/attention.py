"""Scaled dot-product attention as its two products."""

from math import sqrt

import torch

from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.operands import operand, role_of
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import product

Tensor = torch.Tensor


@intercepts("scaled_dot_product_attention", composite=True)
def attention(
    site: Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(scale * q @ k.T + mask) @ v``; both products on the accelerator.

    Scores are scaled and masked in their own dtype; the probabilities are stored as activations.
    """
    if is_causal and attn_mask is not None:
        raise ValueError("attn_mask with is_causal=True; give one of them")
    if attn_mask is not None:
        check_mask(attn_mask, query, key)
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    first, second = site.again(), site.again()
    q, k = operand(first, query, role_of(query), 0), operand(first, key, role_of(key), 1)
    factor = 1 / sqrt(query.shape[-1]) if scale is None else scale
    with site.composite:
        scores = product(first, q, k.mT) * factor
        if is_causal:
            attn_mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
        shares = scores.softmax(-1) if attn_mask is None else masked(scores, attn_mask)
        shares = torch.nn.functional.dropout(shares, dropout_p, dropout_p > 0)
    p, v = operand(second, shares, "activations", 0), operand(second, value, role_of(value), 1)
    return product(second, p, v)


def check_mask(mask: Tensor, query: Tensor, key: Tensor) -> None:
    """Masks are Boolean or added, and go to the scores.

    Raises:
        TypeError, ValueError: another dtype; a shape that does not broadcast to that of scores.
    """
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise TypeError(f"attn_mask has dtype {mask.dtype}; write attn_mask.bool()")
    scores = (*query.shape[:-1], key.shape[-2])
    sizes = list(zip(mask.shape[::-1], scores[::-1], strict=False))
    if not 2 <= mask.ndim <= len(scores) or any(m not in (1, n) for m, n in sizes):
        raise ValueError(f"attn_mask has shape {tuple(mask.shape)}, and scores have {scores}")


def masked(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax of masked scores; rows in which nothing is left are 0, as torch has them."""
    boolean = mask.dtype == torch.bool
    scores = scores.masked_fill(~mask, -torch.inf) if boolean else scores + mask
    nothing = (scores == -torch.inf).all(-1, keepdim=True)
    return scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)
