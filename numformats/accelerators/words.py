"""Accelerators in plain words."""

import textwrap
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from numformats.accelerators.accelerator import ROLES, Accelerator
from numformats.engines import ApFixed, Engine, MultiplierRequantize
from numformats.formats import BlockFloat, Format

WIDTH = 80
CONFIDENCE = {
    "silicon": "equal, bit for bit, to recorded outputs of the chip; the notes say which",
    "model": "equal, bit for bit, to a published bit-accurate model (MMA-Sim); no recorded outputs",
    "documented": "as manuals and papers describe it; not checked on a chip",
    "approximate": "storage as documented; how the chip adds up is not known, or differs as noted",
}
SHORT: dict[str, Callable[[Any], str]] = {
    "TruncatedFDPA": lambda e: (
        f"{'ST' if e.scaled else 'T'}-FDPA L{e.length} F{e.frac_bits}{_narrow(e.output)}"
    ),
    "EmulatedFDPA": lambda e: f"2 x T-FDPA fp16{_narrow(e.output)}",
    "GroupScaledFDPA": lambda e: f"GST-FDPA L{e.length} F{e.frac_bits}",
    "RoundDownFDPA": lambda e: f"{'GTR' if e.grouped else 'TR'}-FDPA L{e.length} F{e.frac_bits}",
    "ExactFDPA": lambda e: f"E-FDPA L{e.length}",
    "FlushedAddMul": lambda e: f"FTZ-AddMul P{e.pairs}",
    "PairedDot": lambda e: f"pairs, {e.instruction}",
    "PhasedChain": lambda e: f"{e.phases} phase{'s' * (e.phases > 1)}, chain fp32/16>fp32",
    "FMAChain": lambda e: f"FMA chain {e.fmt}",
    "MACChain": lambda e: _chain_short(e),
    "IntegerDot": lambda e: f"int{e.a_bits} x int{e.b_bits}>{e.accumulator_bits}",
}
_PAIRED = {
    "vdpbf16ps": "The odd product of a pair, then the even one, by fused multiply-adds in FP32, to "
    "nearest even; subnormals become zero.",
    "tdpbf16ps": "Even and odd elements of a tile of 32 are accumulated apart, from zero, by fused "
    "multiply-adds in FP32; their sum is added to the running sum; subnormals become zero.",
    "bfdot": "Two products, their sum, and its sum with the running one are rounded to odd in "
    "FP32, one after the other; subnormals become zero, overflow becomes Inf.",
}
LONG: dict[str, Callable[[Any], str]] = {
    "TruncatedFDPA": lambda e: (
        f"{e.length} products and the running sum are aligned to the largest exponent, cut off "
        f"toward zero {e.frac_bits} bits after the point, added exactly, and converted once to "
        f"{_out(e.output)} ({_mode(e.rounding)}); the result enters the next {e.length}."
        + (f" Scales of blocks of {e.scale_block} add to the exponents." if e.scaled else "")
        + _cut(e)
    ),
    "EmulatedFDPA": lambda e: (
        f"{e.chunk} products at a time are computed by the FP16 unit in two halves (k mod 4 below "
        f"2, then the others), from zero; their sum is added to the running sum in "
        f"{_out(e.output)}, to nearest even."
    ),
    "GroupScaledFDPA": lambda e: (
        f"{e.group} products are added exactly and multiplied by both scales ({e.scale}, one for "
        f"{e.scale_block} elements); "
        f"{e.length // e.group} such groups and the running sum are aligned to the largest "
        f"exponent, cut off toward zero {e.frac_bits} bits after the point, added exactly, and "
        f"converted once to {_out(e.output)} ({_mode(e.rounding)})."
    ),
    "RoundDownFDPA": lambda e: (
        f"{e.length} products are aligned to their largest exponent"
        + (" (even and odd ones apart)" if e.grouped else "")
        + f", cut off {e.frac_bits} bits after the point and added; the running sum joins late, "
        f"rounded down at {e.frac_bits} bits, the total rounded down at {e.late_bits} bits, then "
        f"to nearest FP32.{_cut(e)}"
    ),
    "ExactFDPA": lambda e: (
        f"{e.length} products and the running sum are added exactly and rounded once to "
        f"{_out(e.output)} ({_mode(e.rounding)})."
    ),
    "PairedDot": lambda e: _PAIRED[e.instruction],
    "FlushedAddMul": lambda e: (
        f"Products are rounded to FP32, added {e.pairs} at a time in a tree, then to the running "
        "sum; every step rounds to nearest even, and subnormals become zero."
    ),
    "PhasedChain": lambda e: (
        f"In {e.phases} fidelity phase{'s' * (e.phases > 1)}: a phase multiplies a part of the "
        "left significand (7 bits, then 4) by one of the right (5, then 5); 16 products at a time "
        "are added from zero in FP32, and to the running sum; subnormals become zero."
    ),
    "FMAChain": lambda e: (
        f"One fused multiply-add after the other in order of k, in {_out(e.fmt)}, to nearest even."
    ),
    "MACChain": lambda e: _chain(e),
    "IntegerDot": lambda e: (
        f"{_integer(e.a_bits, e.a_signed)} times {_integer(e.b_bits, e.b_signed)} integers, exact, "
        f"into an accumulator of {e.accumulator_bits} bits that {e.overflow}s"
        + (f" after every {e.length} products." if e.overflow == "saturate" else ".")
    ),
}


