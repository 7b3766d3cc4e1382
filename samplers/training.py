"""A chain in memory: model, optimizer, cycles and data, and what one step does to them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection
from typing import Any

import torch

from numformats.checks import choice
from samplers.cycles import CosineCycles
from samplers.named import built, named
from samplers.precision import FULL
from samplers.shard import Sample
from samplers.spec import ChainSpec, precision_of
from samplers.streams import INITIAL, STEP, BatchOrder, generator_seed


class Training:
    """The state of a chain and its step; what `run_chain` saves and goes on from.

    Args:
        spec: of the chain.

    Raises:
        ValueError, TypeError: names that do not import, data that are none, options that the
            optimizer refuses.
    """

    def __init__(self, spec: ChainSpec) -> None:
        self.spec, self.done = spec, 0
        self.data = _data(spec)
        count = len(self.data[1]) if isinstance(self.data, tuple) else len(self.data)
        self.order = BatchOrder(
            count, spec.batch_size, seed=spec.seed, chain=spec.chain, replacement=spec.replacement
        )
        torch.manual_seed(generator_seed(spec.seed, spec.chain, INITIAL))
        self.model: torch.nn.Module = named(str(spec.model))(**spec.model_options).to(spec.device)
        self.loss = named(str(spec.loss))
        self.optimizer = self._optimizer(count)
        self.base = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule = None if spec.schedule is None else named(str(spec.schedule))
        self.cycles = (
            None
            if spec.cycles is None
            else CosineCycles(self.optimizer, spec.steps, spec.cycles, spec.exploration)
        )

    def _optimizer(self, count: int) -> torch.optim.Optimizer:
        spec = self.spec
        name = spec.optimizer if ":" in spec.optimizer else f"samplers:{spec.optimizer}"
        kind = named(name)
        known = inspect.signature(kind).parameters
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in known.values()):
            _check_takes(spec.optimizer, known)
            for option in spec.options:
                choice(f"option of {spec.optimizer}", option, known)
        needed = {"num_data": count} if "num_data" in known else {}
        optimizer: torch.optim.Optimizer = kind(
            self.model.named_parameters(),
            precision=precision_of(spec.precision),  # type: ignore[arg-type]
            seed=spec.seed,
            chain=spec.chain,
            **{**needed, **{option: built(value) for option, value in spec.options.items()}},
        )
        return optimizer

    def step(self) -> bool:
        """One step; whether its sample is kept.

        Raises:
            ValueError: a loss that is no finite number.
        """
        torch.manual_seed(generator_seed(self.spec.seed, self.spec.chain, STEP, self.done))
        self._follow_schedule()
        self.optimizer.zero_grad()
        self._loss().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        kept = self._keeps()
        if self.cycles is not None:
            self.cycles.step()
        return kept

    def sample(self) -> Sample:
        """Parameters and buffers, as copies; extra state of modules that is no tensor stays out."""
        held = self.model.state_dict().items()
        return {name: t.detach().cpu().clone() for name, t in held if isinstance(t, torch.Tensor)}

    def formats(self) -> dict[str, Any]:
        """The weight format of each parameter that has one, by name."""
        precision = precision_of(self.spec.precision) or FULL  # type: ignore[arg-type]
        own = {
            name: precision.for_parameter(index, name, param).weight
            for index, (name, param) in enumerate(self.model.named_parameters())
        }
        return {name: fmt for name, fmt in own.items() if fmt is not None}

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on."""
        model, buffers = self.model.state_dict(), self.model.named_buffers(remove_duplicate=False)
        return {
            "done": self.done,
            "cycles": None if self.cycles is None else self.cycles.state_dict(),
            "model": model,
            "unlisted": {name: held for name, held in buffers if name not in model},
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.done = state["done"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.model.load_state_dict(state["model"])
        for name, held in state["unlisted"].items():  # buffers that are not persistent
            place, _, last = name.rpartition(".")
            setattr(self.model.get_submodule(place), last, held)
        if self.cycles is not None:
            self.cycles.load_state_dict(state["cycles"])

    def _loss(self) -> torch.Tensor:
        inputs, targets = self._batch()
        loss: torch.Tensor = self.loss(self.model(inputs), targets)
        if loss.dim():
            raise ValueError(
                f"loss={self.spec.loss!r} gave shape {tuple(loss.shape)}; return the mean over the "
                "batch, one number"
            )
        if not math.isfinite(loss.item()):
            raise ValueError(
                f"chain {self.spec.chain} of {self.spec.folder!r}: the loss of step "
                f"{self.done + 1} is {loss.item()}; it goes on from its last checkpoint, but "
                f"needs a smaller step size than lr={self.spec.options['lr']}, in another folder"
            )
        return loss

    def _follow_schedule(self) -> None:
        if self.schedule is None:
            return
        factor = self.schedule(self.done, self.spec.steps)
        for group, lr in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = lr * factor

    def _keeps(self) -> bool:
        spec = self.spec
        if self.done <= spec.burn_in:
            return False
        if self.cycles is None:
            return (self.done - spec.burn_in) % spec.thinning == 0
        left = self.cycles.length - 1 - self.cycles.position
        return self.cycles.sampling and left % spec.thinning == 0

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        index = self.order(self.done)
        if isinstance(self.data, tuple):
            index = index.to(self.spec.device)
            return self.data[0][index], self.data[1][index]
        inputs, targets = self.data[index]
        return inputs.to(self.spec.device), targets.to(self.spec.device)


def _check_takes(optimizer: str, known: Collection[str]) -> None:
    lacking = [name for name in ("precision", "seed", "chain") if name not in known]
    if lacking:
        raise ValueError(
            f"optimizer={optimizer!r} takes no {', '.join(lacking)}, which a chain gives it; write "
            "a sampler of samplers, for example 'SGLD' (without noise 'SGDLP'), or a class of your "
            "own that takes them"
        )


def _data(spec: ChainSpec) -> Any:
    data = named(str(spec.data))(**spec.data_options)
    if not isinstance(data, tuple | list):
        if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise ValueError(
                f"data={spec.data!r} gave a {type(data).__name__}; return (inputs, targets), or an "
                "object with len() that gives a batch for a tensor of indices"
            )
        return data
    lengths = {len(p) if isinstance(p, torch.Tensor) and p.dim() else None for p in data}
    if len(data) != 2 or len(lengths) != 1 or None in lengths:
        kinds = [tuple(getattr(part, "shape", ())) or type(part).__name__ for part in data]
        raise ValueError(
            f"data={spec.data!r} gave {len(data)} parts, {kinds}; return two tensors, inputs and "
            "targets, of equal length (torch.from_numpy for arrays)"
        )
    return tuple(part.to(spec.device) for part in data)
