"""Everything of nasprof that needs an NVIDIA GPU, unattended: python benchmarks/gpu_check.py.

Runs on a machine without network, with whatever torch and onnxruntime lie there: what cannot be
checked is skipped by name with the reason. Needs numpy, nvidia-ml-py, onnx, onnxruntime and torch;
sqlalchemy and platformdirs only for the tests marked `gpu`. Results are written as data to
reports/samples/gpu/, one file for each kind of card: measurements in ns with their verdicts, and
the outcome of every check. Exit code 1 when a check failed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exporters.model_file import open_model  # noqa: E402
from nasprof import exporting  # noqa: E402
from profiler.bench.attempt import Setting, Work, attempt  # noqa: E402
from profiler.bench.devices import probe  # noqa: E402
from profiler.bench.environment import capture  # noqa: E402
from profiler.bench.reference import reference_outputs  # noqa: E402
from profiler.core.errors import NasprofError, UnavailableError  # noqa: E402
from profiler.core.outcome import Attempt, Failure, Measurement  # noqa: E402
from profiler.core.target import BenchPlan, Target  # noqa: E402
from profiler.gpu import find, locked_clocks  # noqa: E402
from reports.rows import Row, outcome_row  # noqa: E402

NETWORKS = ("reference:resnet18", "reference:mobilenet_v2", "reference:vit_tiny", "nasbench201:857")
WAYS = (("eager", "fp32"), ("graph", "fp32"), ("graph", "fp16"))
COMPILED = (("compile", "fp32"), ("compile", "fp16"))
LARGE_BATCH = 32
PLAN = BenchPlan(rounds=5, round_s=0.15, max_processes=3, deadline_s=180.0)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; `status` is passed, failed or skipped."""

    name: str
    status: str
    detail: str = ""


class Checks:
    """The checks so far; each is printed when it ends, none stops the others."""

    def __init__(self, seconds: float) -> None:
        self.found: list[Check] = []
        self.rows: list[Row] = []
        self._end = time.monotonic() + seconds

    def do(self, name: str, work: Callable[[], str]) -> None:
        """Run one check: what it returns is its detail, what it raises decides how it ended."""
        if time.monotonic() > self._end:
            self._add(Check(name, "skipped", "no time left; raise --seconds"))
            return
        try:
            self._add(Check(name, "passed", work()))
        except UnavailableError as error:
            self._add(Check(name, "skipped", str(error)))
        except (NasprofError, AssertionError) as error:
            self._add(Check(name, "failed", f"{type(error).__name__}: {error}"))

    def _add(self, check: Check) -> None:
        self.found.append(check)
        print(f"{check.status:8} {check.name}: {check.detail}", flush=True)


