"""ExecuTorch's program, delegated to XNNPACK; converted in an environment of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from exporters.calibration_data import refuse_unknown, samples
from exporters.formats._format import TORCH_PROGRAM, Also, Conversion
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind

NODES = "nodes.json"
"""Beside the program: the names of the nodes that are left after lowering, delegates among them."""
PRECISIONS = "precisions.json"
"""Beside the program: how many of those nodes compute in which precision."""
DELEGATE = "executorch_call_delegate"


@dataclass(frozen=True, slots=True)
class ExecuTorch:
    """What XNNPACK does not take runs on ExecuTorch's portable kernels."""

    file: str = "model.pte"
    runtime: str = "executorch-cpu"
    source: str = TORCH_PROGRAM
    precisions: tuple[str, ...] = ("fp32", "int8")
    refuses: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ("executorch", "torchao", "torch")
    also: tuple[Also, ...] = ()
    remedy: str = "nasprof runtimes install executorch"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Lower the program.

        Raises: whatever the lowering raises; it names an operator that has no kernel. ModelError
        where nothing is left of int8.
        """
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.load(job.source)
        if job.precision == "int8":
            refuse_unknown(job.calibration, "ExecuTorch")
            program = _quantised(program, job)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        nodes = [
            str(getattr(node.target, "__name__", node.target))
            for node in lowered.exported_program().graph.nodes
            if node.op == "call_function" and "getitem" not in str(node.target)
        ]
        job.path.with_name(NODES).write_text(json.dumps(nodes))
        parts = lowered.exported_program().graph_module.children()
        small = sum(_is_quantised(part) for part in parts)
        if job.precision == "int8" and not small:
            raise ModelError(
                FailureKind.WRONG_PRECISION, "XNNPACK takes none of its operators in int8"
            )
        counts = {"fp32": len(nodes) - small} | ({"int8": small} if small else {})
        job.path.with_name(PRECISIONS).write_text(json.dumps(counts))
        job.path.write_bytes(lowered.to_executorch().buffer)


def _quantised(program: Any, job: Conversion) -> Any:
    """Weights of eight bits a channel, by XNNPACK's own rules; the samples give the scales."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    dynamic = job.calibration.dynamic
    rules = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    network = program.module(check_guards=False)
    watched = prepare_pt2e(network, XNNPACKQuantizer().set_global(rules))
    for sample in samples(job.calibration, job.signature.inputs):
        watched(*(torch.from_numpy(sample[spec.name]) for spec in job.signature.inputs))
    inputs = program.example_inputs[0] if program.example_inputs else ()
    return torch.export.export(convert_pt2e(watched), tuple(inputs))


def _is_quantised(part: Any) -> bool:
    """Whether a delegate holds operators of eight bits."""
    inside = getattr(part, "original_module", None)
    if inside is None:
        return False
    return any("quantize_per" in str(node.target) for node in inside.graph.nodes)


PLUGIN = ExecuTorch()
