"""Walk a graph node by node: shapes, small values, arithmetic, live memory.

Nothing here runs a model or allocates by a size that the file declares, so any file may be walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporters.onnx_types import Attribute, Graph, Node, Reference, Structure
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.cost.control import CONTROL
from profiler.cost.memory import Event, peaks
from profiler.cost.nodes import KEY_BYTES, NOT_COUNTABLE, Nodes
from profiler.cost.scope import Declared, Scope, completed, from_info, is_complete
from profiler.cost.steps import Step, Walked
from profiler.cost.table import TABLE, Entry
from profiler.cost.values import NOTHING_KNOWN, UNKNOWN, Type, bytes_of

# A file of a few kB can nest loops and functions so that they unfold without end.
_MOST_NODES = 250_000
_MOST_LEVELS = 60


class Walker:
    """Walks one model with given sizes for its symbols."""

    def __init__(self, model: Structure, dims: Mapping[str, int]) -> None:
        self.dims = dims
        self.unbound: set[str] = set()
        self._model = model
        self._functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self._nodes = Nodes(dict(model.opsets).get("", 1))
        self._left = _MOST_NODES
        self._depth = 0

    def model(self) -> Walked:
        """Walk the main graph.

        Raises: ModelError when loops and functions unfold to more nodes than can be counted.
        """
        graph, scope = self._model.graph, Scope()
        constants = {tensor.name for tensor in graph.initializers}
        for info in graph.inputs:
            if info.name not in constants:
                found = from_info(info.type, self.dims, info.name, self.unbound)
                scope.types[info.name] = found
        return self.graph(graph, scope, "")

    def graph(self, graph: Graph, scope: Scope, path: str) -> Walked:
        """Walk a graph whose inputs are in the scope already."""
        for tensor in graph.initializers:
            scope.add_constant(tensor)
        for sparse in graph.sparse:
            scope.types[sparse.values.name] = Type(sparse.values.dtype, sparse.dims)
            scope.fixed[sparse.values.name] = None
        scope.declared = Declared(graph, self.dims)
        inputs = [info.name for info in graph.inputs if info.name not in scope.fixed]
        return self.body(graph.nodes, scope, path, inputs, [info.name for info in graph.outputs])

    def body(
        self,
        nodes: Sequence[Node],
        scope: Scope,
        path: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> Walked:
        """Walk nodes in order."""
        self._left -= len(nodes)
        if self._left < 0:
            message = f"more than {_MOST_NODES} nodes to count, with loops and functions"
            raise ModelError(FailureKind.UNSUPPORTED, message)
        steps: list[Step] = []
        events: list[Event] = []
        sizes = {name: bytes_of(scope.types.get(name)) for name in inputs}
        count, own_functions = self._nodes.count, bool(self._functions)
        for node in nodes:
            entry = TABLE.get((node.domain, node.op_type))
            if entry is None or own_functions:
                entry = self._other(node, scope, path, steps, events, sizes)
                if entry is None:
                    continue
            step = count(node, scope, path, entry)
            steps.append(step)
            result, made = step.result, node.outputs
            events.append((node.inputs, made, "" if result is None else result.reuse, 0, 0))
            if len(made) == 1 and node.inputs:
                sizes[made[0]] = step.sizes[0]
            elif node.op_type != "Constant":
                sizes.update(zip(made, step.sizes, strict=False))
        return Walked(
            steps,
            tuple(scope.types.get(name, NOTHING_KNOWN) for name in outputs),
            tuple(scope.array(name) for name in outputs),
            *peaks(events, sizes, inputs, outputs),
        )

    def _other(
        self,
        node: Node,
        scope: Scope,
        path: str,
        steps: list[Step],
        events: list[Event],
        sizes: dict[str, int],
    ) -> Entry | None:
        """Count a node that has a body or no rule; a plain one is left to its rule, returned."""
        if (node.domain, node.op_type, node.overload) in self._functions:
            walked = self._function(node, scope, path)
        elif (node.domain, node.op_type) in CONTROL:
            walked = self._control(node, scope, path)
        elif (entry := TABLE.get((node.domain, node.op_type))) is not None:
            return entry
        else:
            walked = self._uncounted(node, scope, path)
        steps += walked.steps
        self._bind(node, scope, walked)
        reads = (*node.inputs, *_captured(node))
        events.append((reads, node.outputs, "", walked.peak, walked.peak_in_place))
        sizes.update({name: bytes_of(scope.types.get(name)) for name in node.outputs if name})
        return None

    def _bind(self, node: Node, scope: Scope, walked: Walked) -> None:
        for name, value in zip(node.outputs, walked.outputs, strict=False):
            if not is_complete(value):
                value = completed(value, scope.declared(name))
            scope.types[name] = value if value is not None else NOTHING_KNOWN
        for name, array in zip(node.outputs, walked.arrays, strict=False):
            if array is not None:
                scope.arrays[name] = array

    def _uncounted(self, node: Node, scope: Scope, path: str) -> Walked:
        step = _unknown_step(node, scope, path, counted=False)
        return Walked([step], (NOTHING_KNOWN,) * len(node.outputs), (), 0, 0)

    def _function(self, node: Node, scope: Scope, path: str) -> Walked:
        """Walk a function's body in place of a call of it."""
        function = self._functions[node.domain, node.op_type, node.overload]
        inner = Scope()
        for name, outer in zip(function.inputs, node.inputs, strict=False):
            _pass_on(scope, outer, inner, name)
        nodes = [_filled(child, node.attributes, function.defaults) for child in function.nodes]
        opset, self._nodes.opset = self._nodes.opset, dict(function.opsets).get("", 1)
        self._descend()
        try:
            inside = f"{path}{node.name or node.op_type}/"
            return self.body(nodes, inner, inside, function.inputs, function.outputs)
        finally:
            self._nodes.opset = opset
            self._depth -= 1

    def _control(self, node: Node, scope: Scope, path: str) -> Walked:
        inputs = tuple(
            scope.types.get(name, NOTHING_KNOWN) if name else None for name in node.inputs
        )
        self._descend()
        try:
            return CONTROL[node.domain, node.op_type](self, node, scope, path, inputs)
        except NOT_COUNTABLE:
            step = _unknown_step(node, scope, path, counted=True)
            outputs = (NOTHING_KNOWN,) * len(node.outputs)
            return Walked([step], outputs, (), UNKNOWN, UNKNOWN)
        finally:
            self._depth -= 1

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            message = f"bodies inside each other more than {_MOST_LEVELS} levels deep"
            raise ModelError(FailureKind.INVALID_MODEL, message)


