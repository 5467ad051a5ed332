"""LiteRT's flat buffer, from a network; converted in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass

from exporters.formats._format import TORCH_PROGRAM, Conversion


@dataclass(frozen=True, slots=True)
class LiteRt:
    """Inputs keep the network's layout; their order is the network's."""

    file: str = "model.tflite"
    runtime: str = "litert-cpu"
    source: str = TORCH_PROGRAM
    precisions: tuple[str, ...] = ("fp32",)
    packages: tuple[str, ...] = ("litert-torch", "litert-converter", "torch")
    remedy: str = "nasprof runtimes install litert-converter"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Convert the program.

        Raises: RuntimeError naming an operator that has no lowering.
        """
        import litert_torch
        import torch

        program = torch.export.load(job.source)
        inputs = program.example_inputs[0] if program.example_inputs else ()
        network = program.module(check_guards=False)
        litert_torch.convert(network, tuple(inputs)).export(str(job.path))


PLUGIN = LiteRt()
