"""What a pruning did: figures before and after, layer by layer, as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate
from torch import nn

from nasprof.exporting import Exported
from nasprof.prune._method import Findings
from profiler.core.tensor import TensorSpec
from profiler.core.units import ms, si


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer before and after. Unit: output channels, MACs of one inference."""

    name: str
    channels: int
    channels_left: int
    macs: int
    macs_left: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one network is worth and costs. Unit: share of test images, MACs, parameters."""

    accuracy: float
    macs: int
    params: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Latency of the whole and of the pruned network, measured again in the end. Unit: ns."""

    target: str
    limit_ns: float
    before_ns: float
    after_ns: float

    @property
    def kept(self) -> bool:
        """Whether the second measurement keeps to the limit."""
        return self.after_ns <= self.limit_ns


@dataclass(frozen=True, slots=True)
class Pruned:
    """A pruned network with its report.

    `cut_accuracy` is that right after the removal, before the fine-tuning. `whole` are groups
    that stayed as they are, by their first layer, with the reason.
    """

    network: nn.Module
    subject: str
    inputs: tuple[TensorSpec, ...]
    method: str
    limits: tuple[str, ...]
    before: Figures
    after: Figures
    cut_accuracy: float
    layers: tuple[LayerChange, ...]
    whole: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    exported: Exported | None = None
    timing: Timing | None = None
    findings: Findings | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields but the network as JSON."""
        return {
            "subject": self.subject,
            "method": self.method,
            "limits": list(self.limits),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "cut_accuracy": self.cut_accuracy,
            "layers": [asdict(layer) for layer in self.layers],
            "whole": dict(self.whole),
            "notes": list(self.notes),
            "timing": None if self.timing is None else asdict(self.timing),
            "findings": None if self.findings is None else self.findings.to_json(),
            "exported": None if self.exported is None else self.exported.to_json(),
        }

    def lines(self) -> list[str]:
        """What a person wants to know, line by line."""
        before, after = self.before, self.after
        limits = f" to {', '.join(self.limits)}" if self.limits else ""
        return [
            f"{self.subject} pruned by {self.method}{limits}",
            f"accuracy {before.accuracy:.2%} -> {after.accuracy:.2%}, "
            f"{self.cut_accuracy:.2%} before the fine-tuning",
            f"MACs {si(before.macs)} -> {si(after.macs)} ({_change(before.macs, after.macs)})",
            f"parameters {si(before.params)} -> {si(after.params)} "
            f"({_change(before.params, after.params)})",
            *self._timing_lines(),
            *([] if self.findings is None else self.findings.lines()),
            *(f"- {note}" for note in self.notes),
            *(f"- kept whole: {layer}: {reason}" for layer, reason in self.whole),
            *([] if self.exported is None else ["", *self.exported.lines()]),
        ]

    def _timing_lines(self) -> list[str]:
        timing = self.timing
        if timing is None:
            return []
        saved = 1 - self.after.macs / self.before.macs
        time_saved = 1 - timing.after_ns / timing.before_ns
        verdict = "kept" if timing.kept else "EXCEEDED"
        return [
            f"latency@{timing.target} {ms(timing.before_ns)} ms -> {ms(timing.after_ns)} ms "
            f"({_change(timing.before_ns, timing.after_ns)}), measured again in the end; limit "
            f"{ms(timing.limit_ns)} ms {verdict}",
            f"{saved:.0%} fewer MACs save {time_saved:.0%} of the time",
        ]

    def table(self) -> str:
        """Every layer before and after, or what masks left of it."""
        if self.findings is not None:
            return self.findings.table()
        rows = [
            (
                layer.name, layer.channels, layer.channels_left, si(layer.macs),
                si(layer.macs_left), _change(layer.macs, layer.macs_left),
            )
            for layer in self.layers
        ]  # fmt: skip
        head = ("layer", "channels", "left", "MACs", "left", "change")
        return tabulate(rows, head, colalign=("left", *("right",) * 5), disable_numparse=True)


def _change(before: float, after: float) -> str:
    return f"{after / before - 1:+.1%}"
