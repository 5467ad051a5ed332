"""What all tests share."""

from importlib.util import find_spec
from pathlib import Path

_KEPT = []


def pytest_configure() -> None:
    """Let timm be imported beside a torch that torchvision was not built for.

    The torchvision of the package registry is built for CUDA; beside a torch for CPUs alone its
    compiled operators do not load, and its import fails for want of two declarations. timm needs
    neither operator. Where the compiled part loads, nothing is done.
    """
    found = find_spec("torchvision")
    if found is None or found.origin is None:
        return
    import torch

    try:
        for library in Path(found.origin).parent.glob("_C*.so"):
            torch.ops.load_library(library)
    except OSError:
        declared = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(declared)  # the operators are gone when nobody refers to their library
