"""What all engines share: formats of operands, accumulator and result, and how they are checked."""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from numformats.engines.job import Job
from numformats.formats import FixedPoint, Float
from numformats.naming import parse

AsFloat: TypeAlias = Any  #: a Float or its name; engines keep the Float
AsFormat: TypeAlias = Any  #: a Float, a FixedPoint, or a name
FP64, FP32, FP16 = (Float(e, m, overflow="infinity") for e, m in ((11, 52), (8, 23), (5, 10)))
NAN32 = 0x7FFFFFFFE0000000  #: the float64 pattern of float32's 0x7FFFFFFF and float16's 0x7FFF


@dataclass(frozen=True)
class Engine:
    """How a matrix unit forms ``d = c + sum_k a_k b_k``; see the subclasses.

    Engines are plain data: equal fields mean equal results. ``nf.matmul`` runs them.
    """

    scaled: ClassVar[bool] = False  #: whether the unit takes scales of blocks along K
    keyed: ClassVar[bool] = False  #: whether results depend on a random key
    host_only: ClassVar[bool] = False  #: whether operands are read in host memory alone

    @property
    def inputs(self) -> tuple[FixedPoint | Float, FixedPoint | Float]:
        """The formats of a and b."""
        return self.a_format, self.b_format  # type: ignore[attr-defined]

    @property
    def c_values(self) -> FixedPoint | Float:
        """The format of c."""
        return self.results

    @property
    def results(self) -> FixedPoint | Float:
        """The format of the results."""
        fmt: FixedPoint | Float = self.output  # type: ignore[attr-defined]
        return fmt

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        raise NotImplementedError


def as_format(name: str, value: Any, kinds: tuple[type, ...] = (Float,)) -> Any:
    """``value``, a format or its name, as one of ``kinds``.

    Raises:
        TypeError: a format of another kind, or no format.
        ValueError: an unknown name.
    """
    try:
        fmt = parse(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    if not isinstance(fmt, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name}={str(fmt)!r} is a {type(fmt).__name__}; give a {wanted}")
    return fmt


def set_formats(engine: Any, names: tuple[str, ...], kinds: tuple[type, ...] = (Float,)) -> None:
    """Replace the named fields of a frozen engine, formats or their names, by formats."""
    for name in names:
        object.__setattr__(engine, name, as_format(name, getattr(engine, name), kinds))


def check_factor(name: str, fmt: Float) -> None:
    """``fmt`` is a format whose values split into a significand and an exponent."""
    if not (fmt.signed and fmt.subnormals and fmt.zero):
        raise ValueError(
            f"{name}={str(fmt)!r}: factors of a fused dot product are signed floats with "
            "subnormals and zero; write for example 'e4m3' or 'fp16'"
        )
    if fmt.emax > 255 or fmt.low_exponent < -300:
        raise ValueError(
            f"{name}={str(fmt)!r} spans 2**{fmt.low_exponent} to 2**{fmt.emax}; factors of a fused "
            "dot product stay within 2**-300 and 2**255: use FMAChain or MACChain"
        )
