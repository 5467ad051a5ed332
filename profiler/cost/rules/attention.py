"""Attention: the products of queries with keys and of scores with values, over the full matrix.

A causal mask does not halve the count: runtimes differ in whether they skip the masked half.
A score takes a scaling, a softmax (five), and one for each mask, bias or three for a soft cap.
"""

from __future__ import annotations

from typing import NamedTuple

from profiler.cost.call import Call, Family, Result, of
from profiler.cost.values import FLOAT, Shape, Type, size

_SOFTMAX, _SCALE, _SOFTCAP, _ROTATION = 5, 1, 3, 3


class Heads(NamedTuple):
    """The sizes of one attention; keys and values may have fewer heads than queries."""

    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    head: int
    value_head: int

    @property
    def scores(self) -> int:
        """The elements of the score matrices."""
        return self.batch * self.heads * self.queries * self.keys

    @property
    def macs(self) -> int:
        """The MACs of both products."""
        return self.scores * (self.head + self.value_head)

    def present(self, dtype: int) -> tuple[Type, Type]:
        """The keys and values that the next step needs."""
        shape = (self.batch, self.kv_heads, self.keys)
        return Type(dtype, (*shape, self.head)), Type(dtype, (*shape, self.value_head))

    def matrix(self) -> Shape:
        """The shape of the scores."""
        return (self.batch, self.heads, self.queries, self.keys)