def _mode(name: str) -> str:
    return name.replace("_", " ")


def _out(fmt: Format) -> str:
    text = str(fmt)
    return "FP32 with 13 fraction bits" if text.startswith("float<8,13") else text.upper()


def _cut(e: Any) -> str:
    return " Low bits of operands are cut off." if e.truncate_inputs else ""


def _integer(bits: int, signed: bool) -> str:
    return f"{bits}-bit" if signed else f"unsigned {bits}-bit"


def _narrow(fmt: Format) -> str:
    """A result format other than FP32."""
    return "" if str(fmt) == "fp32" or fmt.bits > 16 else f" {fmt}"


def _chain_short(e: Any) -> str:
    tail = f"/{e.chunk}>{e.c_values}" if e.chunk else ""
    return f"chain {e.accumulator}{tail}"


def _chain(e: Any) -> str:
    product = "exact"
    if e.product is not None:
        product = f"rounded to {_out(e.product)}, {_mode(e.product_rounding)}"
    order = "in order of k" if e.order == "sequential" else "in a binary tree"
    text = f"Products ({product}) are added {order} in {_out(e.accumulator)} ({_mode(e.rounding)})"
    if e.chunk:
        mode = _mode(e.outer_rounding or e.rounding)
        text += (
            f", {e.chunk} at a time from zero; partial sums add up in {_out(e.c_values)} ({mode})"
        )
    bits = f", {e.random_bits} random bits a rounding" if e.random_bits else ""
    return f"{text}{bits}."


def short_engine(engine: Engine) -> str:
    """An engine in a few words, for tables."""
    known = SHORT.get(type(engine).__name__)
    return known(engine) if known else type(engine).__name__


def long_engine(engine: Engine) -> str:
    """How an engine adds up, in sentences."""
    known = LONG.get(type(engine).__name__)
    if known:
        return known(engine)
    values = ", ".join(f"{f.name}={getattr(engine, f.name)}" for f in fields(engine))
    return f"{type(engine).__name__}({values}): {(type(engine).__doc__ or '').splitlines()[0]}"


def storage_text(chip: Accelerator) -> str:
    """What is stored, in a few words: one format, or weights and activations (then errors)."""
    names = [_name(chip.storage(role)) for role in ("weights", "activations")]
    text = names[0] if names[0] == names[1] else f"{names[0]} x {names[1]}"
    errors = _name(chip.errors)
    return text if errors in (text, "-") else f"{text}, {errors}"


def _name(fmt: Format | None) -> str:
    """A short name; fields that the catalog's format lacks are left to ``explain``."""
    if fmt is None:
        return "-"
    text = str(fmt)
    if "<" not in text:
        return text
    if isinstance(fmt, BlockFloat):
        return f"{_name(fmt.element)}/{_tile(fmt)}"
    return text if text.count(",") == 1 else ",".join(text.split(",")[:2]) + ">"


def _tile(fmt: BlockFloat) -> str:
    size = fmt.block_size
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _role(chip: Accelerator, role: str) -> str:
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    if fmt is None:
        return "not stored in a narrower format"
    mode = _mode(chip.rounding_of(role))
    if isinstance(fmt, BlockFloat):
        text = f"{fmt.element} in blocks of {_tile(fmt)}, scales {fmt.scale}"
        text = text if fmt.block_size else f"{fmt.element}, one scale {fmt.scale} a tensor"
        text += f" (rule {fmt.scale_rule}{', and a float32 scale a tensor' * fmt.tensor_scale})"
    else:
        text = str(fmt)
    return f"{text}, {mode}" + (f"; {scaling.words}" if scaling else "")


def _requantize(chip: Accelerator) -> str:
    rule = chip.requantize
    if isinstance(rule, MultiplierRequantize):
        return (
            f"with output_scale, multiplied by a 31-bit multiplier and shifted, rounding "
            f"{rule.rounding!r}, {f'plus {rule.zero_point}, ' * (rule.zero_point != 0)}clamped to "
            f"[{rule.low}, {rule.high}]"
        )
    if isinstance(rule, ApFixed):
        return (
            f"ap_{'' if rule.signed else 'u'}fixed<{rule.word_bits},{rule.int_bits},"
            f"{rule.quantization},{rule.overflow}"
            + (f",{rule.saturated_bits}>" if rule.saturated_bits else ">")
        )
    return f"shifted right by {rule.shift}, {_mode(rule.rounding)}, to [{rule.low}, {rule.high}]"


def explain(chip: Accelerator) -> str:
    """Several paragraphs of at most 80 columns."""
    rows = [(role.capitalize(), _role(chip, role)) for role in ROLES]
    rows.append(("Products", long_engine(chip.engine)))
    if chip.requantize is not None:
        rows.append(("Results", _requantize(chip)))
    rows.append(("Confidence", f"{chip.confidence}: {CONFIDENCE[chip.confidence]}"))
    if chip.notes:
        rows.append(("Notes", chip.notes))
    rows += [("Sources" if i == 0 else "", source) for i, source in enumerate(chip.sources)]
    title = chip.title if chip.title == chip.name else f"{chip.name}: {chip.title}"
    return "\n".join([*textwrap.wrap(title, WIDTH), "", *(_paragraph(*row) for row in rows)])


def _paragraph(name: str, text: str) -> str:
    head = f"{name:<13}"
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * 13)
