"""Formats as text: ``parse(str(fmt)) == fmt`` for every format.

Grammar: a catalog name or alias; ``fixed<W,F,...>``; ``float<E,M,...>``; ``bfp<W,block=B,...>``
(classic block floating point, integer mantissas with W-2 fraction bits);
``block<ELEMENT,block=B,...>``; ``binary{K}p{P}{s,u}{e,f}`` (IEEE P3109). Further fields are
``key=value`` with the constructors' keywords, for example ``float<4,3,specials=fn>``; tuples join
with ``x``.
"""

import difflib
import re
from functools import cache
from typing import Any

from numformats.catalog import ALIASES, CATALOG
from numformats.dtypes import NAMES, FormatLike, dtype_name
from numformats.formats import BlockFloat, FixedPoint, Float, Format

_P3109 = re.compile(r"binary(\d+)p(\d+)([su])([ef])")


@cache
def _names() -> dict[Format, str]:
    return {fmt: name for name, fmt in reversed(CATALOG.items())}


def name_of(fmt: Format) -> str:
    """The shortest text that :func:`parse` takes back to ``fmt``."""
    if fmt in _names():
        return _names()[fmt]
    if isinstance(fmt, FixedPoint):
        return f"fixed<{fmt.word_bits},{fmt.frac_bits}{_fields(fmt, FixedPoint(fmt.word_bits, 0))}>"
    if isinstance(fmt, Float):
        return _p3109_name(fmt) or _float_name(fmt)
    base = BlockFloat(fmt.element, fmt.block_size, axis=fmt.axis)
    axis = "" if fmt.axis == -1 else f",axis={_text(fmt.axis)}"
    head = f"block<{fmt.element}"
    if isinstance(fmt.element, FixedPoint) and fmt.element == FixedPoint(fmt.bits, fmt.bits - 2):
        head = f"bfp<{fmt.bits}"
    return f"{head},block={_text(fmt.block_size)}{axis}{_fields(fmt, base)}>"


def _float_name(fmt: Float) -> str:
    base = Float(fmt.exp_bits, fmt.man_bits, specials="finite")
    text = "" if fmt.specials == "ieee" else f",specials={fmt.specials}"
    if fmt.bias != fmt.default_bias:
        text += f",bias={fmt.bias}"
    names = ("signed", "subnormals", "zero", "overflow")
    return f"float<{fmt.exp_bits},{fmt.man_bits}{text}{_fields(fmt, base, names)}>"


def _p3109_name(fmt: Float) -> str | None:
    if fmt.specials not in ("p3109", "p3109_finite"):
        return None
    p = fmt.man_bits + 1
    domain = "e" if fmt.specials == "p3109" else "f"
    name = f"binary{fmt.bits}p{p}{'s' if fmt.signed else 'u'}{domain}"
    return name if 3 <= fmt.bits <= 16 and _p3109(name) == fmt else None


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(_text, value)) + ("x" if len(value) == 1 else "")
    return str(value).lower()


def _fields(fmt: Any, base: Any, names: tuple[str, ...] | None = None) -> str:
    known = ("signed", "symmetric", "overflow", "scale", "scale_rule", "tensor_scale")
    keys = [k for k in names or known if hasattr(fmt, k) and getattr(fmt, k) != getattr(base, k)]
    return "".join(f",{k}={_text(getattr(fmt, k))}" for k in keys)


def parse(text: FormatLike) -> Format:
    """The format that ``text`` names; see the module's grammar. Case and spaces do not matter.

    Args:
        text: a name; a format, which is returned as it is; or a data type of NumPy, ml_dtypes or
            torch (``np.float16``, ``ml_dtypes.float8_e4m3fn``, ``torch.float8_e5m2``), which names
            the format whose codes it holds: of ``torch.float4_e2m1fn_x2`` that of each half.

    Raises:
        TypeError: ``text`` is none of these, or a data type that is no float (integers).
        ValueError: unknown name (with the closest match), unknown field, impossible widths.

    Example:
        >>> parse("float<4,3,specials=fn>").max
        448.0
        >>> str(parse("bfp<8, block=16>"))
        'bfp<8,block=16>'
        >>> import numpy as np
        >>> parse(np.float16) == parse("fp16")
        True
    """
    if isinstance(text, FixedPoint | Float | BlockFloat):
        return text
    if not isinstance(text, str):
        return _of_dtype(text)
    if text in CATALOG:
        return CATALOG[text]
    plain = re.sub(r"\s+", "", text).lower()
    plain = ALIASES.get(plain, plain)
    if plain in CATALOG:
        return CATALOG[plain]
    if "<" in plain and plain.endswith(">"):
        head, body = plain[:-1].split("<", 1)
        return _build(head, _split(body), text)
    found = _p3109(plain)
    if found is None:
        raise ValueError(_unknown(text, plain))
    return found


