"""Whether the parts of an accelerator go together."""

from typing import Any

from numformats.accelerators.accelerator import FORWARD, ROLES, Accelerator
from numformats.engines import (
    ApFixed,
    Engine,
    IntegerDot,
    MultiplierRequantize,
    ShiftRequantize,
)
from numformats.engines.fitting import holds, wanted_blocks
from numformats.formats import BlockFloat, FixedPoint, Float

RULES = (MultiplierRequantize, ShiftRequantize, ApFixed)


def check(chip: Accelerator) -> None:
    """Check storage, scaling, engine and requantization against each other.

    Raises:
        TypeError, ValueError: they do not go together.
    """
    if not isinstance(chip.engine, Engine):
        raise TypeError(
            f"engine is {chip.engine!r}; give an engine, for example nf.engine('nvidia-h100', "
            "inputs='fp16'), or a class of nf.engines with its arguments"
        )
    for role in ROLES:
        _check_role(chip, role)
    if isinstance(chip.engine, IntegerDot):
        _check_integers(chip, chip.engine)
    elif chip.requantize is not None:
        raise ValueError(
            f"requantize={chip.requantize!r} with {type(chip.engine).__name__}: only integer "
            "accumulators are requantized; leave it out, or write engine=IntegerDot(8, 8)"
        )
    elif chip.engine.scaled:
        _check_scaled(chip)
    else:
        for own, role in zip(chip.engine.inputs, FORWARD, strict=True):
            _check_operand(chip, own, role)


def _check_role(chip: Accelerator, role: str) -> None:
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    if scaling is not None and (fmt is None or isinstance(fmt, BlockFloat)):
        raise ValueError(
            f"scaling of {role}, which are stored "
            + ("as they come" if fmt is None else f"in {fmt}, a format with scales of its own")
            + "; leave that scaling out"
        )
    limit = None if scaling is None else scaling.limit
    if limit is not None and isinstance(fmt, FixedPoint | Float) and limit < fmt.smallest:
        raise ValueError(
            f"scaling of {role} has limit={limit!r}, below the smallest magnitude of "
            f"{fmt}, {float(fmt.smallest):g}: all would be stored as zero; write a larger one"
        )
    if isinstance(fmt, BlockFloat) and fmt.axis not in (-1, None, (-2, -1)):
        raise ValueError(
            f"{role}={str(fmt)!r} runs along axis {fmt.axis!r}; presets write blocks along K as "
            "axis=-1, tiles (outer, K) as axis=(-2, -1), whole tensors as axis=None"
        )


def _check_operand(chip: Accelerator, own: Float | FixedPoint, role: str) -> None:
    """A forward operand is made of values of the engine's input format."""
    fmt = chip.storage(role)
    truncates = getattr(chip.engine, "truncate_inputs", False)
    if fmt is None or truncates or isinstance(fmt, BlockFloat) or holds(own, fmt):
        return
    raise ValueError(
        f"{role}={str(fmt)!r} holds values that the engine's format for it, {str(own)!r}, lacks; "
        f"choose an engine for {fmt}, or write {role}={str(own)!r}"
    )


def _check_integers(chip: Accelerator, engine: IntegerDot) -> None:
    for role, bits, signed in (
        ("activations", engine.a_bits, engine.a_signed),
        ("weights", engine.b_bits, engine.b_signed),
    ):
        fmt = chip.storage(role)
        fits = isinstance(fmt, FixedPoint) and fmt.signed == signed and fmt.word_bits <= bits
        if not fits:
            raise ValueError(
                f"{role}={fmt and str(fmt)!r} with an integer engine of {bits} "
                f"{'signed' if signed else 'unsigned'} bits; write a fixed point, such as "
                f"'fixed<{bits},0{'' if signed else ',signed=false'}>'"
            )
    if any(s.kind == "block" for _, s in chip.scaling):
        raise ValueError("integer engines take scales of tensors and channels, not of blocks")
    if chip.requantize is None:
        return
    if not isinstance(chip.requantize, RULES):
        known = ", ".join(rule.__name__ for rule in RULES)
        raise TypeError(f"requantize={chip.requantize!r}; give one of {known}")
    rows = chip.scaling_of("activations")
    if rows is not None and rows.kind != "tensor":
        raise ValueError("requantization has one multiplier a column; scale activations by tensor")
    forms: list[Any] = [chip.storage(role) for role in FORWARD]
    rule, point = chip.requantize, sum(fmt.frac_bits for fmt in forms)
    if isinstance(rule, ApFixed) and rule.input_frac_bits != point:
        raise ValueError(
            f"requantize={rule!r} with products of {point} bits after the point; write "
            f"input_frac_bits={point}"
        )
    if isinstance(chip.requantize, ApFixed | ShiftRequantize) and chip.scaling:
        raise ValueError("this requantization shifts bits and has no scales; leave scaling out")


def _check_scaled(chip: Accelerator) -> None:
    engine: Any = chip.engine
    for own, role in zip(engine.inputs, FORWARD, strict=True):
        fmt = chip.storage(role)
        good = (
            isinstance(fmt, BlockFloat)
            and (fmt.element, fmt.scale) == (own, engine.scale)
            and along_k(fmt) == engine.scale_block
        )
        if not good:
            raise ValueError(f"{role}={fmt and str(fmt)!r}: {wanted_blocks(own, engine)}")


def along_k(fmt: BlockFloat) -> int | None:
    """Elements along K that share a scale."""
    return fmt.block_size[1] if isinstance(fmt.block_size, tuple) else fmt.block_size
