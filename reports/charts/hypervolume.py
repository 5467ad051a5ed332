"""The hypervolume of a search against the accuracies that it had found."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

from reports.charts.svg import FRONT, drawing, to_svg
from reports.search_progress import Progress


def hypervolume_chart(progress: Progress | None) -> str | None:
    """Draw the steps as SVG; None where the set did not grow at least once."""
    if progress is None or len(progress.steps) < 2:
        return None
    xs = [0, *(step.queries for step in progress.steps), progress.queries]
    ys = [0.0, *(step.volume for step in progress.steps), progress.volume]
    with drawing(9.2, 2.6) as figure:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.08, right=0.98, top=0.95, bottom=0.2)
        axes.plot(xs, ys, drawstyle="steps-post", color=FRONT, linewidth=1.5)
        axes.set_xlim(0, progress.queries * 1.02)
        axes.set_ylim(0, progress.volume * 1.1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("accuracies found")
        axes.set_ylabel("hypervolume")
        text = f"Hypervolume of the Pareto set over {progress.queries} accuracies, at the end "
        return to_svg(figure, "hypervolume", f"{text}{progress.volume:.4g}")
