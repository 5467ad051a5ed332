"""LiteRT's flat buffer, from a network; converted in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exporters.calibration_data import Sample, refuse_unknown, samples
from exporters.formats._format import TORCH_PROGRAM, Also, Conversion
from exporters.quiet import quiet


@dataclass(frozen=True, slots=True)
class LiteRt:
    """Inputs keep the network's layout; their order is the network's."""

    file: str = "model.tflite"
    runtime: str = "litert-cpu"
    source: str = TORCH_PROGRAM
    precisions: tuple[str, ...] = ("fp32", "int8")
    refuses: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ("litert-torch", "litert-converter", "ai-edge-quantizer", "torch")
    also: tuple[Also, ...] = ()
    remedy: str = "nasprof runtimes install litert-converter"
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Convert the program, and quantise what came of it.

        Raises: RuntimeError naming an operator that has no lowering, ModelError for a way of
        quantising that there is not.
        """
        import litert_torch
        import torch

        program = torch.export.load(job.source)
        inputs = program.example_inputs[0] if program.example_inputs else ()
        network = program.module(check_guards=False)
        whole = job.path if job.precision == "fp32" else job.scratch / "whole.tflite"
        litert_torch.convert(network, tuple(inputs)).export(str(whole))
        if job.precision != "fp32":
            refuse_unknown(job.calibration, "LiteRT")
            with quiet():
                _quantise(whole, job)


def _quantise(whole: Path, job: Conversion) -> None:
    """Weights of eight bits a channel, activations by calibration or found while running."""
    from ai_edge_quantizer import quantizer, recipe

    dynamic = job.calibration.dynamic
    maker = quantizer.Quantizer(str(whole))
    maker.load_quantization_recipe(
        recipe.dynamic_wi8_afp32() if dynamic else recipe.static_wi8_ai8()
    )
    found = None if dynamic else maker.calibrate(_samples(whole, job))
    maker.quantize(found).export_model(str(job.path))


def _samples(whole: Path, job: Conversion) -> dict[str, list[Sample]]:
    """The samples under the names that the converter gave, by its one signature."""
    from ai_edge_litert.interpreter import Interpreter

    ((key, names),) = Interpreter(str(whole)).get_signature_list().items()
    wanted = sorted(names["inputs"], key=lambda name: int(name.rpartition("_")[2]))
    pairs = list(zip(wanted, job.signature.inputs, strict=True))
    found = samples(job.calibration, job.signature.inputs)
    return {key: [{name: sample[spec.name] for name, spec in pairs} for sample in found]}


PLUGIN = LiteRt()
