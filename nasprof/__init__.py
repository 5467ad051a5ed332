"""nasprof: export networks to ONNX, measure what they cost, search under measured limits.

The verbs are functions of this package: `export`, `inspect`, `bench`, `compare`, `search` and
`report`.
"""

from nasprof.api import (
    bench,
    bench_all,
    card,
    compare,
    export,
    export_to,
    fit_latency,
    inspect,
    load_predictor,
    profile,
    propagate,
    report,
    search,
)

__version__ = "0.1.0"
__all__ = [
    "bench",
    "bench_all",
    "card",
    "compare",
    "export",
    "export_to",
    "fit_latency",
    "inspect",
    "load_predictor",
    "profile",
    "propagate",
    "report",
    "search",
]
