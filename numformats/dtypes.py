"""Data types of NumPy, ml_dtypes and torch that are formats, recognised by name.

No library is imported: a data type says itself where it comes from.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np

from numformats.formats import Format

PAIRED = "float4_e2m1fn_x2"  #: torch's two codes a byte, the first in the low half

NAMES: dict[str, str] = {
    "float64": "fp64",
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
    "float8_e5m2": "e5m2",
    "float8_e4m3fn": "e4m3",
    "float8_e4m3": "e4m3_ieee",
    "float8_e3m4": "e3m4",
    "float8_e5m2fnuz": "e5m2fnuz",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e4m3b11fnuz": "e4m3b11fnuz",
    "float8_e8m0fnu": "e8m0",
    "float6_e3m2fn": "e3m2",
    "float6_e2m3fn": "e2m3",
    "float4_e2m1fn": "e2m1",
    PAIRED: "e2m1",
}
"""Data types by name, and the named format whose codes and values they hold."""


class TorchDtype(Protocol):
    """What of a ``torch.dtype`` is used here, for type checkers that do not see torch."""

    @property
    def is_floating_point(self) -> bool:
        """Whether it holds reals."""

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""


FormatLike: TypeAlias = Format | str | np.dtype[Any] | type[np.generic] | TorchDtype
"""What stands for a format: itself, its name, or a data type that holds its codes."""


def dtype_name(value: Any) -> str | None:
    """The name of a NumPy or torch data type; None of anything else.

    Example:
        >>> dtype_name(np.float16), dtype_name(np.dtype("float32")), dtype_name("e4m3")
        ('float16', 'float32', None)
    """
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, type):
        return np.dtype(value).name if issubclass(value, np.generic) else None
    kind = type(value)
    if (kind.__module__, kind.__name__) == ("torch", "dtype"):
        return str(value).removeprefix("torch.")
    return None
