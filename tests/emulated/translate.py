"""PTX as C++: an instruction becomes a call of its name (``ptx.h``), or of integers an expression,
which compiles several times as fast; registers become variables.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).parent
TYPES = {f"{kind}{size}" for kind in "usb" for size in (8, 16, 32, 64)} | {"f32", "f64", "pred"}
SIZES = {name: max(1, int(name[1:]) // 8) for name in TYPES - {"pred"}}
KEYWORDS = {"and", "or", "xor", "not"}  # of C++, and names of instructions
# Of integers and predicates; operands are cast to the type of the instruction, the result, too.
EXPRESSIONS = {
    "mov": "{0}", "add": "{0} + {1}", "sub": "{0} - {1}", "neg": "0 - {0}", "and": "{0} & {1}",
    "or": "{0} | {1}", "xor": "{0} ^ {1}", "min": "{0} < {1} ? {0} : {1}",
    "max": "{0} > {1} ? {0} : {1}", "selp": "{2} ? {0} : {1}", "cvt": "{0}",
    **{f"setp.{name}": f"{{0}} {sign} {{1}}" for name, sign in
       (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))},
}  # fmt: skip
LEFT, RIGHT = "(u64({1}) << 32 | {0}) << {2} >> 32", "(u64({1}) << 32 | {0}) >> {2}"
# By a number of bits that is less than the width.
SHIFTS = {
    "shl": "{0} << {1}", "shr": "{0} >> {1}", "shf.l.clamp": LEFT, "shf.l.wrap": LEFT,
    "shf.r.clamp": RIGHT, "shf.r.wrap": RIGHT,
}  # fmt: skip
SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid)\.([xyz])")
ENTRY = re.compile(r"\.entry\s+(\S+?)\s*\((.*?)\)(.*?)\n\{(.*?)\n\}", re.DOTALL)
PARAM = re.compile(r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d+)\])?")
VARIABLE = re.compile(
    r"^\s*(?:\.(?:common|visible|extern|weak)\s+)*\.(global|const|shared)\s+(?:\.align\s+(\d+)\s+)?"
    r"\.(\w+)\s+([\w$]+)(?:\[(\d*)\])?(?:\s*=\s*([^;]+))?;", re.MULTILINE,
)  # fmt: skip


@dataclass
class Entry:
    """A kernel: its PTX name, the C function that launches it, the sizes of its parameters."""

    name: str
    symbol: str
    sizes: tuple[int, ...]
    body: str
    waits: bool
    params: dict[str, int] = field(default_factory=dict)
    integers: set[str] = field(default_factory=set)  # registers of integers and predicates


def cpp(text: str) -> tuple[str, dict[str, Entry]]:
    """The C++ text of a PTX module, and its kernels by name."""
    text = re.sub(r"//[^\n]*", "", text)
    found = [entry(*match.groups()) for match in ENTRY.finditer(text)]
    assert found, "no kernel in this text"
    shared = 0
    parts = ['#include "ptx.h"\n#include "threads.h"\n']
    outside = ENTRY.sub("", text)
    bodies = [e.body for e in found]
    for space, _, kind, name, count, value in VARIABLE.findall(outside + "\n".join(bodies)):
        if not any(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", body) for body in bodies):
            continue
        size = SIZES[kind] * int(count or 1)
        if space == "shared":
            parts.append(f"static const u64 {plain(name)} = u64(shared_memory) + {shared};\n")
            shared += -(-size // 16) * 16
        else:
            assert not count or value.startswith("{") or not value, f"the value of {name}"
            inside = value.strip("{} ") if value else "0"
            cell = f"alignas(16) static {kind} {plain(name)}_at[] = {{{inside}}};\n"
            parts.append(cell + f"static const u64 {plain(name)} = u64({plain(name)}_at);\n")
    assert shared <= 1 << 16, "more shared memory than a block has"
    for e in found:
        parts.append(f"static void {e.symbol}_thread(void** params) {{\n{code(e)}}}\n")
        parts.append(f"ENTRY({e.symbol}, {e.symbol}_thread, {str(e.waits).lower()})\n")
    return "".join(parts), {e.name: e for e in found}


def entry(name: str, params: str, _: str, body: str) -> Entry:
    symbol = "k" + hashlib.sha256(name.encode()).hexdigest()[:16]
    rows = PARAM.findall(params)
    sizes = tuple(SIZES[kind] * int(count or 1) for kind, _, count in rows)
    waits = re.search(r"\b(bar|barrier|shfl|vote)\.", body) is not None
    return Entry(name, symbol, sizes, body, waits, {n: i for i, (_, n, _) in enumerate(rows)})


def code(e: Entry) -> str:
    """The statements of a kernel; a return where it ends."""
    return "".join(statement(chunk, e) for chunk in e.body.split(";")) + "return;\n"


def statement(chunk: str, e: Entry) -> str:
    chunk, before = chunk.strip(), ""
    while found := re.match(r"([{}]|[\w$]+:(?!:))\s*", chunk):
        label = found[1]
        before += f"{plain(label[:-1])}:;\n" if label.endswith(":") else label + "\n"
        chunk = chunk[found.end() :]
    if not chunk:
        return before
    if chunk.startswith(".reg"):
        return before + registers(chunk, e)
    if chunk.startswith(".local"):
        found = re.match(r"\.local\s+\.align\s+\d+\s+\.b8\s+(\S+)\[(\d+)\]", chunk)
        assert found, f"no local memory that is understood: {chunk}"
        room = f"alignas(16) unsigned char {plain(found[1])}_at[{found[2]}];\n"
        return before + room + f"const u64 {plain(found[1])} = u64({plain(found[1])}_at);\n"
    if chunk.startswith((".shared", ".loc", ".pragma")):
        return before
    guard = re.match(r"@(!?)(%\w+)\s+", chunk)
    if guard:
        before += f"if ({guard[1]}{plain(guard[2])}) "
        chunk = chunk[guard.end() :]
    return before + "{ " + instruction(chunk, e) + " }\n"


def registers(chunk: str, e: Entry) -> str:
    """``.reg .b32 %r<5>`` as variables."""
    found = re.match(r"\.reg\s+\.(\w+)\s+(.*)", chunk, re.DOTALL)
    assert found, chunk
    names = []
    for name in found[2].split(","):
        several = re.match(r"\s*(%?[\w$]+)<(\d+)>", name)
        stem = plain(several[1] if several else name.strip())
        names += [f"{stem}{i}" for i in range(int(several[2]))] if several else [stem]
    kind = {"s": "u", "b": "u"}.get(found[1][0], found[1][0]) + found[1][1:]
    e.integers.update(names if kind[0] != "f" else ())
    return f"{'pred' if found[1] == 'pred' else kind} {', '.join(names)};\n"


def plain(name: str) -> str:
    """A name as C++ takes it."""
    return name.replace("%", "R_").replace("$", "S_").replace(".", "_")


def operand(text: str) -> str:
    """A register, an address or a number."""
    text = text.strip()
    if special := SPECIAL.fullmatch(text):
        return f"{special[1]}.{special[2]}"
    if text.startswith(("0f", "0d")):
        kind = "u32" if text[1] == "f" else "u64"
        return f"std::bit_cast<{'f32' if kind == 'u32' else 'f64'}>({kind}(0x{text[2:]}ull))"
    if re.fullmatch(r"-?\d+|0x[0-9a-fA-F]+U?", text):
        return f"s64({text.rstrip('U')}ull)" if text[0] != "-" else f"s64({text})"
    assert re.fullmatch(r"[%\w$]+", text), f"an operand that is not understood: {text}"
    return plain(text)


def address(text: str, e: Entry) -> str:
    """``[%rd1+8]`` as a number."""
    found = re.fullmatch(r"\[\s*([%\w$]+)\s*(?:\+\s*(-?\d+))?\s*\]", text.strip())
    assert found, f"an address that is not understood: {text}"
    if found[1] in e.params:
        start = f"u64(params[{e.params[found[1]]}])"
    else:
        start = f"as<u64>({plain(found[1])})"
    return f"{start} + u64({found[2] or 0})"


def operands(text: str) -> list[str]:
    """Split at commas outside braces."""
    return [part.strip() for part in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*", text)]


def instruction(chunk: str, e: Entry) -> str:
    opcode, rest = re.split(r"\s+", chunk, maxsplit=1) if re.search(r"\s", chunk) else (chunk, "")
    words, given = opcode.split("."), operands(rest)
    kinds = [w for w in words[1:] if w in TYPES]
    name = [w for w in words if w not in TYPES]
    if name[0] in ("ret", "exit"):
        return "return;"
    if name[0] == "bra":
        return f"goto {plain(given[0])};"
    if name[0] in ("ld", "st"):
        return moved(name, kinds[0], given, e)
    if name[0] == "cvta":
        return f"{plain(given[0])} = {operand(given[1])};"
    if name[0] in ("atom", "red"):
        call = f"atom_{'_'.join(w for w in name[1:] if w not in ('relaxed', 'gpu'))}<{kinds[0]}>"
        into = f"{plain(given[0])} = " if name[0] == "atom" else ""
        given = given[1:] if name[0] == "atom" else given
        return f"{into}{call}({address(given[0], e)}, {', '.join(map(operand, given[1:]))});"
    if name[0] == "bar":
        return f"bar_sync({operand(given[0])});"
    if name[0] == "mov" and "{" in rest:
        return packed(given)
    return expressed(name, kinds, given, e) or called(name, kinds, given)


def expressed(name: list[str], kinds: list[str], given: list[str], e: Entry) -> str | None:
    """An assignment, of integers and predicates; None of what is no single expression."""
    target, *rest = (plain(g) for g in given)
    opcode, form = ".".join(name), EXPRESSIONS.get(".".join(name))
    if opcode in SHIFTS and re.fullmatch(r"\d+", rest[-1]):
        form = SHIFTS[opcode] if int(rest[-1]) < 8 * SIZES[kinds[0]] else None
    known = all(each in e.integers or re.fullmatch(r"-?\d+", each) for each in (target, *rest))
    if form is None or not known or any(kind[0] == "f" for kind in kinds):
        return None
    cast = [f"{kinds[-1]}({operand(each)})" for each in given[1:]]
    if opcode == "selp":
        cast[2] = rest[2]
    result = "pred" if opcode.startswith("setp") else kinds[0]
    return f"{target} = {result}({form.format(*cast)});"


def called(name: list[str], kinds: list[str], given: list[str]) -> str:
    function = "_".join(name) + ("_" if name[0] in KEYWORDS else "")
    target = given[0].split("|")[0]
    arguments = ", ".join(map(operand, given[1:]))
    joined = ""
    if name[0] == "setp" and len(name) > 2:  # joined with another predicate
        function, joined = "_".join(name[:2]), {"and": "&", "or": "|", "xor": "^"}[name[2]]
        joined = f" {joined} {'!' * given[-1].startswith('!')}{plain(given[-1].lstrip('!'))}"
        arguments = ", ".join(map(operand, given[1:-1]))
    return f"{plain(target)} = {function}<{', '.join(kinds)}>({arguments}){joined};"


def moved(name: list[str], kind: str, given: list[str], e: Entry) -> str:
    """A load or a store, of one word or of a vector."""
    space = next(w for w in name[1:] if w in ("global", "shared", "local", "param"))
    known = {"global", "shared", "local", "param", "nc", "volatile", "v2", "v4"}
    assert set(name[1:]) <= known, f"a {name[0]} that is not understood: {'.'.join(name)}"
    loads = name[0] == "ld"
    at, values = address(given[0 if not loads else 1], e), given[1 if not loads else 0]
    parts = values.strip("{} ").split(",")
    lines = ["const u64 at = " + at + ";"]
    for i, part in enumerate(parts):
        call = f"{name[0]}_{space}<{kind}, {len(parts) if i == 0 else 1}>(at + {i * SIZES[kind]}"
        lines.append(f"{operand(part)} = {call});" if loads else f"{call}, {operand(part)});")
    return " ".join(lines)


def packed(given: list[str]) -> str:
    """``mov.b64 {a, b}, c`` and ``mov.b64 c, {a, b}``: the first is the low word."""
    if given[0].startswith("{"):
        low, high = (plain(g.strip()) for g in given[0].strip("{} ").split(","))
        names = [
            f"{n} = half({operand(given[1])}, {i});" for i, n in enumerate((low, high)) if n != "_"
        ]
        return " ".join(names)
    low, high = (operand(g) for g in given[1].strip("{} ").split(","))
    return f"{plain(given[0])} = whole({low}, {high});"
