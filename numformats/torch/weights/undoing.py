"""A change of a model that happens as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

PARTS = (
    "_parameters", "_modules", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
)  # fmt: skip


@contextmanager
def all_or_nothing(model: nn.Module) -> Iterator[None]:
    """Within the context parameters may be parametrized, and submodules and hooks be added; where
    it ends in an exception, all modules of ``model`` are as they were."""
    known = list(model.modules())
    before = [(m, type(m), {name: dict(vars(m)[name]) for name in PARTS}) for m in known]
    flags = [(p, p.requires_grad) for m in known for p in m.parameters(recurse=False)]
    try:
        yield
    except BaseException:
        for module, kind, parts in before:
            _restore(module, kind, parts)
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        raise


def _restore(module: nn.Module, kind: type, parts: dict[str, dict[str, object]]) -> None:
    module.__class__ = kind
    for name, kept in parts.items():
        now = vars(module)[name]
        now.clear()
        now.update(kept)
    for name in parts["_parameters"]:
        if isinstance(vars(kind).get(name), property):  # of a class that was parametrized before
            delattr(kind, name)
