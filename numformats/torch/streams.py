"""Streams of random bits for the modules of a model."""

from __future__ import annotations

import itertools
from hashlib import blake2b

import torch

from numformats.checks import integer
from numformats.random import Key
from numformats.torch.keys import key_tensor

COMPILED = "_orig_mod"  #: where torch.compile's wrapper holds a module
_unnamed = itertools.count()


def stream_of(stream: int | str | None) -> int:
    """The number of a stream: of a name its hash (the same everywhere), of None the next unused
    index in this process."""
    if stream is None:
        return next(_unnamed)
    if isinstance(stream, str):
        return int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "little")
    return stream


def counting_key(seed: int, stream: int | str | None) -> torch.Tensor:
    """The key of step 0: int64 (seed, stream, 0, step)."""
    integer("seed", seed, 0, (1 << 64) - 1)
    return key_tensor(Key(seed, stream_of(stream)), 0)


def reseed(model: torch.nn.Module, seed: int = 0) -> None:
    """Give every ``Quantizer`` in ``model`` this seed, its qualified name as stream, and step 0.

    Then a run is a function of the seed, however many models were made before it, compiled or not.

    Args:
        model: a module; its Quantizers without stochastic rounding have no key and are left.
        seed: 0 to 2**64 - 1.

    Example:
        >>> from numformats.torch import Quantizer
        >>> net = torch.nn.Sequential(Quantizer("e4m3", forward_rounding="stochastic"))
        >>> reseed(net, 7)
        >>> net[0].key[0].item(), net[0].key[3].item()
        (7, 0)
    """
    from numformats.torch.quantizer import Quantizer

    for name, module in model.named_modules():
        if isinstance(module, Quantizer) and module.key is not None:
            parts = (part for part in name.split(".") if part != COMPILED)
            module.key.copy_(counting_key(seed, ".".join(parts)))
