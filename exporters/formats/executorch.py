"""ExecuTorch's program, delegated to XNNPACK; converted in an environment of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from exporters.formats._format import TORCH_PROGRAM, Conversion

NODES = "nodes.json"
"""Beside the program: the names of the nodes that are left after lowering, delegates among them."""
DELEGATE = "executorch_call_delegate"


@dataclass(frozen=True, slots=True)
class ExecuTorch:
    """What XNNPACK does not take runs on ExecuTorch's portable kernels."""

    file: str = "model.pte"
    runtime: str = "executorch-cpu"
    source: str = TORCH_PROGRAM
    precisions: tuple[str, ...] = ("fp32",)
    packages: tuple[str, ...] = ("executorch", "torch")
    remedy: str = "nasprof runtimes install executorch"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Lower the program.

        Raises: whatever the lowering raises; it names an operator that has no kernel.
        """
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.load(job.source)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        nodes = [
            str(getattr(node.target, "__name__", node.target))
            for node in lowered.exported_program().graph.nodes
            if node.op == "call_function" and "getitem" not in str(node.target)
        ]
        job.path.with_name(NODES).write_text(json.dumps(nodes))
        job.path.write_bytes(lowered.to_executorch().buffer)


PLUGIN = ExecuTorch()
