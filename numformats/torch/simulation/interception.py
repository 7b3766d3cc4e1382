"""The mode under which torch's functions are replaced."""

from contextlib import nullcontext
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from numformats.accelerators import Accelerator
from numformats.accelerators.accelerator import ROLES
from numformats.torch.simulation import (
    attention,
    convolutions,
    einsum,
    elementwise,
    lookups,
    matrices,
    recurrent,
)
from numformats.torch.simulation.arguments import without_gradients
from numformats.torch.simulation.audit import Audit
from numformats.torch.simulation.fitness import Given, given, misfit, tensors_of
from numformats.torch.simulation.handlers import COMPOSITE, HANDLERS, Handler, Target, body, target
from numformats.torch.simulation.hooks import executing
from numformats.torch.simulation.operands import as_view
from numformats.torch.simulation.places import Places, Site, draws, texts
from numformats.torch.simulation.report import LEFT, Row
from numformats.torch.simulation.run import Run
from numformats.torch.simulation.storing import keeps

FAMILIES = (attention, convolutions, einsum, lookups, matrices, recurrent)  # they register handlers
AGAIN = ("backward", "grad")  # where checkpoints are computed again
Tensor = torch.Tensor


class Interception(TorchFunctionMode):
    """Sends matrix products to the accelerator, and rounds element-wise results."""

    def __init__(self, run: Run, places: Places, audit: Audit, rounding: str) -> None:
        super().__init__()
        self.run, self.places, self.audit, self.rounding = run, places, audit, rounding
        self.elementwise = places.rules.base.elementwise is not None
        self.step: FrameType | None = None  # of an optimizer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called for every function of torch."""
        result = self._called(func, args, kwargs or {})
        if torch.is_inference_mode_enabled() and not self.run.depth:
            return as_view(result, func, args)
        return result

    def _called(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        found = None if self.run.depth else target(func)
        if found is None or (found.name not in AGAIN and self.paused and not self.places.frames):
            return func(*args, **kwargs)
        python = body(func)
        if python is not None:
            with self:
                return python(*args, **kwargs)
        handler = HANDLERS.get(found.name)
        if handler is not None:
            return self._product(func, found, handler, args, kwargs)
        if self.elementwise and found.name in elementwise.NAMES:
            return self._elementwise(func, found, args, kwargs)
        if self.elementwise and found.name in elementwise.REDUCTIONS:
            return self._left(func(*args, **kwargs), found.name, "a reduction")
        return func(*args, **kwargs)

    @property
    def paused(self) -> bool:
        """Whether an optimizer makes its step."""
        if self.step is not None and not executing(self.step):
            self.step = None
        return self.step is not None

    def _left(self, result: Any, name: str, reason: str) -> Any:
        """Count a result that is not rounded."""
        parts = result if isinstance(result, tuple) else (result,)
        if any(elementwise.obstacle(x) is not None for x in parts):
            path = self.places.current[0]
            self.run.report.add(Row(name, path, "forward", status=LEFT, reason=reason))
        return result

    def _product(
        self, func: Any, found: Target, handler: Handler, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if torch._C._is_tracing():
            raise RuntimeError("a simulation cannot be traced; call torch.jit.trace outside of it")
        path, policy = self.places.current
        values = given(found, args, kwargs)
        sizes = tuple(tuple(x.shape) for x in values.tensors[:2])
        row = Row(found.name, path, "forward", shapes=sizes, status=LEFT)
        reason = "a rule" if policy.chip is None else misfit(found.name, values, args, kwargs)
        if policy.chip is None or reason:
            return self.audit.native(lambda: func(*args, **kwargs), row._replace(reason=reason))
        seen = policy.elementwise is not None and found.name in COMPOSITE
        if not self.run.exact and not seen and identical(policy.chip, values):
            formats, engine = texts(policy.chip, ("activations", "weights"), False)
            plain = Row(found.name, path, "forward", "", sizes, formats, engine)
            return self.audit.native(lambda: func(*args, **kwargs), plain)
        site = self._site(found, path, policy.chip, values)
        return self._simulated(found, site, handler, args, kwargs)

    def _site(self, found: Target, path: str, chip: Accelerator, values: Given) -> Site:
        key = self.run.key(path, found.name) if draws(chip) else None
        site = Site(self.run, found.name, path, chip, values.autocast, key)
        site.composite = self
        site.in_place = found.in_place
        return site

    def _simulated(
        self, found: Target, site: Site, handler: Handler, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        out = args[0] if site.in_place else kwargs.pop("out", None)
        if out is not None and not site.in_place:
            without_gradients(site.op, (out, *tensors_of((*args, *kwargs.values()))))
        seen = found.name in COMPOSITE  # calls inside that the audit is to see
        with nullcontext() if seen else torch._C._DisableTorchDispatch():
            result = handler(site, *args, **kwargs)
            if isinstance(result, Tensor) and not found.name.startswith("conv"):
                result = result.contiguous()
        if out is None:
            return result
        if out.dtype != result.dtype:
            raise TypeError(f"{site.op}: out is {out.dtype}, and the result {result.dtype}")
        if not site.in_place:
            out.resize_(result.shape)
        return out.copy_(result)

    def _elementwise(self, func: Any, found: Target, args: Any, kwargs: dict[str, Any]) -> Any:
        path, policy = self.places.current
        fmt = policy.elementwise
        if fmt is None:
            return self._left(func(*args, **kwargs), found.name, "a rule")
        if found.in_place and args and elementwise.obstacle(args[0]) == "":
            copy = args[0].clone()
            func(copy, *args[1:], **kwargs)
            return args[0].copy_(self._rounded(copy, found.name, path, fmt))
        result = func(*args, **kwargs)
        reason = elementwise.obstacle(result)
        if reason is None or reason:
            return self._left(result, found.name, reason or "")
        if kwargs.get("out") is not None:
            return result.copy_(self._rounded(result, found.name, path, fmt))
        return self._rounded(result, found.name, path, fmt)

    def _rounded(self, x: Tensor, name: str, path: str, fmt: Any) -> Tensor:
        key = self.run.key(path, name) if elementwise.draws(self.rounding) else None
        self.run.report.add(Row(name, path, "forward", formats=str(fmt)))
        result: Tensor = elementwise.Rounded.apply(x, fmt, self.rounding, key)
        return result


def identical(chip: Accelerator, values: Given) -> bool:
    """Whether storing changes nothing, so that torch's own function is the simulation."""
    return all(keeps(chip, role, values.dtype) for role in ROLES)
