"""Chains of multiply-adds that accumulate in any format with any rounding."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numformats.backends.chain_task import ChainTask, Step
from numformats.checks import choice, integer
from numformats.core.threefry import threefry
from numformats.engines.engine import AsFormat, Engine, set_formats
from numformats.engines.job import Job
from numformats.engines.steps import step_to
from numformats.formats import FixedPoint, Float
from numformats.lanes import LANE64
from numformats.random import Key
from numformats.request import request
from numformats.rounding import find

ANY = (Float, FixedPoint)
EXACT_BITS = 53  # significand bits of the float64 that holds a product
NO_KEYS = np.zeros((1, 2), np.uint32)
RANGE = 400  # exponents within which float64 sums and their errors are exact


@dataclass(frozen=True)
class MACChain(Engine):
    """Multiply-accumulate with an accumulator of any format, rounded in any mode at every step.

    Sequential: ``d = R(d + a_k b_k)`` for ascending k, from ``d = c``. With ``chunk``, every
    ``chunk`` products are accumulated from 0 that way, and ``d = R_outer(d + partial)``. Pairwise:
    the products of a chunk (all of K without ``chunk``), filled up with +0 to a power of two, are
    added by a binary tree of ``R(x + y)``. Sums are exact before they are rounded, and products
    too, unless ``product`` names a format that they are rounded to first.

    Args:
        a_format: format of a, or its name; b_format: of b. Any float or fixed point whose products
            have at most 53 bits.
        accumulator: format of the accumulator; its ``overflow`` decides beyond its range.
        rounding: mode of the accumulator.
        product: format of products; None: fused.
        product_rounding: mode of products.
        chunk: products a chunk; pairwise chunks are powers of two.
        outer: format of d where there are chunks; by default ``accumulator``.
        outer_rounding: its mode; by default ``rounding``.
        order: ``"sequential"`` or ``"pairwise"``.
        random_bits: N of the N-bit stochastic modes.

    Stochastic modes draw as ``nf.quantize`` does in float64: the rounding number t of a result (all
    roundings counted, in order) uses ``key.fold(t)`` at the result's flat index. A sum with more
    than 53 bits is rounded to odd at 53 bits before it is rounded: no other mode can tell, and
    stochastic ones see a fraction cut there. An exact zero sum is +0 unless both terms are -0. NaN
    is the positive quiet NaN. Promise: exact in that sense, so bit-identical across backends.

    Raises:
        TypeError, ValueError: formats whose products or sums float64 cannot hold, unknown names.

    Example:
        >>> engine = MACChain("e4m3", "e4m3", accumulator="fp16", rounding="stochastic")

    Reference: Wang et al., "Training deep neural networks with 8-bit floating point numbers", 2018
    (chunked accumulation); Boldo and Melquiond 2008 (rounding to odd).
    """

    a_format: AsFormat
    b_format: AsFormat
    accumulator: AsFormat = field(kw_only=True)
    rounding: str = field(default="nearest_even", kw_only=True)
    product: AsFormat = field(default=None, kw_only=True)
    product_rounding: str = field(default="nearest_even", kw_only=True)
    chunk: int | None = field(default=None, kw_only=True)
    outer: AsFormat = field(default=None, kw_only=True)
    outer_rounding: str | None = field(default=None, kw_only=True)
    order: str = field(default="sequential", kw_only=True)
    random_bits: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format", "accumulator"), ANY)
        choice("order", self.order, ("sequential", "pairwise"))
        given = [name for name in ("product", "outer") if getattr(self, name) is not None]
        set_formats(self, tuple(given), ANY)
        self._check_chunks()
        for name in ("a_format", "b_format", "accumulator", "product", "outer"):
            fmt = getattr(self, name)
            if fmt is not None:
                check_range(name, fmt)
        bits = precision(self.a_format) + precision(self.b_format)
        if bits > EXACT_BITS:
            raise ValueError(
                f"products of {self.a_format} and {self.b_format} have {bits} bits, more than the "
                f"{EXACT_BITS} that are kept exactly; use FMAChain('fp64')"
            )
        for option in ("rounding", "product_rounding", "outer_rounding"):
            if getattr(self, option) is not None:
                find(getattr(self, option), option)
        modes = {self.rounding, self.product_rounding, self.outer_rounding or self.rounding}
        for mode in modes:
            few = self.random_bits is not None and not any(find(m).few_bits for m in modes)
            request(mode, Key(0), self.random_bits if few else self._bits_for(mode), LANE64)

    def _check_chunks(self) -> None:
        if self.chunk is not None:
            integer("chunk", self.chunk, 1, 1 << 20)
            if self.order == "pairwise" and self.chunk & (self.chunk - 1):
                raise ValueError(f"chunk={self.chunk} with order='pairwise'; write a power of two")
        elif self.outer is not None or self.outer_rounding is not None:
            raise ValueError("outer and outer_rounding need chunks; write chunk=..., or leave them")

    def _bits_for(self, mode: str) -> int | None:
        return self.random_bits if find(mode).few_bits else None

    @property
    def keyed(self) -> bool:  # type: ignore[override]
        """Whether some rounding draws random bits."""
        modes = [self.rounding, self.outer_rounding or self.rounding]
        modes += [self.product_rounding] if self.product is not None else []
        return any(find(mode).stochastic for mode in modes)

    @property
    def c_values(self) -> Float | FixedPoint:
        """The format of c."""
        fmt: Float | FixedPoint = self.accumulator if self.outer is None else self.outer
        return fmt

    @property
    def results(self) -> Float | FixedPoint:
        """The format of the results."""
        return self.c_values

    def step(self, fmt: Float | FixedPoint, mode: str) -> Step:
        """Rounding to ``fmt``, lowered."""
        return step_to(fmt, mode, self._bits_for(mode))

    def chunk_length(self, count: int) -> int:
        """Products a chunk, for ``count`` in all; 0 where products are added to c itself."""
        if self.order == "pairwise" and self.chunk is None:
            return 1 << (count - 1).bit_length()
        return self.chunk or 0

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        a, b = (
            job.reader.read(x, fmt, np.float64)
            for x, fmt in ((job.a, self.a_format), (job.b, self.b_format))
        )
        count, key = a.shape[2], job.key or Key(0)
        product = None if self.product is None else self.step(self.product, self.product_rounding)
        tree = self.order == "pairwise"
        events = 4 * (count + tree * self.chunk_length(count))
        task = ChainTask(
            a=a,
            b=b,
            a_at=job.a.at,
            b_at=job.b.at,
            out=job.out,
            product=product,
            inner=self.step(self.accumulator, self.rounding),
            outer=self.step(self.c_values, self.outer_rounding or self.rounding),
            chunk=self.chunk_length(count),
            tree=tree,
            keys=event_keys(key, events) if self.keyed else NO_KEYS,
            first=key.start,
        )
        job.backend.chains(task)


def precision(fmt: Float | FixedPoint) -> int:
    """Significant bits of a format's values."""
    return fmt.max_code.bit_length() if isinstance(fmt, FixedPoint) else fmt.man_bits + 1


def check_range(name: str, fmt: Float | FixedPoint) -> None:
    """``fmt`` leaves room for exact float64 arithmetic."""
    low = -fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.low_exponent
    high = fmt.word_bits - fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.emax
    if low < -RANGE or high > RANGE or precision(fmt) > 51:
        raise ValueError(
            f"{name}={str(fmt)!r} has {precision(fmt)} significant bits from 2**{low} to "
            f"2**{high}; at most 51 bits within 2**-{RANGE} and 2**{RANGE} are simulated "
            "(FMAChain('fp64') serves float64)"
        )


def event_keys(key: Key, count: int) -> Any:
    """The two words of ``key.fold(t)`` for t below ``count``: uint32 (count, 2)."""
    k0, k1 = (np.full(count, word, np.uint32) for word in key.words)
    low = np.arange(count, dtype=np.uint32)
    return np.stack(threefry(k0, k1, low, np.zeros_like(low)), axis=1)
