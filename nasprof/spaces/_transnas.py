"""What both spaces of TransNAS-Bench-101 share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPS = ("none", "skip", "conv_1x1", "conv_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OUTPUTS = {
    "class_scene": 47,
    "class_object": 75,
    "room_layout": 9,
    "jigsaw": 1000,
    "segmentsemantic": 17,
    "normal": 3,
    "autoencoder": 3,
}
"""Numbers of output channels or classes of the seven tasks in the released benchmark."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An encoder: each digit of `modules` is 1 keep, 2 double channels, 3 halve size, 4 both.

    `cell` holds the operations of the six edges, or None for residual blocks.
    """

    base: int
    modules: tuple[int, ...]
    cell: tuple[int, ...] | None

    @property
    def changes(self) -> tuple[tuple[bool, bool], ...]:
        """(doubles channels, halves size) of each module."""
        return tuple((digit in (2, 4), digit in (3, 4)) for digit in self.modules)

    @property
    def halvings(self) -> int:
        """How many modules halve the size."""
        return sum(halve for _, halve in self.changes)

    @property
    def channels(self) -> int:
        """Channels of the features."""
        return self.base << sum(double for double, _ in self.changes)


def build(plan: Plan, task: str, classes: int | None, channels_in: int) -> nn.Module:
    """Make the network of a task.

    Raises: InputError when the benchmark has no such task.
    """
    from nasprof.spaces._networks.transnas import Network

    if task not in OUTPUTS:
        raise InputError(
            f"TransNAS-Bench-101 has no task {task!r}; its tasks are: {', '.join(OUTPUTS)}"
        )
    return Network(plan, task, classes, channels_in)


def task_input_shape(task: str) -> tuple[int, ...]:
    """The shape of one input of a task, as in the published costs."""
    return (9, 3, 64, 64) if task == "jigsaw" else (3, 224, 224)
