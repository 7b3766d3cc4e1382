"""The ``forward`` of a model that carries its simulation."""

import inspect
from typing import Any

import torch
from torch import nn


class Simulated:
    """``forward`` under a simulation; it ends with the call, also by ``KeyboardInterrupt``, for
    which torch calls no hooks."""

    def __init__(self, simulation: Any, model: nn.Module) -> None:
        self.simulation, self.model = simulation, model
        self.inner = vars(model).get("forward")  # where someone else put one on the instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The model's own, simulated.

        Raises:
            RuntimeError: under ``torch.export`` or ``torch.jit.trace``.
        """
        if torch.compiler.is_dynamo_compiling():
            torch._dynamo.graph_break()  # simulated models run eagerly
        if torch.compiler.is_compiling() or torch._C._is_tracing():
            raise RuntimeError(
                "a simulated model cannot be exported or traced: only kernels of torch can; "
                "write model.simulation.remove() first, or use Quantizer"
            )
        with self.simulation.during(self.model):
            return self.forward(*args, **kwargs)

    @property
    def forward(self) -> Any:
        """What is simulated."""
        return self.inner or type(self.model).forward.__get__(self.model)

    @property
    def __code__(self) -> Any:
        """Where it is written, which torch.export asks."""
        return self.forward.__code__

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.forward)
