"""Operations on reals for the Numba CUDA kernels: products that no compiler contracts, and
conversions that keep the bits of NaN.
"""

import ast
from collections.abc import Callable
from typing import Any

from numformats.backends.emit import text_of

# The compiler would contract a * b + c to one operation with one rounding; it leaves these alone.
_REALS = """
if config.ENABLE_CUDASIM:
    def product(a, b):
        return a * b

    single_product = product
    root, floor_of = np.sqrt, np.floor
    single_root, single_floor = root, floor_of
else:
    from numba.cuda import libdevice

    @device
    def product(a, b):
        return libdevice.dmul_rn(a, b)

    @device
    def single_root(x):
        return libdevice.fsqrt_rn(x)

    @device
    def single_floor(x):
        return libdevice.floorf(x)

    @device
    def single_product(a, b):
        return libdevice.fmul_rn(a, b)

    @device
    def root(x):
        return libdevice.dsqrt_rn(x)

    @device
    def floor_of(x):
        return libdevice.floor(x)
"""
# As reals: the simulator's fused multiply-add is that of the core text.
_FUSED = """
if config.ENABLE_CUDASIM:
    from numformats.core.lane import fused as exact

    def fused(a, b, c):
        return F32(exact(a, b, c))
else:
    @device
    def fused(a, b, c):
        return libdevice.fmaf_rn(a, b, c)

@device
def float_to_bits(x):
    return F32(x).view(W32)

@device
def bits_to_float(x):
    return W32(x).view(F32)

@device
def wide_bits(bits):
    if W32(bits & W32(0x7FFFFFFF)) <= W32(0x7F800000):
        return real_to_bits(F64(bits_to_float(bits)))
    sign, rest = U64(bits >> W32(31)), U64(bits & W32(0x7FFFFF))
    return U64(U64(sign << U64(63)) | U64(U64(0x7FF << 52) | U64(rest << U64(29))))

@device
def single_bits(bits):
    if U64(bits & U64(0x7FFFFFFFFFFFFFFF)) <= U64(0x7FF << 52):
        return float_to_bits(F32(bits_to_real(bits)))
    sign, rest = W32(bits >> U64(63)), W32(U64(bits >> U64(29)) & U64(0x7FFFFF))
    return W32(W32(sign << W32(31)) | W32(W32(0x7F800000) | rest))
"""


_SINGLE = {"product": "single_product", "root": "single_root", "floor_of": "single_floor"}


class _Products(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mult):
            return node
        name = ast.Name("product", ast.Load())
        return ast.Call(name, [node.left, node.right], [])

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``F32`` around an operation makes it one of float32; ``mostly`` branches."""
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("F32"), [ast.Call(ast.Name(name) as called)]):
                called.id = _SINGLE.get(name, name)
            case ast.Call(ast.Name("mostly"), [flag, usual, rare]):
                return ast.IfExp(flag, usual, rare)
        return node


def real_text(function: Callable[..., Any]) -> str:
    """A text over reals, its products out of reach of contraction."""
    tree = _Products().visit(ast.parse(text_of(function)))
    return "@device\n" + ast.unparse(ast.fix_missing_locations(tree))


def reals_text() -> str:
    """The module of these operations."""
    return _REALS + _FUSED
