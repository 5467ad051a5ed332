"""Sequences, optionals and text: no arithmetic."""

from __future__ import annotations

from profiler.cost.call import Call, Family, Result, axis_of, of
from profiler.cost.values import (
    BOOL,
    INT64,
    NOTHING_KNOWN,
    STRING,
    UNKNOWN,
    Sequence,
    Type,
    UnknownSize,
    broadcast,
)


def _sequence(call: Call, index: int = 0) -> Sequence:
    found = call.inputs[index]
    if not isinstance(found, Sequence):
        raise UnknownSize
    return found


def _made(items: tuple[Type, ...] | None, element: Type | None = None) -> Result:
    if element is None:
        element = items[0] if items else NOTHING_KNOWN
    return Result((Sequence(items, element),), reuse="view", read=0, written=0)


def construct(call: Call) -> Result:
    """SequenceConstruct: the inputs in order."""
    return _made(tuple(call.tensor(index) for index in range(len(call.inputs))))


def empty(call: Call) -> Result:
    """SequenceEmpty: of a given element type."""
    return _made((), Type(call.integer("dtype", 1), None))


def at(call: Call) -> Result:
    """SequenceAt: one item; where it is not known which, what all items have in common."""
    found = _sequence(call)
    place = call.numbers(1)
    if found.items and place is not None:
        item = found.items[int(place.ravel()[0])]
    elif found.items and len(set(found.items)) == 1:
        item = found.items[0]
    else:
        item = found.element if found.items is None else Type(found.element.dtype, None)
    return Result((item,), reuse="view", read=0, written=0)


def insert(call: Call) -> Result:
    """SequenceInsert: at a place or at the end."""
    found = _sequence(call)
    items = list(found.items) if found.items is not None else None
    if items is None or (call.has(2) and call.numbers(2) is None):
        return _made(None, found.element)
    items.insert(int(call.needed(2).ravel()[0]) if call.has(2) else len(items), call.tensor(1))
    return _made(tuple(items))


def erase(call: Call) -> Result:
    """SequenceErase: at a place or the last."""
    found = _sequence(call)
    items = list(found.items) if found.items is not None else None
    if not items or (call.has(1) and call.numbers(1) is None):
        return _made(None, found.element)
    del items[int(call.needed(1).ravel()[0]) if call.has(1) else -1]
    return _made(tuple(items), found.element)


def length(call: Call) -> Result:
    """SequenceLength."""
    return Result(of(INT64, ()), read=0)


def concat_from(call: Call) -> Result:
    """ConcatFromSequence: along an axis, or stacked along a new one."""
    items = _sequence(call).items
    if not items or any(item.shape is None for item in items):
        raise UnknownSize
    shapes = [item.shape or () for item in items]
    if call.integer("new_axis"):
        axis = axis_of(call.integer("axis"), len(shapes[0]) + 1)
        out = (*shapes[0][:axis], len(shapes), *shapes[0][axis:])
    else:
        axis = axis_of(call.integer("axis"), len(shapes[0]))
        out = (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])
    return Result(of(items[0].dtype, out))


def split_to(call: Call) -> Result:
    """SplitToSequence: parts of a size, of given sizes, or single slices."""
    x = call.shape(0)
    axis = axis_of(call.integer("axis"), len(x))
    if call.has(1):
        given = call.needed(1)
        sizes = given.tolist() if given.ndim else _equal(x[axis], int(given))
        keep = True
    else:
        sizes, keep = [1] * int(x[axis]), bool(call.integer("keepdims", 1))
    parts = ((*x[:axis], *((part,) if keep else ()), *x[axis + 1 :]) for part in sizes)
    return _made(tuple(Type(call.dtype(), part) for part in parts))


def _equal(dim: int, part: int) -> list[int]:
    return [part] * (dim // part) + ([dim % part] if dim % part else [])


def optional(call: Call) -> Result:
    """Optional, OptionalGetElement: the value itself."""
    if not call.inputs:
        return Result((NOTHING_KNOWN,), reuse="view", read=0, written=0)
    return Result((call.inputs[0],), reuse="view", read=0, written=0)


def has_element(call: Call) -> Result:
    """OptionalHasElement."""
    return Result(of(BOOL, ()), read=0)


def string_concat(call: Call) -> Result:
    """StringConcat: stretched to each other."""
    return Result(of(STRING, broadcast(call.shape(0), call.shape(1))))


def string_split(call: Call) -> Result:
    """StringSplit: a new axis as long as the longest split, and how many parts each has."""
    x = call.shape(0)
    return Result((Type(STRING, (*x, UNKNOWN)), Type(INT64, x))[: call.outputs])


def normalise(call: Call) -> Result:
    """StringNormalizer: how many words are left depends on the text where some are stopped."""
    x = call.shape(0)
    stopped = "stopwords" in call.attributes
    return Result(of(STRING, (*x[:-1], UNKNOWN) if stopped else x))


def match(call: Call) -> Result:
    """RegexFullMatch: a truth value for each text."""
    return Result(of(BOOL, call.shape(0)))


def tf_idf(call: Call) -> Result:
    """TfIdfVectorizer: as long as the largest place that a term may have."""
    x = call.shape(0)
    places = call.integers("ngram_indexes") or (0,)
    return Result(of(1, (*x[:-1], max(places) + 1)))


RULES: Family = {
    "SequenceConstruct": construct,
    "SequenceEmpty": empty,
    "SequenceAt": at,
    "SequenceInsert": insert,
    "SequenceErase": erase,
    "SequenceLength": length,
    "ConcatFromSequence": concat_from,
    "SplitToSequence": split_to,
    "Optional": optional,
    "OptionalGetElement": optional,
    "OptionalHasElement": has_element,
    "StringConcat": string_concat,
    "StringSplit": string_split,
    "StringNormalizer": normalise,
    "RegexFullMatch": match,
    "TfIdfVectorizer": tf_idf,
}
