"""nasprof: export networks to ONNX, measure what they cost, search under measured limits.

The five verbs are functions of this package: `export`, `inspect`, `bench`, `search` and `report`.
"""

from nasprof.api import bench, bench_all, export, inspect, report, search

__version__ = "0.1.0"
__all__ = ["bench", "bench_all", "export", "inspect", "report", "search"]