def _unknown_step(node: Node, scope: Scope, path: str, counted: bool) -> Step:
    """A node of which nothing is known: it has no rule, or its body cannot be counted."""
    inputs = tuple(scope.types.get(name, NOTHING_KNOWN) if name else None for name in node.inputs)
    name = path + (node.name or (node.outputs[0] if node.outputs else ""))
    outputs = (NOTHING_KNOWN,) * len(node.outputs)
    return Step(
        node, name, "control", inputs, outputs, None, counted, UNKNOWN, UNKNOWN,
        (UNKNOWN,) * len(outputs), "", scope.fixed,
    )  # fmt: skip


def _pass_on(outer: Scope, name: str, inner: Scope, inner_name: str) -> None:
    if name in outer.types:
        inner.types[inner_name] = outer.types[name]
    if (array := outer.array(name)) is not None:
        inner.arrays[inner_name] = array
    if name in outer.constants:
        inner.constants[inner_name] = outer.constants[name]
    if name in outer.fixed:
        inner.fixed[inner_name] = None


def _filled(node: Node, given: Mapping[str, Attribute], defaults: Mapping[str, Attribute]) -> Node:
    """A node of a function's body with the caller's attributes in place of references."""
    if not any(isinstance(value, (Reference, Graph)) for value in node.attributes.values()):
        return node
    attributes: dict[str, Attribute] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            nodes = tuple(_filled(child, given, defaults) for child in value.nodes)
            attributes[name] = value._replace(nodes=nodes)
        elif not isinstance(value, Reference):
            attributes[name] = value
        elif value.name in given:
            attributes[name] = given[value.name]
        elif value.name in defaults:
            attributes[name] = defaults[value.name]
    # The key no longer tells the attributes apart; a long one is never looked up.
    return node._replace(attributes=attributes, key=bytes(KEY_BYTES + 1))


def _captured(node: Node) -> tuple[str, ...]:
    """Names of the surrounding graph that the bodies of a node read."""
    names: dict[str, None] = {}
    for attribute in node.attributes.values():
        for graph in attribute if type(attribute) is tuple else (attribute,):
            if isinstance(graph, Graph):
                for inner in graph.nodes:
                    names.update(dict.fromkeys((*inner.inputs, *_captured(inner))))
                names.update(dict.fromkeys(info.name for info in graph.outputs))
    return tuple(names)