def _of_dtype(dtype: Any) -> Format:
    name = dtype_name(dtype)
    if name in NAMES:
        return CATALOG[NAMES[name]]
    if name is None:
        raise TypeError(
            f"fmt is {dtype!r} ({type(dtype).__name__}); give a format or a name such as 'e4m3', "
            "or a data type such as torch.float8_e4m3fn"
        )
    raise TypeError(
        f"fmt is the data type {name}, which is no float format; write a format, for example "
        f"'fixed<8,0>' for integers of 8 bits; data types known: {', '.join(NAMES)}"
    )


def _unknown(text: str, plain: str) -> str:
    close = difflib.get_close_matches(plain, [*CATALOG, *ALIASES], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return (
        f"unknown format {text!r}; {hint}write a name of nf.formats(), or fixed<8,3>, "
        f"float<4,3,specials=fn>, "
        "bfp<8,block=16>, block<e2m1,block=16,scale=e4m3>, binary8p4se"
    )


def _p3109(name: str) -> Float | None:
    match = _P3109.fullmatch(name)
    if not match:
        return None
    k, p, signed = int(match[1]), int(match[2]), match[3] == "s"
    if not (3 <= k <= 16 and 1 <= p <= k - signed):
        raise ValueError(
            f"{name!r}: P3109 formats here have 3 <= K <= 16 and 1 <= P <= {k - signed}"
        )
    specials = "p3109" if match[4] == "e" else "p3109_finite"
    return Float(k - p + (not signed), p - 1, signed=signed, specials=specials)


def _split(body: str) -> list[str]:
    parts, depth = [""], 0
    for char in body:
        depth += (char == "<") - (char == ">")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _value(key: str, text: str) -> Any:
    if key in ("scale", "element"):
        return parse(text)
    if text in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text]
    if re.fullmatch(r"(-?\d+|none)(x(-?\d+|none)?)*", text):
        numbers = tuple(None if n == "none" else int(n) for n in text.split("x") if n)
        return numbers if "x" in text else numbers[0]
    return text


_HEADS: dict[str, tuple[type, tuple[str, ...]]] = {
    "fixed": (FixedPoint, ("word_bits", "frac_bits")),
    "float": (Float, ("exp_bits", "man_bits")),
    "bfp": (BlockFloat, ("element",)),
    "block": (BlockFloat, ("element",)),
}


def _build(head: str, parts: list[str], text: str) -> Format:
    if head not in _HEADS:
        raise ValueError(_unknown(text, head))
    make, leading = _HEADS[head]
    fields: dict[str, Any] = {}
    for position, part in enumerate(parts):
        key, equals, value = part.partition("=")
        if not equals or "<" in key:
            if position >= len(leading):
                raise ValueError(
                    f"{text!r}: field {part!r} has no name; write name=value after {leading}"
                )
            key, value = leading[position], part
        key = "block_size" if key == "block" else key
        plain = head == "bfp" and key == "element" and value.isdigit()
        fields[key] = int(value) if plain else _value(key, value)
    return _construct(head, make, fields, text)


def _construct(head: str, make: Any, fields: dict[str, Any], text: str) -> Format:
    if head == "bfp" and isinstance(fields.get("element"), int):
        width = fields["element"]
        fields["element"] = FixedPoint(width, width - 2)
    for key in fields:
        if key not in make.__dataclass_fields__:
            close = difflib.get_close_matches(key, make.__dataclass_fields__, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(
                f"{text!r}: unknown field {key!r}; {hint}known: "
                f"{', '.join(make.__dataclass_fields__)}"
            )
    try:
        built: Format = make(**fields)
    except TypeError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return built
