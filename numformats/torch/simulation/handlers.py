"""Which functions of torch are intercepted: a registry of handlers by name."""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)
HANDLERS: dict[str, Handler] = {}
COMPOSITE: set[str] = set()
OWNERS = (
    "torch", "torch._C._nn", "torch._C._linalg", "torch._C._special",
    "torch._C._VariableFunctions", "torch._tensor", "torch.nn.functional", "torch.functional",
    "torch._VF", "torch.autograd",
)  # fmt: skip
PYTHON = ("torch.nn.functional", "torch.functional")
BACKWARD = (  # forwards may be computed again there
    ("torch._tensor", "backward"), ("torch.autograd", "backward"), ("torch.autograd", "grad"),
)  # fmt: skip
ASKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


def intercepts(*names: str, composite: bool = False) -> Callable[[H], H]:
    """Register a handler: it takes a ``Site`` and the arguments of the functions ``names``.

    ``composite``: there are element-wise operations inside.
    """

    def register(handler: H) -> H:
        HANDLERS.update(dict.fromkeys(names, handler))
        if composite:
            COMPOSITE.update(names)
        return handler

    return register


class Target(NamedTuple):
    """A function of torch: its plain name, and whether it writes into its first argument."""

    name: str
    in_place: bool


@cache
def target(func: Any) -> Target | None:
    """``func`` by its name, if it is one of torch's own."""
    name = getattr(func, "__name__", "")
    owner = getattr(func, "__module__", None) or getattr(
        getattr(func, "__objclass__", None), "__name__", None
    )
    if owner not in (*OWNERS, "TensorBase", "Tensor"):
        return None
    if name.startswith("__"):
        in_place = name.startswith("__i") and name not in ("__invert__", "__index__", "__int__")
        return Target(name, in_place)
    return Target(name.rstrip("_"), name.endswith("_"))


def never(*_: Any, **__: Any) -> bool:
    """In the place of ``has_torch_function``."""
    return False


@cache
def body(func: Any) -> Any:
    """A Python function of torch that does not hand itself over, so that what it calls is seen."""
    python = isinstance(func, FunctionType) and (
        func.__module__ in PYTHON
        or func.__name__.startswith("__r")
        or (func.__module__, func.__name__) in BACKWARD
    )
    if not python or not set(ASKS) & {*func.__code__.co_names, *_inner_names(func)}:
        return None
    spaces = {**func.__globals__, **dict.fromkeys(ASKS, never)}
    made = FunctionType(func.__code__, spaces, func.__name__, func.__defaults__, func.__closure__)
    made.__kwdefaults__ = func.__kwdefaults__
    return made


def _inner_names(func: Any) -> tuple[str, ...]:
    return tuple(n for c in func.__code__.co_consts if hasattr(c, "co_names") for n in c.co_names)
