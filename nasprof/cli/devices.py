"""`nasprof devices`: what can be measured here, and what is missing."""

from __future__ import annotations

from dataclasses import asdict

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(json: options.Json = False) -> None:
    """List the runtimes: ready, or missing with the reason and the remedy."""
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