def main() -> int:
    """Run all checks and write what they found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runtime", default="torch-cuda", help="what the networks run on")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=480.0, help="no check begins later")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "samples" / "gpu")
    options = parser.parse_args()
    checks = Checks(options.seconds)
    with tempfile.TemporaryDirectory() as scratch:
        checks.do("NVML", _nvml)
        checks.do("clock held and freed", _lock)
        for runtime in ("onnxruntime-cuda", "onnxruntime-tensorrt"):
            checks.do(runtime, lambda runtime=runtime: _ort(checks, runtime, Path(scratch)))
        _measure(checks, options.runtime, options.networks, Path(scratch))
        checks.do("tests marked gpu", _tests)
    _write(checks, options.output)
    counts = [sum(c.status == s for c in checks.found) for s in ("passed", "failed", "skipped")]
    print("{} passed, {} failed, {} skipped".format(*counts))
    return 1 if counts[1] else 0


def _nvml() -> str:
    gpu = find()
    facts, state = gpu.facts(), gpu.state()
    unknown = [name for name, value in {**asdict(facts), **asdict(state)}.items() if value is None]
    unknown.remove("locked_mhz")
    energy = gpu.energy_mj()
    return (
        f"{facts.name}, driver {facts.driver}, CUDA {facts.cuda_driver}, energy counter "
        f"{'read' if energy is not None else 'unknown'}; unknown: {', '.join(unknown) or 'nothing'}"
    )


def _lock() -> str:
    """Hold the clock at two thirds of the highest, look at it under work, and free it."""
    gpu = find()
    top = gpu.facts().max_sm_mhz
    if top is None:
        raise UnavailableError("NVML does not tell the highest clock")
    wanted = top * 2 // 3 // 15 * 15
    with locked_clocks(wanted):
        held = _clock_under_work(gpu)
    freed = _clock_under_work(gpu)
    assert held is None or abs(held - wanted) <= 15, f"asked for {wanted} MHz, saw {held}"
    return f"asked for {wanted} MHz, {held} under work, {freed} when free again"


def _clock_under_work(gpu: Any) -> int | None:
    import torch

    if not torch.cuda.is_available():
        raise UnavailableError(f"torch {torch.__version__} cannot use the GPU")
    left = torch.randn(4096, 4096, device="cuda")
    for _ in range(50):
        left @ left
    seen: int | None = gpu.sm_mhz()
    torch.cuda.synchronize()
    return seen


def _ort(checks: Checks, runtime: str, scratch: Path) -> str:
    _require(runtime)
    return _one(checks, "reference:resnet18", Target(runtime, "cuda"), 1, scratch)


def _measure(checks: Checks, runtime: str, networks: list[str], scratch: Path) -> None:
    try:
        device = _require(runtime)
    except UnavailableError as error:
        for network in networks:
            checks.do(f"{network} on {runtime}", lambda error=error: _skip(error))
        return
    ways = [(n, mode, kind, 1) for n in networks for mode, kind in WAYS]
    ways += [(networks[0], mode, kind, 1) for mode, kind in COMPILED]
    ways += [(n, "graph", "fp16", LARGE_BATCH) for n in networks]
    for network, mode, precision, batch in ways:
        if device == "cpu" and mode == "graph":
            mode = "eager"
        target = Target(runtime, device, precision, options=(("mode", mode),))
        name = f"{network}, batch {batch}, {target.key}"
        checks.do(name, lambda n=network, t=target, b=batch: _one(checks, n, t, b, scratch))


def _require(runtime: str) -> str:
    found = probe(runtime)
    if not found.available:
        raise UnavailableError(f"{found.reason}; {found.remedy}")
    return found.kind


def _skip(error: UnavailableError) -> str:
    raise error


def _one(checks: Checks, network: str, target: Target, batch: int, scratch: Path) -> str:
    """Measure a network in fresh processes and keep the row; the outputs must be right."""
    subject = exporting.resolve(network)
    done = exporting.export(subject, batch=batch, cache_dir=scratch / "exports")
    model = open_model(done.path)
    reference = reference_outputs(model, model.inputs, PLAN.seed, scratch / "references", 120.0)
    work = Work(model, subject.text, target, model.inputs, reference)
    if target.runtime.startswith("torch"):
        folder = scratch / "programs"
        made = exporting.program(subject, model.sha256, batch=batch, folder=folder)
        work = replace(work, artifact=made.path)
    environment = capture()
    found = [attempt(work, Setting(PLAN, environment.key, "gpu-check")) for _ in range(2)]
    failed = [one for one in found if isinstance(one, Failure)]
    assert not failed, f"{failed[0].kind} at {failed[0].stage}: {failed[0].message}"
    attempts = tuple(one for one in found if isinstance(one, Attempt))
    measurement = Measurement(
        model.sha256, subject.text, target, PLAN, environment.key, "gpu-check", model.inputs,
        attempts,
    )  # fmt: skip
    devices = {place.device for one in attempts for place in one.placement}
    assert devices == {target.device}, f"asked for {target.device}, ran on {devices}"
    row = outcome_row(measurement)
    checks.rows.append(row)
    return f"{measurement.latency.median_ns / 1e6:.3f} ms ({row.verdict}) {row.on_gpu}"


def _tests() -> str:
    find()
    missing = [name for name in ("pytest", "sqlalchemy", "platformdirs") if find_spec(name) is None]
    if missing:
        raise UnavailableError(f"needs {', '.join(missing)}")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = (done.stdout.strip().splitlines() or ["no output"])[-1]
    assert done.returncode == 0, last
    return last


def _write(checks: Checks, folder: Path) -> None:
    """Write the data; nothing is written of a machine without a GPU."""
    environment = capture()
    if environment.gpu is None and not checks.rows:
        return
    name = environment.gpu.name if environment.gpu else "no GPU"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.json"
    rows = [{k: v for k, v in asdict(row).items() if v not in (None, "")} for row in checks.rows]
    content = {
        "environment": asdict(environment),
        "plan": asdict(PLAN),
        "checks": [asdict(check) for check in checks.found],
        "measurements": rows,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {path.name}")


if __name__ == "__main__":
    sys.exit(main())
