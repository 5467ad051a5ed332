"""Measure what this machine can do at best: arithmetic by precision, and memory bandwidth.

Runs inside a worker, with nothing else beside it: arithmetic by matrix products in ONNX Runtime on
the CPU, bandwidth by copying arrays that no cache holds. Best of many runs, as a peak is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import Any

import numpy as np

from profiler.cost.roofline import Peaks

PRECISIONS = ("float32", "int8", "float16", "bfloat16")
_SIDES = (256, 512, 1024, 1536)
_FEWEST_RUNS = 5
_COPY_BYTES = 128 * 2**20
_BF16, _FLOAT, _FLOAT16, _UINT8, _INT8, _INT32 = 16, 1, 10, 2, 3, 6


def calibrate(threads: int = 1, seconds: float = 1.0) -> dict[str, Any]:
    """Measure peaks; plain numbers, for a worker to send.

    `seconds` is spent on each precision and on the copies. A precision that the machine's kernels
    do not calculate in is None, never another precision's figure.
    Unit: `flops_per_s` operations a second (two for each MAC), `bytes_per_s` reads and writes
    added, samples in ns with the operations or bytes of one run.
    """
    found = {name: _arithmetic(name, threads, seconds) for name in PRECISIONS}
    copies = _copies(threads, seconds)
    return {
        "threads": threads,
        "flops_per_s": {name: _best(samples) for name, samples in found.items()},
        "bytes_per_s": _best(copies),
        "samples": {**found, "copy": copies},
    }


def peaks(calibration: Mapping[str, Any]) -> Peaks:
    """The peaks of a calibration, for a roofline."""
    rates = calibration["flops_per_s"]
    return Peaks(
        {name: float(rate) for name, rate in rates.items() if rate is not None},
        float(calibration["bytes_per_s"]),
    )


Samples = list[tuple[int, int]]


def _best(samples: Samples | None) -> float | None:
    if not samples:
        return None
    return max(work / duration_ns for work, duration_ns in samples) * 1e9


def _arithmetic(precision: str, threads: int, seconds: float) -> Samples | None:
    """(operations, ns) of runs of square matrix products; None where the kernels lack it."""
    samples: Samples = []
    for side in _SIDES:
        run = _product(precision, side, threads)
        if run is None:
            return None
        samples += [(2 * side**3, ns) for ns in _timed(run, seconds / len(_SIDES))]
    return samples


def _timed(run: Callable[[], object], seconds: float) -> list[int]:
    run()
    samples: list[int] = []
    end = perf_counter_ns() + int(seconds * 1e9)
    while len(samples) < _FEWEST_RUNS or perf_counter_ns() < end:
        start = perf_counter_ns()
        run()
        samples.append(perf_counter_ns() - start)
    return samples


def _product(precision: str, side: int, threads: int) -> Callable[[], object] | None:
    # Only a worker has a runtime, so it is imported where one is needed.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.enable_profiling = False
    model = _model(precision, side)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - a runtime without the kernel says so in its own ways
        return None
    if precision in ("float16", "bfloat16") and _casts(model, threads):
        return None
    feeds = {"x": _operand(precision, side)}
    if feeds["x"] is None:
        return None
    return lambda: session.run(None, feeds)


def _casts(model: bytes, threads: int) -> bool:
    """Whether the runtime turns a half-precision product into one of float32.

    It does so by inserting casts where it has no kernel, which the graph that it saves shows.
    """
    import tempfile
    from pathlib import Path

    import onnxruntime

    from exporters.model_file import read_structure

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return any("Cast" in node.op_type for node in read_structure(path).graph.nodes)


def _model(precision: str, side: int) -> bytes:
    import onnx
    from onnx import helper

    types = {"float32": _FLOAT, "float16": _FLOAT16, "bfloat16": _BF16, "int8": _UINT8}
    dtype = types[precision]
    integer = precision == "int8"
    kind, out = ("MatMulInteger", _INT32) if integer else ("MatMul", dtype)
    widths = {_FLOAT: 4, _FLOAT16: 2, _BF16: 2, _UINT8: 1}
    # A constant operand lets the runtime pack it beforehand, as it does for a network's weights.
    weight = onnx.TensorProto(
        name="w", dims=[side, side], data_type=_INT8 if integer else dtype,
        raw_data=np.random.default_rng(0).integers(0, 60, side * side * widths[dtype], np.uint8)
        .tobytes(),
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", dtype, [side, side])],
        [helper.make_tensor_value_info("y", out, [side, side])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _operand(precision: str, side: int) -> Any:
    rng = np.random.default_rng(1)
    if precision == "int8":
        return rng.integers(0, 255, (side, side), np.uint8)
    if precision == "bfloat16":
        return None
    return rng.random((side, side), np.float32).astype(precision)


def _copies(threads: int, seconds: float) -> Samples:
    """(bytes, ns) of copies of arrays that no cache holds, a part of them on each thread."""
    parts = [
        (np.ones(_COPY_BYTES // 8 // threads), np.zeros(_COPY_BYTES // 8 // threads))
        for _ in range(threads)
    ]
    moved = sum(2 * source.nbytes for source, _ in parts)
    with ThreadPoolExecutor(threads) as pool:

        def run() -> object:
            return list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

        return [(moved, ns) for ns in _timed(run, seconds)]
