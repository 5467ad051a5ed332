"""`nasprof devices`: what can be measured here, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure and store this machine's peaks.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads to calibrate with.")] = 1,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the runtimes: ready, or missing with the reason and the remedy."""
    if calibrate:
        _calibrate(threads, store, json)
        return
    found = api.devices()
    if json:
        show_json([asdict(device) for device in found])
        return
    from tabulate import tabulate

    rows = [
        (d.runtime, "ready" if d.available else "missing", d.version or "", d.device or "",
         f"{d.reason}; {d.remedy}" if not d.available else "")
        for d in found
    ]  # fmt: skip
    headers = ("runtime", "state", "version", "device", "why and what to do")
    print(tabulate(rows, headers, maxcolwidths=[None, None, None, 30, 60]))


def _calibrate(threads: int, store: str | None, json: bool) -> None:
    found = api.calibrate(threads=threads, store=store)
    if json:
        show_json(asdict(found))
        return
    for precision, rate in found.flops_per_s.items():
        shown = "no kernels of its own" if rate is None else f"{rate / 1e9:.1f} GFLOP/s"
        print(f"{precision:10} {shown}")
    print(f"{'memory':10} {found.bytes_per_s / 1e9:.1f} GB/s read and written")
