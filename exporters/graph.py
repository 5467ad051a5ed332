"""The last steps on an exported graph: tidy it, store its shapes, check it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

_STANDARD = ("", "ai.onnx")
_LARGEST_SHAPE_BYTES = 4096  # a constant above this is a weight, not a shape


class GraphError(Exception):
    """An exporter wrote something else than it was asked for; the text says what."""


def finish(path: Path, opset: int, large: bool) -> None:
    """Tidy a model just written, store the shapes of its values, and check it.

    A large model is left with its weights in one file beside it, `NAME.data`.
    Raises: GraphError when its opset is not the one asked for or an operator is not ONNX's own;
    onnx's own errors when it is not valid.
    """
    model = onnx.load(path)
    _check_operators(model, opset)
    tidy(model)
    for part in path.parent.iterdir():
        part.unlink()  # weights would be appended to a file that exists
    store(model, path, large)


def store(model: onnx.ModelProto, path: Path, large: bool) -> None:
    """Write a model with the shapes of its values, checked.

    Raises: onnx's own errors when it is not valid.
    """
    model = _with_shapes(model)
    if large:
        data = f"{path.name}.data"
        onnx.save_model(model, path, save_as_external_data=True, location=data)
        path.with_name(data).chmod(path.stat().st_mode)  # readable for the same people
    else:
        path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Infer the shapes of all values; weights are taken out meanwhile, as shapes need none."""
    weights = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > _LARGEST_SHAPE_BYTES:
            weights[tensor.name] = tensor.raw_data
            tensor.ClearField("raw_data")
    inferred = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )
    for tensor in inferred.graph.initializer:
        if tensor.name in weights:
            tensor.raw_data = weights[tensor.name]
    return inferred


def tidy(model: onnx.ModelProto) -> None:
    """Take out what says nothing: copies of values, source paths, unused operator sets."""
    aliases = _drop_identities(model.graph)
    if aliases:
        _rename(model.graph, aliases)
    kept = [info for info in model.graph.value_info if info.name not in aliases]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    for graph in _graphs(model.graph):
        for node in graph.node:
            # Stack traces of the exporting machine: private, and other bytes on every machine.
            del node.metadata_props[:]
            node.doc_string = ""
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
    del model.metadata_props[:]
    used = {node.domain for graph in _graphs(model.graph) for node in graph.node} | {""}
    for entry in [e for e in model.opset_import if e.domain not in used]:
        model.opset_import.remove(entry)


def _check_operators(model: onnx.ModelProto, opset: int) -> None:
    written = [e.version for e in model.opset_import if e.domain in _STANDARD]
    if written != [opset]:
        raise GraphError(f"wrote opset {written} instead of {opset}")
    own = {function.domain for function in model.functions}
    foreign = {
        f"{node.domain}::{node.op_type}"
        for graph in _graphs(model.graph)
        for node in graph.node
        if node.domain not in _STANDARD and node.domain not in own
    }
    if foreign:
        raise GraphError(f"wrote operators that are not ONNX's: {', '.join(sorted(foreign))}")


def _drop_identities(graph: onnx.GraphProto) -> dict[str, str]:
    """Remove copies inside the graph and return what each copy was a copy of."""
    outputs = {value.name for value in graph.output}
    aliases: dict[str, str] = {}
    kept = []
    for node in graph.node:
        if node.op_type == "Identity" and not node.domain and node.output[0] not in outputs:
            source = node.input[0]
            aliases[node.output[0]] = aliases.get(source, source)
        else:
            kept.append(node)
    if aliases:
        del graph.node[:]
        graph.node.extend(kept)
    return aliases


def _rename(graph: onnx.GraphProto, aliases: Mapping[str, str]) -> None:
    # Bodies of If and Loop read the values around them by name; ONNX forbids hiding such a name.
    for inner in _graphs(graph):
        for node in inner.node:
            for index, name in enumerate(node.input):
                if name in aliases:
                    node.input[index] = aliases[name]
        for value in inner.output if inner is not graph else ():
            value.name = aliases.get(value.name, value.name)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from _graphs(inner)
