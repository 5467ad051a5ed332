"""Recurrent cells: the MACs of one step times the steps; sequences are taken at full length.

Source: the equations of ONNX operators RNN, GRU and LSTM.
"""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result
from profiler.cost.rules.elementwise import SIGMOID
from profiler.cost.values import Type, size


def rnn(call: Call) -> Result:
    """RNN: one gate; an addition, two biases and a tanh a cell."""
    return _recurrent(call, 1, 3, 0, 2 + 2 * call.has(3))


def gru(call: Call) -> Result:
    """GRU: three gates; two sigmoids, a tanh and five operations to mix them."""
    return _recurrent(call, 3, 3, 0, 2 * SIGMOID + 6 + 3 * (1 + 2 * call.has(3)))


def lstm(call: Call) -> Result:
    """LSTM: four gates; three sigmoids, two tanh, four operations to mix, six with peepholes."""
    each = 3 * SIGMOID + 2 + 4 + 4 * (1 + 2 * call.has(3)) + 6 * call.has(7)
    return _recurrent(call, 4, 3, 1, each)


def dynamic_quantize_lstm(call: Call) -> Result:
    """DynamicQuantizeLSTM: the inputs of every step are quantised, and its products scaled.

    Shapes: weights as [directions, C, 4 hidden], transposed against LSTM's.
    """
    found = lstm(call)
    x = call.shape(0)
    steps = size(x[:2]) * call.shape(1)[0]
    hidden = call.integer("hidden_size")
    return found._replace(flops=found.flops + steps * (7 * (x[2] + hidden) + 8 * hidden))


def _recurrent(call: Call, gates: int, bias: int, cell: int, each: int) -> Result:
    """Shapes: x [T, B, C] (layout 1: [B, T, C]), w [D, gates H, C], r [D, gates H, H]."""
    x = call.shape(0)
    batch_first = call.integer("layout")
    steps, batch = (x[1], x[0]) if batch_first else (x[0], x[1])
    directions = call.shape(1)[0]
    hidden = call.integer("hidden_size") or call.shape(2)[2]
    cells = steps * batch * directions * hidden
    if batch_first:
        sequence, last = (batch, steps, directions, hidden), (batch, directions, hidden)
    else:
        sequence, last = (steps, directions, batch, hidden), (directions, batch, hidden)
    dtype = call.dtype()
    outputs = (Type(dtype, sequence), Type(dtype, last), Type(dtype, last))[: 2 + cell]
    return Result(outputs[: call.outputs], macs=cells * gates * (x[2] + hidden), flops=cells * each)


RULES: Family = {"RNN": rnn, "GRU": gru, "LSTM": lstm}
MICROSOFT: Family = {"DynamicQuantizeLSTM": dynamic_quantize_lstm}
