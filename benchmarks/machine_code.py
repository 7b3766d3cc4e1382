"""What the main loop of a kernel costs a multiprocessor, counted from its machine code."""

import pathlib
import re
import subprocess
import sysconfig
import tempfile
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

# Lanes a clock of a multiprocessor of compute capability 9.0 (CUDA C++ Programming Guide, table of
# arithmetic throughput): of all instructions, and of each pipe; integer products take half of the
# lanes of float32.
RATES = {
    "issue": 128, "integer": 64, "float32": 128, "product": 64, "float64": 64, "special": 16,
    "memory": 32,
}  # fmt: skip
_KINDS = {
    "float64": ("DADD", "DMUL", "DFMA", "DSETP"),
    "float32": ("FADD", "FMUL", "FFMA"),
    "product": ("IMAD",),
    "special": ("MUFU", "F2F", "I2F", "F2I", "FRND"),
    "memory": ("LD", "ST", "RED", "ATOM", "SHFL"),
    "control": ("BRA", "BSSY", "BSYNC", "CALL", "RET", "EXIT", "WARPSYNC", "BREAK", "NOP", "BAR"),
    "uniform": ("U", "R2UR", "S2UR", "S2R"),
}
_LABEL, _LINE = re.compile(r"\s*(\.L_x_\d+):"), re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;")
Code = list[str]


class Loop(NamedTuple):
    """A loop: elements a turn, and instructions an element by pipe: of the cheapest turn that loads
    and stores all that any does, and of all that belong to the loop."""

    elements: int
    cheapest: dict[str, float]
    in_all: dict[str, float]


def disassembled(cubin: bytes) -> list[str]:
    """The text of nvidia-cuda-nvdisasm."""
    tool = next(pathlib.Path(sysconfig.get_path("purelib")).glob("nvidia/**/bin/nvdisasm"), None)
    if tool is None:
        raise SystemExit("nvdisasm is missing; write pip install nvidia-cuda-nvdisasm")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        done = subprocess.run([str(tool), "-c", file.name], capture_output=True, text=True)
    done.check_returncode()
    return done.stdout.splitlines()


def kernel(lines: list[str], name: str) -> tuple[Code, dict[str, int]]:
    """The instructions of one kernel, and the places of its labels."""
    code: Code = []
    labels: dict[str, int] = {}
    inside = False
    for line in lines:
        if found := re.match(r"\s*\.text\.(\S+):", line):
            inside = found[1] == name
        elif inside and (found := _LABEL.match(line)):
            labels[found[1]] = len(code)
        elif inside and (found := _LINE.match(line)):
            code.append(found[1])
    return code, labels


def _target(instruction: str, labels: dict[str, int]) -> int | None:
    found = re.search(r"BRA.*`\((\.L_x_\d+)\)", instruction)
    return labels.get(found[1]) if found else None


def _operation(instruction: str) -> str:
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0]


def pipe_of(instruction: str) -> str:
    """The pipe that an instruction occupies besides the issue of instructions."""
    name = _operation(instruction).split(".")[0]
    for pipe, names in _KINDS.items():
        exact = pipe in ("float64", "float32", "product", "special", "control")
        if name in names if exact else name.startswith(names):
            return pipe
    return "integer"


def counted(instructions: Code) -> dict[str, float]:
    """Instructions by pipe, and all of them as ``issue``."""
    found = dict.fromkeys(RATES, 0.0)
    for instruction in instructions:
        found["issue"] += 1
        pipe = pipe_of(instruction)
        for taken in ("float32", "product") if pipe == "product" else (pipe,):
            if taken in found:
                found[taken] += 1
    return found


def _graph(code: Code, labels: dict[str, int]) -> list[list[int]]:
    """Where every instruction goes next; calls come back."""
    edges = []
    for at, instruction in enumerate(code):
        to, name = _target(instruction, labels), _operation(instruction)
        leaves = name.startswith(("BRA", "EXIT", "RET")) and not instruction.startswith("@")
        ways = ([] if leaves else [at + 1]) + ([to] if to is not None else [])
        edges.append([way for way in ways if way < len(code)])
    return edges


def _body(edges: list[list[int]], head: int, back: int) -> set[int]:
    """The natural loop of a jump from ``back`` to ``head``."""
    before: dict[int, list[int]] = {}
    for at, ways in enumerate(edges):
        for way in ways:
            before.setdefault(way, []).append(at)
    body, left = {head}, [back]
    while left:
        at = left.pop()
        if at not in body:
            body.add(at)
            left += before.get(at, [])
    return body


def _inside(edges: list[list[int]], body: set[int], head: int) -> dict[int, list[int]]:
    """Where every instruction of a loop goes next before the turn ends."""
    return {at: [way for way in edges[at] if way in body and way != head] for at in body}


def _cheapest(code: Code, inside: dict[int, list[int]], head: int, back: int) -> Code:
    """A turn from ``head`` to ``back`` with as many loads and stores as any, in the fewest
    instructions."""
    best: dict[int, tuple[int, int]] = {back: _price(code[back])}
    onward: dict[int, int] = {}
    for at in TopologicalSorter(inside).static_order():  # what comes later first
        ways = [way for way in inside[at] if way in best]
        if at != back and ways:
            onward[at] = min(ways, key=best.__getitem__)
            own, rest = _price(code[at]), best[onward[at]]
            best[at] = own[0] + rest[0], own[1] + rest[1]
    taken = [head]
    while taken[-1] != back:
        taken.append(onward[taken[-1]])
    return [code[at] for at in taken]


def _price(instruction: str) -> tuple[int, int]:
    return -_operation(instruction).startswith(("LDG", "STG")), 1


def _nests(edges: list[list[int]], body: set[int], head: int) -> bool:
    """Whether a loop holds another."""
    try:
        TopologicalSorter(_inside(edges, body, head)).prepare()
    except CycleError:
        return True
    return False


def _loaded(instructions: Code) -> int:
    """float32 elements that a turn reads: by vectors, where it has any."""
    loads = [_operation(i) for i in instructions if _operation(i).startswith("LDG")]
    vectors = sum(".128" in load for load in loads)
    return 4 * vectors or sum(not re.search(r"\.(64|U8|U16)", load) for load in loads)


def main_loop(lines: list[str], name: str, arrays: int) -> Loop | None:
    """The loop of a kernel that reads most of ``arrays`` float32 arrays a turn, without loops of
    its own; of two alike (streams of random words start at an even or an odd one) the shorter."""
    code, labels = kernel(lines, name)
    edges, found = _graph(code, labels), []
    for back, instruction in enumerate(code):
        head = _target(instruction, labels)
        if head is None or head >= back:
            continue
        body = _body(edges, head, back)
        loaded = _loaded([code[at] for at in body])
        if loaded >= arrays and not _nests(edges, body, head):
            found.append((-loaded, len(body), head, back, body))
    if not found:
        return None
    loaded, _, head, back, body = min(found, key=lambda loop: loop[:2])
    elements = -loaded // arrays
    turn = _cheapest(code, _inside(edges, body, head), head, back)
    both = (turn, [code[at] for at in body])
    return Loop(elements, *({p: n / elements for p, n in counted(c).items()} for c in both))


def clocks(per_element: dict[str, float]) -> tuple[float, str]:
    """Clocks of a multiprocessor for an element, and the pipe that takes them."""
    return max((per_element[pipe] / rate, pipe) for pipe, rate in RATES.items())
