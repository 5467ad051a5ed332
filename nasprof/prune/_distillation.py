"""What a teacher adds to the loss of a student: its scores, its features, its similarities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from nasprof.prune._training import Loss, cross_entropy


def logit_loss(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float = 4.0
) -> torch.Tensor:
    """Kullback-Leibler divergence of softened scores, times the temperature squared.

    Shapes: scores [N, classes] of both; a scalar, the mean over N.
    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    learnt = torch.log_softmax(student / temperature, 1)
    taught = torch.log_softmax(teacher / temperature, 1)
    divergence = nn.functional.kl_div(learnt, taught, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def feature_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of two maps of features, each at unit length over its channels.

    Shapes: [N, channels, ...]; the student's places are averaged to the teacher's or the other way,
    whichever is smaller.
    """
    if student.shape[2:] != teacher.shape[2:]:
        size = [min(a, b) for a, b in zip(student.shape[2:], teacher.shape[2:], strict=True)]
        student = nn.functional.adaptive_avg_pool2d(student, size)
        teacher = nn.functional.adaptive_avg_pool2d(teacher, size)
    mine, theirs = (nn.functional.normalize(part, dim=1) for part in (student, teacher))
    return (mine - theirs).pow(2).sum(1).mean()


def similarity_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    queue: torch.Tensor,
    student_temperature: float = 0.07,
    teacher_temperature: float = 1e-4,
) -> torch.Tensor:
    """Cross-entropy of similarities to the teacher's own vector and to a queue of past ones.

    Shapes: student and teacher [N, width], queue [K, width] at unit length; a scalar, mean over N.
    Source: Fang et al., "SEED: Self-supervised Distillation For Visual Representation",
    ICLR 2021, equations 3 to 5.
    """
    mine = nn.functional.normalize(student, dim=1)
    theirs = nn.functional.normalize(teacher, dim=1)
    learnt = torch.log_softmax(_similarities(mine, theirs, queue) / student_temperature, 1)
    taught = torch.softmax(_similarities(theirs, theirs, queue) / teacher_temperature, 1)
    return -(taught * learnt).sum(1).mean()


def _similarities(vectors: torch.Tensor, own: torch.Tensor, queue: torch.Tensor) -> torch.Tensor:
    """To the teacher's vector of the same image first, then to the queue."""
    return torch.cat([(vectors * own).sum(1, keepdim=True), vectors @ queue.T], 1)


class Queue:
    """The last vectors of a teacher, at unit length; random directions until it is full.

    Shapes: `vectors` [size, width].
    """

    def __init__(self, size: int, width: int) -> None:
        self.vectors = nn.functional.normalize(torch.randn(size, width), dim=1)
        self._next = 0

    def push(self, vectors: torch.Tensor) -> None:
        """Replace the oldest."""
        taken = nn.functional.normalize(vectors.detach(), dim=1)[-len(self.vectors) :]
        places = (self._next + torch.arange(len(taken))) % len(self.vectors)
        self.vectors[places] = taken
        self._next = int(self._next + len(taken)) % len(self.vectors)


class Tap:
    """The last output of one layer of a network, as `features`; `close` ends it."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        self.features: torch.Tensor | None = None
        self._handle = network.get_submodule(layer).register_forward_hook(self._see)

    def _see(self, layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
        self.features = output

    def taken(self) -> torch.Tensor:
        """The features of the last forward pass."""
        assert self.features is not None, "the network has not run"
        return self.features

    def close(self) -> None:
        """Listen no more."""
        self._handle.remove()


@dataclass(frozen=True, slots=True)
class FromScores:
    """A loss for `train`: labels and a teacher's scores; `share` is the teacher's part."""

    teacher: nn.Module
    share: float = 0.7
    temperature: float = 4.0

    def __call__(
        self, network: nn.Module, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """The loss of one step."""
        student = network(images)
        own = nn.functional.cross_entropy(student, labels)
        taught = logit_loss(student, said(self.teacher, images), self.temperature)
        return (1 - self.share) * own + self.share * taught


@dataclass(frozen=True, slots=True)
class FromFeatures:
    """A loss for `train`: another one, and the distance to a teacher's features.

    `pairs` are taps on student and teacher. `matches` bring the student's channels to the teacher's
    where they differ; they are not trained, so that nothing of them has to be kept.
    """

    teacher: nn.Module
    pairs: Sequence[tuple[Tap, Tap]]
    matches: Sequence[nn.Module] = ()
    strength: float = 1.0
    base: Loss = field(default=cross_entropy)

    def __call__(
        self, network: nn.Module, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """The loss of one step."""
        loss = self.base(network, images, labels)
        said(self.teacher, images)
        matches = self.matches or [nn.Identity()] * len(self.pairs)
        for (student, teacher), match in zip(self.pairs, matches, strict=True):
            loss = loss + self.strength * feature_loss(match(student.taken()), teacher.taken())
        return loss


@dataclass(frozen=True, slots=True)
class FromSimilarities:
    """A loss for `train` that reads no labels; after it the teacher's vectors enter the queue.

    The outputs of both networks are vectors of the width of the queue.
    """

    teacher: nn.Module
    queue: Queue
    student_temperature: float = 0.07
    teacher_temperature: float = 1e-4

    def __call__(
        self, network: nn.Module, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """The loss of one step; `labels` are not looked at."""
        taught = said(self.teacher, images)
        loss = similarity_loss(
            network(images), taught, self.queue.vectors.clone(),
            self.student_temperature, self.teacher_temperature,
        )  # fmt: skip
        self.queue.push(taught)
        return loss


def said(teacher: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The outputs of a teacher as it is in use: statistics fixed, no gradient."""
    teacher.eval()
    with torch.no_grad():
        outputs: torch.Tensor = teacher(images)
    return outputs
