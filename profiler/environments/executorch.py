"""ExecuTorch: it converts and runs in the same environment."""

from pathlib import Path

from profiler.environments._environment import Environment

PLUGIN = Environment(
    requirements=("torch==2.13.0", "executorch==1.5.1"),
    pins=Path(__file__).with_suffix(".txt"),
    imports="executorch.runtime",
    runtimes=("executorch-cpu",),
    formats=("executorch",),
)
