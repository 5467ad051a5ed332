"""The torch module that a node came from, as far as the file says."""

from __future__ import annotations

from exporters.onnx_types import Node
from exporters.onnx_wire import varint

# Written by torch's exporter: the path of every module around the operator, the operator last.
_SCOPES = b"pkg.torch.onnx.name_scopes"


def module_path(node: Node) -> str:
    """The path of a module, for example `layer3.1.conv2`; empty when there is none.

    It comes from the metadata of the newer exporter or from the name that the older one gave.
    """
    if node.metadata is not None:
        data, start, end = node.metadata
        found = data.find(_SCOPES, start, end)
        if found >= 0:
            return _from_scopes(data, found + len(_SCOPES))
    return _from_name(node.name) if node.name[:1] == "/" else ""


def _from_scopes(data: bytes, position: int) -> str:
    # The value follows its key: a tag, a length, then a list of names as Python writes it.
    length, start = data[position + 1], position + 2
    if length > 0x7F:
        length, start = varint(data, position + 1)
    last = data.rfind(b"', '", start, start + length)
    first = data.rfind(b"'", start, last)
    return data[first + 1 : last].decode("utf-8", "replace") if 0 <= first < last else ""


def _from_name(name: str) -> str:
    # "/layer3/layer3.1/conv2/Conv": a part that begins with the one before it replaces that.
    path: list[str] = []
    for part in name.split("/")[1:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)
