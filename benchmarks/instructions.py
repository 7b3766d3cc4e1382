"""Instructions an element of the CUDA kernels, from their machine code: the arithmetic bound beside
the memory bound, without a GPU.

Run ``python -m benchmarks.instructions`` (needs cuda-core and nvidia-cuda-nvdisasm). Every kernel
is compiled by NVRTC for one target and disassembled; what is counted is its main loop, from its
label to its jump back, divided by the elements that a thread handles in one turn.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile
from typing import Any

import numformats as nf
from numformats.backends.cuda_launch import FLIGHT
from numformats.backends.cuda_source import Spec, Unit
from numformats.backends.cuda_text import source
from numformats.block_tasks import scale_spec
from numformats.lanes import CARRIERS
from numformats.lowering import code_spec, lower
from numformats.rounding import MODES

CASES = [
    ("e4m3", "nearest_even"), ("e4m3", "toward_zero"), ("e5m2", "nearest_even"),
    ("bf16", "nearest_even"), ("fixed<8,4>", "nearest_even"), ("e4m3", "stochastic"),
    ("fixed<8,4>", "stochastic"), ("mxfp8_e4m3", "nearest_even"), ("mxfp4", "nearest_even"),
    ("bfp<8,block=16>", "nearest_even"), ("bfp<8,block=16>", "stochastic"),
]  # fmt: skip
VECTOR = 4  # float32 in 16 bytes


def unit(fmt: Any, mode: str) -> Unit:
    """The kernel of ``fmt`` on float32."""
    c, m = CARRIERS["float32"], MODES[mode]
    blocks = isinstance(fmt, nf.BlockFloat)
    element = fmt.element if blocks else fmt
    scale = scale_spec(fmt, c.lane) if blocks else None
    spec = Spec(c, m, lower(element, c, m), code_spec(element, c.lane), False, "uint32", scale)
    return Unit(c.lane, spec, fmt.block_size // VECTOR if blocks else 0)


def machine_code(text: str, target: str) -> list[str]:
    """The instructions and labels of a translation unit."""
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(arch=target, std="c++20", fma=False)
    code = Program(text, "c++", options).compile("cubin").code
    tool = next(pathlib.Path(sysconfig.get_path("purelib")).glob("nvidia/**/bin/nvdisasm"))
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        done = subprocess.run([str(tool), "-c", file.name], capture_output=True, text=True)
    done.check_returncode()
    return done.stdout.splitlines()


def main_loop(lines: list[str]) -> list[str]:
    """The instructions of the loop that stores vectors; of two (streams of random words start at an
    even or an odd one) the shorter, which is the usual one."""
    labels, body, loops = {}, [], []
    for line in lines:
        if found := re.match(r"(\.L_x_\d+):", line):
            labels[found[1]] = len(body)
        elif found := re.match(r"\s+/\*[0-9a-f]{4}\*/\s+(.*?);", line):
            body.append(found[1])
            jump = re.search(r"BRA.*`\((\.L_x_\d+)\)", found[1])
            if jump and jump[1] in labels and labels[jump[1]] < len(body) - 1:
                loops.append(body[labels[jump[1]] :])
    vectors = [loop for loop in loops if sum(".128" in line and "STG" in line for line in loop) > 1]
    return min(vectors, key=len)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="sm_90")
    target = parser.parse_args().target
    print(f"{target}, float32, {VECTOR * FLIGHT} elements a thread and turn of the main loop")
    print(f"{'format':18} {'rounding':14} {'instructions an element':>24}")
    for name, mode in CASES:
        loop = main_loop(machine_code(source({"K": unit(nf.parse(name), mode)}), target))
        print(f"{name:18} {mode:14} {len(loop) / (VECTOR * FLIGHT):24.1f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
