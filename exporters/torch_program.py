"""A torch module as a file of torch.export, for the runtimes that run or convert torch itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from exporters.options import ExportOptions
from exporters.preparing import prepare
from exporters.quiet import quiet
from exporters.routes import reason
from exporters.seeding import seeded
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

NAMES = "nasprof.json"


def write_program(
    module: nn.Module, inputs: Sequence[TensorSpec], path: Path, options: ExportOptions
) -> None:
    """Write the module with the weights and the names that its ONNX file has.

    The file holds, under `NAMES`, the specifications of the inputs and the names of the outputs.
    Shapes: the first dimension of every input becomes the batch of `options`.
    Raises: InputError when torch.export cannot take the module, with its reason.
    """
    with quiet(), seeded(options.seed), torch.no_grad():
        job = prepare(module, inputs, options)
        request = job.request
        try:
            program = torch.export.export(request.network, request.inputs, strict=False)
        except Exception as error:  # torch.export has no common type of error
            raise InputError(f"torch.export cannot take the module: {reason(error)}") from error
        names = {"inputs": [asdict(spec) for spec in job.specs], "outputs": request.output_names}
        torch.export.save(program, path, extra_files={NAMES: json.dumps(names)})
