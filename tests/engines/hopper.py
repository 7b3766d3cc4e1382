"""Hopper's own matrix instructions, one at a time: ``mma.sync`` and ``wgmma`` as inline PTX.

Operands are 32-bit words of 1, 2 or 4 elements along K: a is (M, words), b is (N, words), and an
instruction takes 8 words a row. Where a register's elements lie is written in PTX ISA, "Matrix
multiply-accumulate": lane = 4 g + t holds of a the word ``t + 4 (r >> 1)`` of row ``g + 8 (r & 1)``
in register r, and of b the word ``t + 4 r`` of column g.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import numformats as nf

PTX_NAMES = {"fp16": "f16", "bf16": "bf16", "tf32": "tf32", "e4m3": "e4m3", "e5m2": "e5m2"}
WORDS = 8  # along K, of one instruction
PLACES = """
__device__ __forceinline__ int a_row(int lane, int r) { return (lane >> 2) + 8 * (r & 1); }
__device__ __forceinline__ int a_word(int lane, int r) { return (lane & 3) + 4 * (r >> 1); }
__device__ __forceinline__ int b_column(int lane) { return lane >> 2; }
__device__ __forceinline__ int b_word(int lane, int r) { return (lane & 3) + 4 * r; }
__device__ __forceinline__ int d_row(int lane, int r) {
  return (lane >> 2) + 8 * (WIDE ? r >> 1 : r);
}
__device__ __forceinline__ int d_word(int lane, int r) {
  return WIDE ? 2 * (lane & 3) + (r & 1) : lane & 3;
}
"""
KERNEL = """
extern "C" __global__ void run(const unsigned* a, const unsigned* b, const unsigned* c, unsigned* d,
                               int columns, int steps) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, words = 8 * steps;
  const int row = blockIdx.y * ROWS + 16 * warp, column = blockIdx.x * 8;
  const int stride = WIDE ? columns : columns / 2;
  const unsigned at = WIDE ? column : column / 2;
  ACC acc[REGS];
  unsigned x[4], y[2];
  for (int r = 0; r < REGS; ++r)
    acc[r] = AS_ACC(c[(size_t)(row + d_row(lane, r)) * stride + at + d_word(lane, r)]);
  for (int k = 0; k < words; k += 8) {
    for (int r = 0; r < 4; ++r)
      x[r] = a[(size_t)(row + a_row(lane, r)) * words + k + a_word(lane, r)];
    for (int r = 0; r < 2; ++r)
      y[r] = b[(size_t)(column + b_column(lane)) * words + k + b_word(lane, r)];
    STEP
  }
  for (int r = 0; r < REGS; ++r)
    d[(size_t)(row + d_row(lane, r)) * stride + at + d_word(lane, r)] = AS_WORD(acc[r]);
}
"""
# b for wgmma in shared memory, without swizzle: two core matrices along K of 8 columns of 4 words
SHARED = """
    __shared__ __align__(128) unsigned tile[64];
    if (warp == 0)
      for (int r = 0; r < 2; ++r) tile[32 * r + 4 * b_column(lane) + (lane & 3)] = y[r];
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    const unsigned long long start = (unsigned)__cvta_generic_to_shared(tile);
    const unsigned long long desc = (start & 0x3FFFF) >> 4 | 8ull << 16 | 16ull << 32;
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    ASM
    asm volatile("wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;" ::: "memory");
    __syncthreads();
"""


class Instruction(NamedTuple):
    """An instruction of a unit, and how many elements it takes along K."""

    source: str
    rows: int
    per_word: int


def elements_per_word(fmt: str) -> int:
    """How many elements of a format lie in 32 bits, as the instructions take them."""
    return {"tf32": 1, "fp16": 2, "bf16": 2}.get(fmt, 4)


def instruction(path: str, a: str, b: str, output: str) -> Instruction:
    """CUDA C++ of a kernel around one instruction."""
    per_word, wide = elements_per_word(a), output == "fp32"
    registers, kind = (4, "f") if wide else (2, "r")
    d = ", ".join(f"%{i}" for i in range(registers))
    x = ", ".join(f"%{registers + i}" for i in range(4))
    accumulators = ", ".join(f'"+{kind}"(acc[{i}])' for i in range(registers))
    inputs = ", ".join(f'"r"(x[{i}])' for i in range(4))
    types = f"{'f32' if wide else 'f16'}.{PTX_NAMES[a]}.{PTX_NAMES[b]}"
    k = WORDS * per_word
    if path == "mma":
        y = f"%{registers + 4}, %{registers + 5}"
        name = f"mma.sync.aligned.m16n8k{k}.row.col.{types}.{'f32' if wide else 'f16'}"
        call = f'asm volatile("{name} {{{d}}}, {{{x}}}, {{{y}}}, {{{d}}};"'
        step = f'{call} : {accumulators} : {inputs}, "r"(y[0]), "r"(y[1]));'
    else:
        major = ", 0" if per_word == 2 else ""  # b as it lies; other types know no other way
        name = f"wgmma.mma_async.sync.aligned.m64n8k{k}.{types}"
        call = (
            f'asm volatile("{{ .reg .pred p; setp.ne.b32 p, 1, 0; {name} {{{d}}}, {{{x}}}, '
            f'%{registers + 4}, p, 1, 1{major}; }}"'
        )
        step = SHARED.replace("ASM", f'{call} : {accumulators} : {inputs}, "l"(desc) : "memory");')
    defines = {
        "WIDE": str(int(wide)), "REGS": str(registers), "ROWS": "16" if path == "mma" else "64",
        "ACC": "float" if wide else "unsigned",
        "AS_ACC(w)": "__uint_as_float(w)" if wide else "(w)",
        "AS_WORD(v)": "__float_as_uint(v)" if wide else "(v)",
    }  # fmt: skip
    head = "".join(f"#define {name} {text}\n" for name, text in defines.items())
    source = head + PLACES + KERNEL.replace("STEP", step)
    return Instruction(source, 16 if path == "mma" else 64, per_word)


def stored(x: np.ndarray, fmt: str) -> np.ndarray:
    """Numbers (rows, K) as words along K."""
    if fmt == "tf32":
        return np.ascontiguousarray(x, np.float32).view(np.uint32)
    codes = np.ascontiguousarray(nf.encode(np.asarray(x, np.float32), fmt))
    return codes.view(np.uint32)


def products(
    unit: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray, code: bytes, path: str
) -> np.ndarray:
    """``a @ b + c`` by the chip: ``code`` is the cubin of the unit's instruction at ``path``."""
    import cupy

    with open(path, "wb") as file:
        file.write(code)
    kernel = cupy.RawModule(path=path).get_function("run")
    made = instruction(unit.path, unit.a, unit.b, unit.output)
    left, right = (cupy.asarray(stored(x, f)) for x, f in ((a, unit.a), (b.T, unit.b)))
    third = cupy.asarray(np.ascontiguousarray(c))
    out = cupy.empty_like(third)
    grid = (c.shape[1] // 8, c.shape[0] // made.rows)
    steps = np.int32(left.shape[1] // WORDS)
    given = (left, right, third.view(cupy.uint32), out.view(cupy.uint32))
    kernel(grid, (2 * made.rows,), (*given, np.int32(c.shape[1]), steps))
    return cupy.asnumpy(out)
