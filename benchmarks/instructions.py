"""The arithmetic bound of the CUDA kernels beside the memory bound, without a GPU: what
``benchmarks.gpu`` measures, counted in machine code for compute capability 9.0.

Run ``python -m benchmarks.instructions`` (needs cuda-core and nvidia-cuda-nvdisasm). Every case is
called on a stand-in for the device that notes the kernels; each is compiled, disassembled, and the
instructions of its main loop are counted by pipe.
"""

import argparse
import pathlib
import re
import sys
from typing import Any

import torch

from benchmarks.gpu_cases import BYTES, CASES, run
from benchmarks.machine_code import Loop, clocks, disassembled, main_loop
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import UnitBase, source
from tests.host_cuda import Collector

TARGET = "sm_90"
# An H100 SXM: multiprocessors, clock in Hz, bytes a second that a copy may reach at most.
MULTIPROCESSORS, CLOCK, BANDWIDTH = 132, 1.755e9, 3.35e12
ELEMENTS = 1 << 12
# Arrays of float32 that a kernel reads; the others read one.
READS = {"langevin": 2, "underdamped": 3}
ONCE = ("levels",)  # once a block: not counted
Compiled = tuple[bytes, str]


def machine_code(text: str, kind: str) -> bytes:
    """Machine code of CUDA C++ or PTX, as both backends ask for it."""
    from cuda.core import Program, ProgramOptions

    more = {"std": "c++20", "fma": False} if kind == "c++" else {}
    return bytes(Program(text, kind, ProgramOptions(arch=TARGET, **more)).compile("cubin").code)


class Noted(Collector):
    """A machine that compiles what is launched, and runs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Compiled] = []

    def launch(
        self, unit: UnitBase, entry: int, blocks: int, args: tuple[Any, ...], like: Any
    ) -> None:
        """Note the kernel."""
        name = unit.entries("K")[entry].name
        self.kernels.append((machine_code(source({"K": unit}), "c++"), name))


def cupy_kernels() -> list[Compiled]:
    """What the CuPy backend launches from now on."""
    machine, registry = Noted(), sys.modules["numformats.backends"]
    held = registry.Availability(True, "")
    registry._BACKENDS["cupy_cuda"] = registry.Backend("host", lambda: held)
    sys.modules["numformats.backends.cupy_cuda"] = CudaTasks(machine)  # type: ignore[assignment]
    return machine.kernels


def numba_kernels() -> list[Compiled]:
    """What the Numba CUDA backend launches from now on."""
    from numba import cuda, typeof

    from numformats.backends import numba_cuda, numba_cuda_real, numba_cuda_underdamped
    from tests.emulated.numba_kernels import Host, stand_in

    kernels: list[Compiled] = []

    class Noting(Host):
        def launch(self, kernel: Any, threads: int, like: Any, *args: Any) -> None:
            signature = tuple(map(typeof, args))
            text, _ = cuda.compile_ptx(kernel.py_func, signature, cc=(9, 0))
            name = re.search(r"\.entry\s+(\S+?)\(", text)
            assert name is not None
            kernels.append((machine_code(text, "ptx"), name[1]))

    stand_in(Noting(pathlib.Path()), [numba_cuda, numba_cuda_real, numba_cuda_underdamped])
    return kernels


def loops(kernels: list[Compiled]) -> list[Loop] | None:
    """The main loops of a case's kernels; None where one cannot be counted."""
    found = []
    for cubin, name in kernels:
        if any(once in name for once in ONCE):
            continue
        arrays = next((n for word, n in READS.items() if word in name), 1)
        found.append(main_loop(disassembled(cubin), name, arrays))
    return None if None in found else [loop for loop in found if loop]


def row(fmt: str, rounding: str, bar: float, kernels: list[Compiled]) -> str:
    """A line of the table."""
    counted, moved = loops(kernels), BYTES.get(rounding, 8)
    if counted is None:
        return f"{fmt:16} {rounding:19} loops within the loop: not counted"
    cells = []
    for ways in ([loop.cheapest for loop in counted], [loop.in_all for loop in counted]):
        taken, pipe = sum(clocks(way)[0] for way in ways), clocks(ways[-1])[1]
        rate = MULTIPROCESSORS * CLOCK / taken * moved
        total = sum(way["issue"] for way in ways)
        cells.append(f"{total:8.1f} {pipe:>9} {rate / BANDWIDTH:6.2f}")
    return f"{fmt:16} {rounding:19} {bar or '-':>5} {cells[0]} {cells[1]}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("cupy_cuda", "numba_cuda"), default="cupy_cuda")
    backend = parser.parse_args().backend
    kernels = cupy_kernels() if backend == "cupy_cuda" else numba_kernels()
    print(f"{backend}, {TARGET}, float32; instructions an element, the busiest pipe, and the share")
    print(f"of {BANDWIDTH / 1e12} TB/s that {MULTIPROCESSORS} multiprocessors at", end=" ")
    print(f"{CLOCK / 1e9} GHz allow: of the cheapest whole turn, and of all")
    x = torch.ones(ELEMENTS)
    for fmt, rounding, bar in CASES:
        kernels.clear()
        run(x, fmt, rounding, torch.zeros_like(x), backend)
        print(row(fmt, rounding, bar, kernels), flush=True)


if __name__ == "__main__":
    main()
