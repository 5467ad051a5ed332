"""Matrix products and their integer, fused and block-quantised forms: batch x M x N x K MACs."""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.rules.convolution import REQUANTISE, activation
from profiler.cost.values import FLOAT, INT32, Shape, broadcast, size


def matmul(call: Call) -> Result:
    """MatMul of NumPy: a vector is a row on the left and a column on the right."""
    return product(call, call.shape(0), call.shape(1), call.dtype())


def product(call: Call, a: Shape, b: Shape, dtype: int, each: int = 0) -> Result:
    """A product of stacks of matrices with `each` further operations an output element.

    Shapes: a [..., M, K], b [..., K, N], output [..., M, N].
    Raises: ValueError when the inner sizes differ.
    """
    row = (1, *a) if len(a) == 1 else a
    column = (*b, 1) if len(b) == 1 else b
    if isinstance(row[-1], int) and isinstance(column[-2], int) and row[-1] != column[-2]:
        raise ValueError("inner sizes differ")
    full = (*broadcast(row[:-2], column[:-2]), row[-2], column[-1])
    inner = row[-1] if isinstance(row[-1], int) else column[-2]
    out = full[:-2] + (full[-2:-1] if len(a) > 1 else ()) + (full[-1:] if len(b) > 1 else ())
    return Result(of(dtype, out), macs=size(full) * inner, flops=size(full) * each)


def gemm(call: Call) -> Result:
    """Gemm, alpha A B + beta C: one operation an output element for each of C, alpha, beta.

    Shapes: A [M, K], B [K, N], C broadcast to [M, N]; either may be given transposed.
    """
    a, b = call.shape(0), call.shape(1)
    a = a[::-1] if call.integer("transA") else a
    b = b[::-1] if call.integer("transB") else b
    each = call.has(2) + (call.number("alpha", 1.0) != 1.0) + activation(call)
    each += call.has(2) and call.number("beta", 1.0) != 1.0
    return product(call, a, b, call.dtype(), each)


def matmul_integer(call: Call) -> Result:
    """MatMulInteger: 8-bit inputs, 32-bit result."""
    return product(call, call.shape(0), call.shape(1), INT32)


def qlinear_matmul(call: Call) -> Result:
    """QLinearMatMul: every output is scaled, rounded, shifted and limited."""
    return product(call, call.shape(0), call.shape(3), call.dtype(7), REQUANTISE)


def fused_matmul(call: Call) -> Result:
    """FusedMatMul: transposes of the last axes or of the batch axes, a scale, an activation."""
    a = _oriented(call.shape(0), call.integer("transA"), call.integer("transBatchA"))
    b = _oriented(call.shape(1), call.integer("transB"), call.integer("transBatchB"))
    each = (call.number("alpha", 1.0) != 1.0) + activation(call)
    return product(call, a, b, call.dtype(), each)


def _oriented(shape: Shape, last: int, batch: int) -> Shape:
    if len(shape) < 2:
        return shape
    if batch:
        # The first axis is moved before the last one: [b1, .., bn, m, k] was [m, b1, .., bn, k].
        shape = (*shape[1:-1], shape[0], shape[-1])
    return (*shape[:-2], shape[-1], shape[-2]) if last else shape


def matmul_integer_to_float(call: Call) -> Result:
    """MatMulIntegerToFloat: a scale for every output and a bias where given."""
    return product(call, call.shape(0), call.shape(1), call.dtype(2), 1 + call.has(6))


def dynamic_quantize_matmul(call: Call) -> Result:
    """DynamicQuantizeMatMul: A is quantised first (seven operations an element), B already is."""
    found = product(call, call.shape(0), call.shape(1), FLOAT, 1 + call.has(4))
    return found._replace(flops=found.flops + 7 * size(call.shape(0)))


def qgemm(call: Call) -> Result:
    """QGemm: inputs and weights 8 bits, an int32 bias, and requantised where y_scale is given."""
    a, b = call.shape(0), call.shape(3)
    a = a[::-1] if call.integer("transA") else a
    b = b[::-1] if call.integer("transB") else b
    dtype = call.dtype() if call.has(7) else FLOAT
    return product(call, a, b, dtype, call.has(6) + (REQUANTISE if call.has(7) else 1))


def matmul_nbits(call: Call) -> Result:
    """MatMulNBits and MatMulBnb4: weights [N, K] of few bits in blocks, scaled as they are read."""
    k, n = call.integer("K"), call.integer("N")
    found = product(call, call.shape(0), (k, n), call.dtype(), int(call.has(5)))
    return found._replace(flops=found.flops + 2 * n * k)


def determinant(call: Call) -> Result:
    """Det by elimination: 2/3 n^3 operations a matrix."""
    x = call.shape(0)
    return Result(of(call.dtype(), x[:-2]), flops=2 * size(x) * x[-1] // 3)


def inverse(call: Call) -> Result:
    """Inverse by elimination: 2 n^3 operations a matrix."""
    x = call.shape(0)
    return Result(of(call.dtype(), x), flops=2 * size(x) * x[-1])


RULES: Family = {
    "MatMul": matmul,
    "Gemm": gemm,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "Det": determinant,
}
MICROSOFT: Family = {
    "FusedMatMul": fused_matmul,
    "TransposeMatMul": fused_matmul,
    "FusedMatMulActivation": fused_matmul,
    "FusedGemm": gemm,
    "GemmFloat8": gemm,
    "MatMulInteger16": matmul_integer,
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
    "QGemm": qgemm,
    "MatMulNBits": matmul_nbits,
    "MatMulBnb4": matmul_nbits,
    "MatMulFpQ4": matmul_nbits,
    "Inverse": inverse,
}
