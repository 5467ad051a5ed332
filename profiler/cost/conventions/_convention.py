"""What a convention is, and what it may know of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from profiler.cost.call import VIEW, Call
from profiler.cost.steps import Step
from profiler.cost.values import UNKNOWN, Shape, Type, UnknownSize, Value, size


class Seen:
    """A counted graph: which operators read what a node makes, and what leaves the graph."""

    def __init__(self, steps: Iterable[Step], outputs: Iterable[str] = ()) -> None:
        self._readers: dict[str, list[Step]] = {}
        self._outputs = frozenset(outputs)
        for step in steps:
            for name in step.node.inputs:
                self._readers.setdefault(name, []).append(step)

    def readers(self, step: Step) -> tuple[Step, ...]:
        """The nodes that read the first output of a node."""
        return tuple(self._readers.get(step.node.outputs[0], ()))

    def only_reader(self, step: Step) -> str:
        """The operator type of the only reader; empty when there is another number of them."""
        readers = self.readers(step)
        return readers[0].node.op_type if len(readers) == 1 else ""

    def ends_here(self, step: Step) -> bool:
        """Whether nothing but changes of shape lies between a node and the graph's output."""
        while True:
            readers = self.readers(step)
            if not readers:
                return True
            result = readers[0].result
            if len(readers) > 1 or result is None or result.reuse != VIEW:
                return False
            step = readers[0]


@dataclass(frozen=True, slots=True)
class Convention:
    """How somebody counts: `count` gives the figure of one node that was counted.

    `reasons` say for an operator type why its figure differs from nasprof's MACs; "" is for all
    others.
    """

    name: str
    unit: str
    summary: str
    count: Callable[[Step, Seen], int]
    reasons: Mapping[str, str]


def macs(step: Step) -> int:
    """The MACs that nasprof counts."""
    return step.result.macs if step.result is not None else 0


def elements_in(step: Step, index: int = 0) -> int:
    """Elements of an input."""
    return size(shape_of(step.inputs[index]))


def elements_out(step: Step) -> int:
    """Elements of the first output."""
    return size(shape_of(step.outputs[0]))


def shape_of(value: Value | None) -> Shape:
    """The shape of a value.

    Raises: UnknownSize when it is not known.
    """
    if not isinstance(value, Type) or value.shape is None:
        raise UnknownSize
    return value.shape


def has(step: Step, index: int) -> bool:
    """Whether an optional input is given."""
    return index < len(step.inputs) and step.inputs[index] is not None


def attributes(step: Step) -> Call:
    """The attributes of a node, to be read as in a rule."""
    return Call(step.node.op_type, step.node.attributes, step.inputs, 1, 1, lambda index: None)


def figure(steps: Iterable[Step], convention: Convention) -> int | None:
    """The figure of a whole graph; None when a size is not known."""
    counted = list(steps)
    seen = Seen(counted)
    try:
        total = sum(convention.count(step, seen) * step.times for step in counted)
    except UnknownSize:
        return None
    return None if total is UNKNOWN else total
