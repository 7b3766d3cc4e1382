"""Embeddings: rows of stored weights. Nothing is multiplied; gathers are counted."""

from typing import Any

import torch

from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.operands import Gather
from numformats.torch.simulation.places import Site

Tensor = torch.Tensor


@intercepts("embedding")
def embedding(
    site: Site,
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of the table as it is stored."""
    table = stored_table(site, weight, indices)
    with site.inside():
        return torch.embedding(table, indices, padding_idx, scale_grad_by_freq, sparse)


@intercepts("embedding_bag")
def embedding_bag(site: Site, weight: Tensor, indices: Tensor, *args: Any, **more: Any) -> Any:
    """Sums, means or maxima of rows of the table as it is stored, in torch's arithmetic."""
    table = stored_table(site, weight, indices)
    with site.inside():
        return torch.embedding_bag(table, indices, *args, **more)


def stored_table(site: Site, weight: Tensor, indices: Tensor) -> Tensor:
    """The numbers that the table holds; blocks run along rows."""
    site.note("forward", ("weights",), (weight.shape, indices.shape))
    table: Tensor = Gather.apply(weight, site.chip, site.part(0), site.part(5))
    return table
