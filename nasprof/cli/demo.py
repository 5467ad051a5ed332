"""`nasprof demo`: the main job from end to end on built-in defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof.cli.printing import note, progress


def command(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the store and the report.")
    ] = Path("nasprof-demo"),
    sample: Annotated[int, typer.Option(min=2, help="Random networks to measure.")] = 20,
    queries: Annotated[int, typer.Option(min=1, help="Accuracies the search may find.")] = 12,
) -> None:
    """Measure NAS-Bench-201 networks, search under a latency limit, and write a report."""
    from nasprof import demo
    from reports.to_text import outcome_table, search_table

    with progress("demo") as bar:
        done = demo.run(
            output,
            sample=sample,
            queries=queries,
            on_progress=bar.step,
            on_step=note,
            on_note=note,
        )
    print(outcome_table(done.outcomes))
    print()
    print(search_table(done.result))
    print()
    print(f"report: {done.report.paths[0]}")
