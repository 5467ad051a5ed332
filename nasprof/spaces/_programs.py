"""Attention written as a small program: shapes checked, dead steps dropped, text both ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.core.errors import InputError

INPUTS = ("Q", "K", "V")
UNARY = ("neg", "transpose", "scale", "softmax", "logsigmoid", "softsign")
BINARY = ("add", "matmul", "cosine", "euclid")
OPS = ("none", *UNARY, *BINARY)
STEPS = 12
"""Most steps of a program."""

Shape = tuple[str, str]
HIDDEN: Shape = ("T", "D")
"""Rows are the tokens (T) and columns the features of a head (D)."""

_TOKEN = re.compile(r"[A-Za-z]+|[(),]")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation; operands 0, 1, 2 are Q, K, V and 3 + i is the result of step i."""

    op: str
    a: int
    b: int = 0


Program = tuple[Step, ...]

STANDARD: Program = (
    Step("transpose", 1),
    Step("matmul", 0, 3),
    Step("scale", 4),
    Step("softmax", 5),
    Step("matmul", 6, 2),
)
"""Scaled dot-product attention: what a program without a single usable step becomes."""


def result_shape(step: Step, shapes: Sequence[Shape]) -> Shape | None:
    """The shape of a step's result, None when the operands do not fit."""
    a, b = shapes[step.a], shapes[step.b]
    if step.op in UNARY:
        return (a[1], a[0]) if step.op == "transpose" else a
    if step.op == "add":
        return a if a == b else None
    if step.op == "matmul":
        return (a[0], b[1]) if a[1] == b[0] else None
    # Cosine similarity and Euclidean distance compare each row of a with each row of b.
    return (a[0], b[0]) if a[1] == b[1] else None


def mended(wanted: Sequence[tuple[int, int, int]]) -> Program:
    """Make a valid program of any steps (operation code, operand, operand).

    A step whose operands do not fit takes the next pair that does, a step that nothing fits is
    left out. The result is the value of the input's shape that takes most steps, without the rest.
    """
    steps: list[Step] = []
    shapes: list[Shape] = [HIDDEN] * len(INPUTS)
    place = list(range(len(INPUTS)))
    for op, a, b in wanted:
        step = _fitting(OPS[op], place[a], place[b], shapes)
        if step is None:
            # What refers to this step refers to its first operand instead.
            place.append(place[a])
            continue
        shape = result_shape(step, shapes)
        assert shape is not None
        place.append(len(shapes))
        steps.append(step)
        shapes.append(shape)
    ends = [at for at, shape in enumerate(shapes) if shape == HIDDEN and at >= len(INPUTS)]
    programs = [ordered(steps, end) for end in reversed(ends)]
    return max(programs, key=len, default=STANDARD)


def ordered(steps: Sequence[Step], end: int) -> Program:
    """Keep the steps that value `end` needs, operands first, equal steps once."""
    out: list[Step] = []
    place = {value: value for value in range(len(INPUTS))}

    def emit(value: int) -> int:
        if value not in place:
            step = steps[value - len(INPUTS)]
            a = emit(step.a)
            made = Step(step.op, a, emit(step.b) if step.op in BINARY else 0)
            if made not in out:
                out.append(made)
            place[value] = len(INPUTS) + out.index(made)
        return place[value]

    emit(end)
    return tuple(out)


def simplified(program: Program) -> Program:
    """The program without double negations and transpositions, operands of sums in order."""
    steps: list[Step] = []
    place = list(range(len(INPUTS)))
    for step in program:
        a, b = place[step.a], place[step.b]
        inner = steps[a - len(INPUTS)] if a >= len(INPUTS) else None
        if step.op in ("neg", "transpose") and inner is not None and inner.op == step.op:
            place.append(inner.a)
            continue
        if step.op == "add" and _text(steps, b) < _text(steps, a):
            a, b = b, a
        place.append(len(INPUTS) + len(steps))
        steps.append(Step(step.op, a, b if step.op in BINARY else 0))
    end = place[-1]
    # Everything cancelled out: the program is the input itself, written as neg(neg(x)).
    if end < len(INPUTS):
        return (Step("neg", end), Step("neg", len(INPUTS)))
    return ordered(steps, end)


def write(program: Program) -> str:
    """Write a program as one nested formula."""
    return _text(program, len(INPUTS) + len(program) - 1)


def read(text: str) -> Program:
    """Read a nested formula such as `matmul(softmax(scale(matmul(Q,transpose(K)))),V)`.

    Raises: InputError when it is no formula, its shapes do not fit or it is too long.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", ""):
        raise InputError(f"{text!r} is no attention formula")
    steps: list[Step] = []
    shapes: list[Shape] = [HIDDEN] * len(INPUTS)
    left = tokens[::-1]
    end = _expression(left, steps, shapes, text)
    if left or end < len(INPUTS) or shapes[end] != HIDDEN:
        raise InputError(f"{text!r} does not give a tensor of the input's shape")
    program = ordered(steps, end)
    if len(program) > STEPS:
        raise InputError(f"{text!r} has {len(program)} operations; at most {STEPS} are allowed")
    return program


def _expression(left: list[str], steps: list[Step], shapes: list[Shape], text: str) -> int:
    name = left.pop() if left else ""
    if name in INPUTS:
        return INPUTS.index(name)
    if name not in UNARY + BINARY:
        known = ", ".join((*INPUTS, *UNARY, *BINARY))
        raise InputError(f"{name!r} in {text!r} is no operation; there are: {known}")
    operands = []
    for mark in ("(", ",") if name in BINARY else ("(",):
        if not left or left.pop() != mark:
            raise InputError(f"{mark!r} is missing after {name!r} in {text!r}")
        operands.append(_expression(left, steps, shapes, text))
    if not left or left.pop() != ")":
        raise InputError(f"a bracket of {name!r} is not closed in {text!r}")
    step = Step(name, *operands)
    shape = result_shape(step, shapes)
    if shape is None:
        raise InputError(f"the shapes of the operands of {name!r} in {text!r} do not fit")
    steps.append(step)
    shapes.append(shape)
    return len(shapes) - 1


def _fitting(op: str, a: int, b: int, shapes: Sequence[Shape]) -> Step | None:
    if op == "none":
        return None
    if op in UNARY:
        return Step(op, a)
    count = len(shapes)
    for shift in range(count):
        step = Step(op, a, (b + shift) % count)
        if result_shape(step, shapes) is not None:
            return step
    return None


def _text(steps: Sequence[Step], value: int) -> str:
    if value < len(INPUTS):
        return INPUTS[value]
    step = steps[value - len(INPUTS)]
    operands = (step.a, step.b) if step.op in BINARY else (step.a,)
    return f"{step.op}({','.join(_text(steps, operand) for operand in operands)})"
