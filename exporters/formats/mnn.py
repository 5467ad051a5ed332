"""MNN's own format, by its library; its command installs packages and reports use."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporters.formats._captured import captured
from exporters.formats._format import EDGE_REMEDY, ONNX, Also, Conversion
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind

_MISSING = re.compile(r"These Op Not Support: *(.+)")


@dataclass(frozen=True, slots=True)
class Mnn:
    """The converter answers True whatever happens: only its file and its words count."""

    file: str = "model.mnn"
    runtime: str = "mnn-cpu"
    source: str = ONNX
    precisions: tuple[str, ...] = ("fp32",)
    refuses: tuple[tuple[str, str], ...] = (
        ("int8", "its static quantiser aborts (std::length_error); 8-bit weights run as fp32"),
        ("fp16", "its halved weights run as fp32 on x86, and only the file is smaller"),
    )
    packages: tuple[str, ...] = ("MNN",)
    also: tuple[Also, ...] = ()
    remedy: str = EDGE_REMEDY
    largest_batch: int | None = None

    def convert(self, job: Conversion) -> None:
        """Convert in this process, single precision kept."""
        printed = job.scratch / "printed.txt"
        with captured(printed):
            import MNN  # noqa: F401 - the converter needs its libraries loaded
            from _tools import mnnconvert

            files = ["--modelFile", str(job.source), "--MNNModel", str(job.path)]
            mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "nasprof"])
        text = printed.read_text(errors="replace")
        if found := _MISSING.search(text):
            raise ModelError(FailureKind.UNSUPPORTED, f"MNN has no operators {found[1].strip()}")
        if not job.path.exists():
            last = text.strip().splitlines()[-1:] or ["it says nothing"]
            raise ModelError(FailureKind.UNSUPPORTED, f"MNN's converter wrote no file: {last[0]}")


PLUGIN = Mnn()
