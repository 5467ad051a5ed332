"""ncnn's network and weights, by pnnx."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from exporters.formats._captured import captured
from exporters.formats._format import EDGE_REMEDY, ONNX, Also, Conversion
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.core.tensor import TensorSpec

_TYPES = {
    "float32": "f32", "float16": "f16", "float64": "f64",
    "int32": "i32", "int64": "i64", "int16": "i16", "int8": "i8", "uint8": "u8",
}  # fmt: skip
_MISSING = re.compile(r"layer (\S+) not exists or registered")


@dataclass(frozen=True, slots=True)
class Ncnn:
    """pnnx ends with 0 also when it writes layers that ncnn lacks, so its net is loaded once."""

    file: str = "model.param"
    runtime: str = "ncnn-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32", "fp16", "bf16")
    refuses: tuple[tuple[str, str], ...] = (
        ("int8", "its quantising tools are not in the Python package"),
    )
    packages: tuple[str, ...] = ("ncnn", "pnnx")
    also: tuple[Also, ...] = ()
    remedy: str = EDGE_REMEDY
    largest_batch: int | None = 1

    def convert(self, job: Conversion) -> None:
        """Write `model.param` and `model.bin`; weights are halved only when that was asked for."""
        copy = job.scratch / "model.onnx"  # pnnx writes eight files beside what it reads
        shutil.copyfile(job.source, copy)
        shapes = ",".join(_shape(spec) for spec in job.signature.inputs)
        half = int(job.precision == "fp16")
        command = [str(_pnnx()), str(copy), f"inputshape={shapes}", f"fp16={half}"]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        net, weights = copy.with_suffix(".ncnn.param"), copy.with_suffix(".ncnn.bin")
        if done.returncode or not (net.exists() and weights.exists()):
            said = (done.stderr + done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
            raise ModelError(
                FailureKind.UNSUPPORTED, f"pnnx ended with {done.returncode}: {said[0]}"
            )
        _try(net, job.scratch / "printed.txt")
        shutil.move(net, job.path)
        shutil.move(weights, job.path.with_suffix(".bin"))


def _try(net: Path, printed: Path) -> None:
    """Load the layers once; a net that refused them must not be touched again.

    Raises: ModelError naming the layers that ncnn does not have.
    """
    with captured(printed):
        import ncnn

        code = ncnn.Net().load_param(str(net))
    if code:
        text = printed.read_text(errors="replace")
        missing = ", ".join(dict.fromkeys(_MISSING.findall(text))) or text.strip()[-200:]
        raise ModelError(FailureKind.UNSUPPORTED, f"ncnn has no layers {missing}")


def _pnnx() -> Path:
    """The program inside the package, whose import would bring torch."""
    found = find_spec("pnnx")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "pnnx"


def _shape(spec: TensorSpec) -> str:
    if spec.dtype not in _TYPES:
        raise ModelError(FailureKind.UNSUPPORTED, f"pnnx has no inputs of {spec.dtype}")
    return f"[{','.join(str(size) for size in spec.shape or ())}]{_TYPES[spec.dtype]}"


PLUGIN = Ncnn()
