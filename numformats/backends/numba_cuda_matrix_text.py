"""Source of the Numba CUDA kernels of matrix products: the core texts, then a loop."""

from collections.abc import Callable
from typing import Any

from numformats.backends import cuda_chain_loops, cuda_dot_loops
from numformats.backends.dot_task import DotRule
from numformats.backends.dot_texts import CHAIN, DOT, GROUP
from numformats.backends.emit import module_text
from numformats.backends.numba_cuda_text import KERNEL
from numformats.backends.numba_steps import STEP_GRID

LEVELS = 40  # of a tree
_DOT = """\
from numformats.core.dot import DotSpec
T, TU, TERM_LAST = np.int{width}, np.uint{width}, np.int{width}({width} - 1)
PARTS, OVERFLOW, DOT_GENERAL, DOT_NAN = {parts}, {overflow}, {general}, U({nan})
SINGLE = {single}

@device
def shr_term(x, s):
    return TU(x >> TU(s)) if TU(s) <= TU(TERM_LAST) else TU(0)
"""
_FUSED64 = """
if config.ENABLE_CUDASIM:
    from numformats.backends.reference_chains import nearest as fused
else:
    @device
    def fused(a, b, c):
        return libdevice.fma_rn(a, b, c)
"""
_dots, _chains = cuda_dot_loops, cuda_chain_loops
_PLAIN: dict[str, tuple[Callable[..., Any], ...]] = {
    "fma": (),
    "exact": (_chains.exact_group,),
    "flushed": (_chains.flushed_product, _chains.flushed_sum),
    "vdpbf16ps": (_chains.step,),
    "tdpbf16ps": (_chains.step, _chains.flushed_sum),
    "bfdot": (_chains.odd_single,),
}


def _device(*functions: Callable[..., Any]) -> list[Any]:
    return [(f, None, "@device") for f in functions]


def groups_text(name: str) -> str:
    """What groups have in common: ``"joined_kinds"`` or ``"nonzero_masks"``."""
    return module_text("", [(getattr(_dots, name), "kernel", KERNEL)])


def dots_text(rule: DotRule, general: bool, wide: bool, nan: int, single: bool) -> str:
    """Fused dot products of one rule."""
    first, finish = (rule.first, "first", "@device"), (rule.finish, "finish", "@device")
    helpers = (_dots.store, _dots.sum_part, _dots.join_flags, _dots.group_step)
    parts = [*_device(*DOT), first, finish, *_device(*helpers), (_dots.dots, "kernel", KERNEL)]
    return module_text(_head(rule.parts, rule.product_overflow, general, wide, nan, single), parts)


def scaled_text(general: bool, nan: int, single: bool) -> str:
    """Scaled sums of groups."""
    helpers = (
        _dots.store, _dots.scale_of, _dots.exponent_of, _dots.group_sum, _dots.scaled_step,
    )  # fmt: skip
    parts = [*_device(*DOT, *GROUP, *helpers), (_dots.scaled_dots, "kernel", KERNEL)]
    return module_text(_head(1, False, general, True, nan, single), parts)


def _head(parts: int, overflow: bool, general: bool, wide: bool, nan: int, single: bool) -> str:
    return _DOT.format(
        width=64 if wide else 32, parts=parts, overflow=overflow, general=general, nan=nan,
        single=single,
    )  # fmt: skip


def chains_text(roundings: str, flags: dict[str, bool], tree: bool, single: bool) -> str:
    """Chains with these ``roundings`` (the source of ``round_product`` and so on)."""
    head = "".join(f"{name} = {value}\n" for name, value in flags.items())
    head += f"SINGLE, LEVELS = {single}, {LEVELS}\n{STEP_GRID}{roundings}"
    helpers = (_dots.store, _chains.word, _chains.product_at, _chains.add_inner, _chains.part_of)
    tree_of = (_chains.tree_of if tree else _chains.part_of, "sum_chunk", "@device")
    entry = (_chains.chains, "kernel", KERNEL)
    return module_text(head, [*_device(*CHAIN, *helpers), tree_of, *_device(_chains.chain), entry])


def plain_text(kind: str, rounding: str, length: int, single: bool) -> str:
    """Accumulations by the rule ``kind``."""
    head = f"SINGLE, LENGTH, COMPONENTS = {single}, {length}, {length + 1}\n"
    head += f"LOW = np.float32(2.0**-126)\n{STEP_GRID}{rounding}"
    head += _FUSED64 if kind == "fma" and not single else ""
    each = (getattr(_chains, f"{kind}_chain"), "each", "@device")
    helpers = _device(*CHAIN, _dots.store, *_PLAIN[kind])
    return module_text(head, [*helpers, each, (_chains.plain, "kernel", KERNEL)])


def integers_text(dtype: str, clamp: bool, length: int) -> str:
    """Integer products."""
    head = f"A, CLAMP, LENGTH = np.{dtype}, {clamp}, {length}"
    return module_text(head, [(_chains.integers, "kernel", KERNEL)])