def attention(call: Call) -> Result:
    """Attention of ONNX: [B, heads, L, d] or packed [B, L, heads * d], with a cache or without."""
    q, k, v = call.shape(0), call.shape(1), call.shape(2)
    past = call.shape(4)[2] if call.has(4) else 0
    if len(q) == 4:
        sizes = Heads(q[0], q[1], k[1], q[2], k[2] + past, q[3], v[3])
        out: Shape = (*q[:3], v[3])
    else:
        heads, kv = call.integer("q_num_heads", 1), call.integer("kv_num_heads", 1)
        sizes = Heads(q[0], heads, kv, q[1], k[1] + past, q[2] // heads, v[2] // kv)
        out = (*q[:2], heads * sizes.value_head)
    each = _SCALE + _SOFTMAX + (call.has(3) or call.integer("is_causal"))
    each += _SOFTCAP if call.number("softcap") else 0
    dtype = call.dtype()
    outputs = (Type(dtype, out), *sizes.present(dtype), Type(dtype, sizes.matrix()))
    return Result(outputs[: call.outputs], macs=sizes.macs, flops=sizes.scores * each)


def flex_attention(call: Call) -> Result:
    """FlexAttention: the two products and the softmax; its modifiers are counted as graphs."""
    q, k, v = call.shape(0), call.shape(1), call.shape(2)
    sizes = Heads(q[0], q[1], k[1], q[2], k[2], q[3], v[3])
    return Result(
        of(call.dtype(), (*q[:3], v[3])),
        macs=sizes.macs,
        flops=sizes.scores * (_SCALE + _SOFTMAX),
    )


def self_attention_ms(call: Call, mask: int = 3, past: int = 4, bias: int = 5) -> Result:
    """Attention of com.microsoft: the projection to queries, keys and values is part of it.

    Shapes: x [B, S, C], weights [C, q + k + v], past [2, B, heads, P, d], output [B, S, v].
    """
    x, w = call.shape(0), call.shape(1)
    hidden = call.integers("qkv_hidden_sizes") or (w[1] // 3,) * 3
    before = call.shape(past)[3] if call.has(past) else 0
    heads = call.integer("num_heads", 1)
    sizes = Heads(x[0], heads, heads, x[1], x[1] + before, hidden[0] // heads, hidden[2] // heads)
    projection = size(x) * w[1]
    each = (
        _SCALE + _SOFTMAX + call.has(mask) + call.has(bias) + bool(call.integer("unidirectional"))
    )
    present = Type(FLOAT, (2, x[0], heads, sizes.keys, sizes.head))
    outputs = (Type(FLOAT, (x[0], x[1], hidden[2])), present)
    return Result(
        outputs[: call.outputs],
        macs=projection + sizes.macs,
        flops=sizes.scores * each + size(x[:2]) * w[1] * call.has(2),
    )


def quantised_attention(call: Call) -> Result:
    """QAttention: the projection in 8 bits and scaled, the rest as in Attention."""
    found = self_attention_ms(call, mask=5, past=8, bias=99)
    x, w = call.shape(0), call.shape(1)
    return found._replace(flops=found.flops + size(x[:2]) * w[1])


def multi_head_attention(call: Call) -> Result:
    """MultiHeadAttention: projections are done; keys and values apart, or packed with the query.

    Shapes: query [B, S, H] or packed [B, S, heads, 3, d]; key [B, L, H], packed with the value
    [B, L, heads, 2, d], or cached [B, heads, L, d]; output [B, S, H of the value].
    """
    q = call.shape(0)
    heads = call.integer("num_heads", 1)
    hidden = q[2] if len(q) == 3 else heads * q[4]
    keys, value = _keys_and_values(call, q, hidden, heads)
    past = call.shape(6)[2] if call.has(6) else 0
    sizes = Heads(q[0], heads, heads, q[1], keys + past, hidden // heads, value // heads)
    each = _SCALE + _SOFTMAX + call.has(4) + call.has(5) + bool(call.integer("unidirectional"))
    bias = (q[0] * q[1] * hidden + q[0] * keys * (hidden + value)) * call.has(3)
    dtype = call.dtype()
    outputs = (Type(dtype, (q[0], q[1], value)), *sizes.present(dtype))
    flops = sizes.scores * each + bias
    return Result(outputs[: call.outputs], macs=sizes.macs, flops=flops)


def _keys_and_values(call: Call, q: Shape, hidden: int, heads: int) -> tuple[int, int]:
    if not call.has(1):
        return q[1], hidden
    k = call.shape(1)
    if not call.has(2):
        return k[1], hidden
    v = call.shape(2)
    return (k[2], heads * v[3]) if len(k) == 4 else (k[1], v[2])


def group_query_attention(call: Call) -> Result:
    """GroupQueryAttention: with a cache, packed or not, its rotation where asked.

    Shapes: query [B, S, heads * d] or [B, S, (heads + 2 kv_heads) * d], cache [B, kv_heads, P, d].
    """
    q = call.shape(0)
    heads, kv = call.integer("num_heads", 1), call.integer("kv_num_heads", 1)
    head = q[2] // heads if call.has(1) else q[2] // (heads + 2 * kv)
    past = call.shape(3)[2] if call.has(3) else 0
    total = call.numbers(6)
    keys = int(total.ravel()[0]) if total is not None else past + q[1]
    sizes = Heads(q[0], heads, kv, q[1], keys, head, head)
    rotated = q[0] * q[1] * (heads + kv) * head * _ROTATION if call.integer("do_rotary") else 0
    each = _SCALE + _SOFTMAX + 1 + (_SOFTCAP if call.number("softcap") else 0)
    dtype = call.dtype()
    outputs = (Type(dtype, (q[0], q[1], heads * head)), *sizes.present(dtype))
    flops = sizes.scores * each + rotated
    return Result(outputs[: call.outputs], macs=sizes.macs, flops=flops)


def rotary_embedding(call: Call) -> Result:
    """RotaryEmbedding: two products and a sum for each element that is rotated."""
    x = call.shape(0)
    part = call.integer("rotary_embedding_dim")
    rotated = size(x)
    if part:
        head = x[3] if len(x) == 4 else x[2] // max(call.integer("num_heads"), 1)
        rotated = rotated * part // head
    return Result(of(call.dtype(), x), flops=rotated * _ROTATION)


def linear_attention(call: Call) -> Result:
    """LinearAttention: the state [d, d_v] of a head is read once a token and written once.

    The delta rules read it once more; the gated ones scale it.
    Shapes: query [B, T, heads * d], key [B, T, kv * d], value [B, T, kv * d_v].
    """
    q, k, v = call.shape(0), call.shape(1), call.shape(2)
    heads, kv = call.integer("q_num_heads", 1), call.integer("kv_num_heads", 1)
    head, value = k[2] // kv, v[2] // kv
    rule = call.text("update_rule", "gated_delta")
    state = q[0] * q[1] * head * value
    gated = state * kv if "gated" in rule else 0
    delta = 2 * q[0] * q[1] * kv * value if "delta" in rule else 0
    dtype = call.dtype()
    outputs = (
        Type(dtype, (q[0], q[1], heads * value)),
        Type(call.dtype(3) if call.has(3) else dtype, (q[0], kv, head, value)),
    )
    return Result(
        outputs[: call.outputs],
        macs=state * (heads + kv * (2 if "delta" in rule else 1)),
        flops=gated + delta + q[0] * q[1] * heads * value,
    )


RULES: Family = {
    "Attention": attention,
    "RotaryEmbedding": rotary_embedding,
    "LinearAttention": linear_attention,
}
PREVIEW: Family = {"FlexAttention": flex_attention}
MICROSOFT: Family = {
    "Attention": self_attention_ms,
    "QAttention": quantised_attention,
    "MultiHeadAttention": multi_head_attention,
    "GroupQueryAttention": group_query_attention,
    "RotaryEmbedding": rotary_embedding,
    "LinearAttention": linear_attention,
}
