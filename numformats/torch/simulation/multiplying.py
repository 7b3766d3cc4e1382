"""One matrix product, on the engine or by torch, of operands as they are stored."""

from typing import Any, NamedTuple

import numpy as np
import torch

from numformats.accelerators.products import Call, multiply_stored
from numformats.accelerators.storing import Stored
from numformats.accelerators.storing import store as store_along_k
from numformats.arrays import host
from numformats.random import Key
from numformats.torch.simulation.abilities import unit_for
from numformats.torch.simulation.on_device import elsewhere, multiply_there, serves
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.storing import Elements, decoded, store, working

Tensor = torch.Tensor


class Operand(NamedTuple):
    """A matrix (..., rows, columns) in a role.

    Where ``stored``, the tensor holds elements to be multiplied as they are, and ``scale`` (0-d or
    None) is theirs; otherwise numbers, which every product stores along its own K.
    """

    tensor: Tensor
    role: str
    dtype: torch.dtype
    stored: bool = False
    scale: Tensor | None = None

    @property
    def mT(self) -> "Operand":  # noqa: N802 (as torch calls it)
        """Transposed."""
        return self._replace(tensor=self.tensor.mT)

    def shaped(self, tensor: Tensor) -> "Operand":
        """The same elements in another shape."""
        return self._replace(tensor=tensor)


def multiply(
    site: Site,
    a: Operand,
    b: Operand,
    key: Key | None,
    direction: str,
    c: Tensor | None = None,
    turned: bool = False,
) -> Tensor:
    """(..., M, K) times (..., N, K) transposed, plus c; ``turned`` asks for rows along memory."""
    roles = (a.role, b.role)
    double = torch.float64 in (a.tensor.dtype, b.tensor.dtype)
    unit = unit_for(site.chip, roles, double) if site.exact else ""
    reason = unit if isinstance(unit, str) else ""
    site.note(direction, roles, (a.tensor.shape, b.tensor.mT.shape), reason)
    if not isinstance(unit, str):
        return _exact(*unit, a, b, c, key)
    return single(in_torch(site, a, key, 0), in_torch(site, b, key, 1), c, turned)


def _exact(
    chip: Any, roles: tuple[str, str], a: Operand, b: Operand, c: Tensor | None, key: Key | None
) -> Tensor:
    """On the engine, where the operands lie, or else in host memory."""
    call, place = Call(key, "auto"), a.tensor.device
    if elsewhere(a.tensor) and a.stored and b.stored and serves(chip, roles):
        elements = Elements(a.tensor, a.scale), Elements(b.tensor, b.scale)
        return multiply_there(chip, *elements, roles, c, call)
    left, right = (_for_engine(chip, x, roles[n], key, n) for n, x in enumerate((a, b)))
    start = None if c is None else np.atleast_2d(_view(c))
    found = multiply_stored(chip, left, right, start, roles, None, call)
    return working(torch.from_numpy(found)).to(place)


def _for_engine(chip: Any, x: Operand, role: str, key: Key | None, number: int) -> Stored:
    if x.stored:
        scale = None if x.scale is None else _view(x.scale.reshape((1,) * x.tensor.ndim))
        return Stored(_view(x.tensor), scale)
    numbers = _view(working(x.tensor))
    return store_along_k(chip, numbers, role, key and key.fold(number), "auto")


def _view(x: Tensor) -> Any:
    """``x`` in host memory, as NumPy sees it."""
    return host(x.cpu(), "x").view


def in_torch(site: Site, x: Operand, key: Key | None, number: int) -> Elements:
    """``x`` as it is stored for one product, along the last axis; blocks and rows without scale."""
    if x.stored:
        return Elements(x.tensor, x.scale)
    elements = store(site.chip, x.tensor, x.role, key and key.fold(number))
    return Elements(decoded(elements), None)


def single(a: Elements, b: Elements, c: Tensor | None, turned: bool) -> Tensor:
    """torch's own product in float32 (float64); scales go to the smaller operand."""
    x, y = a.values, b.values.mT
    factor = combined(a.scale, b.scale)
    if factor is not None:
        x, y = (x * factor, y) if x.numel() < y.numel() else (x, y * factor)
    if turned:
        return torch.matmul(y.mT, x.mT).mT
    if c is not None and x.ndim == y.ndim == 2:
        return torch.addmm(c, x, y)
    result = torch.matmul(x, y)
    return result if c is None else result + c


def combined(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of two scales, where there are any."""
    if a is None or b is None:
        return a if b is None else b
    return a * b
