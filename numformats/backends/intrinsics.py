"""Operations that Numba's Python lacks, as LLVM instructions. Their text is emitted into kernel
modules behind ``@intrinsic``, like every other text that a kernel depends on.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from llvmlite import ir
from numba.core import cgutils, types


def leading_zeros(context, x):
    def build(ctx, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return x(x), build


def real_to_bits(context, x):
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), build


def bits_to_real(context, x):
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), build


def float_to_bits(context, x):
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), build


def bits_to_float(context, x):
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), build


def whole_to_bits(context, n):
    def build(ctx, builder, signature, args):
        width = args[0].type.width
        real = builder.sitofp(args[0], ir.FloatType() if width == 32 else ir.DoubleType())
        return builder.bitcast(real, ir.IntType(width))

    return (types.uint32 if n.bitwidth == 32 else types.uint64)(n), build


def where(context, c, a, b):
    def build(ctx, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    return (a(c, a, b), build) if a == b else None


def shift_left(context, x, s):
    def build(ctx, builder, signature, args):
        kind = args[0].type
        inside = builder.icmp_unsigned("<", args[1], ir.Constant(kind, kind.width))
        return builder.select(inside, builder.shl(*args), ir.Constant(kind, 0))

    return x(x, s), build


def shift_right(context, x, s):
    def build(ctx, builder, signature, args):
        kind = args[0].type
        inside = builder.icmp_unsigned("<", args[1], ir.Constant(kind, kind.width))
        return builder.select(inside, builder.lshr(*args), ir.Constant(kind, 0))

    return x(x, s), build


def block_maxima(context, x, tops, j):
    """Write the largest magnitudes of 16 rows of ``x``, ``BLOCK`` long, from row ``j`` on to
    ``tops[j:]``. Pairs of vectors are merged lane by lane: LLVM would reduce row by row."""

    def build(ctx, builder, signature, args):
        places = [
            ctx.make_array(kind)(ctx, builder, array).data
            for array, kind in zip(args[:2], signature.args[:2], strict=True)
        ]
        element = ctx.get_data_type(signature.args[0].dtype)
        vector, size = ir.VectorType(element, 16), element.width // 8
        low_bits = ir.Constant(vector, [(1 << (element.width - 1)) - 1] * 16)
        first = builder.mul(args[2], ir.Constant(args[2].type, BLOCK))

        def larger(a, b):
            return builder.select(builder.icmp_unsigned(">", a, b), a, b)

        def row_part(at):
            place = builder.gep(places[0], [builder.add(first, ir.Constant(first.type, at))])
            values = builder.load(builder.bitcast(place, vector.as_pointer()), align=size)
            return builder.and_(values, low_bits)

        def merged(a, b):
            index = ir.VectorType(ir.IntType(32), 16)
            halves = [ir.Constant(index, list(range(k, 32, 2))) for k in (0, 1)]
            return larger(*(builder.shuffle_vector(a, b, half) for half in halves))

        parts = [row_part(at) for at in range(0, 16 * BLOCK, 16)]
        for _ in range(BLOCK // 16 - 1):
            parts = [larger(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        while len(parts) > 1:
            parts = [merged(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        place = builder.bitcast(builder.gep(places[1], [args[2]]), vector.as_pointer())
        builder.store(parts[0], place, align=size)
        return ctx.get_dummy_value()

    return types.void(x, tops, j), build


def fused(context, a, b, c):
    """``a * b + c`` rounded once."""

    def build(ctx, builder, signature, args):
        return builder.fma(*args)

    return (a(a, b, c), build) if a == b == c else None


def prefetch(context, x, i):
    """Ask for the cache line of element ``i`` of ``x``, which may lie beyond its end."""

    def build(ctx, builder, signature, args):
        data = ctx.make_array(signature.args[0])(ctx, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [place, *(ir.Constant(word, v) for v in (0, 3, 1))])
        return ctx.get_dummy_value()

    return types.void(x, i), build
