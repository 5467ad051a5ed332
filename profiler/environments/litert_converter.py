"""LiteRT's converter; LiteRT itself runs in nasprof's own environment."""

from pathlib import Path

from profiler.environments._environment import Environment

PLUGIN = Environment(
    requirements=("torch==2.13.0", "litert-torch==0.10.0"),
    pins=Path(__file__).with_suffix(".txt"),
    imports="litert_torch",
    formats=("litert",),
)
