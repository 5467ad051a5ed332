"""Losses from a teacher: cases by hand, gradients, the queue, and students that gain on digits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from exporters.seeding import seeded
from nasprof.evaluate._training import Arrays, Schedule, accuracy
from nasprof.prune._data import open_data
from nasprof.prune._distillation import (
    FromFeatures,
    FromScores,
    FromSimilarities,
    Queue,
    Tap,
    feature_loss,
    logit_loss,
    similarity_loss,
)
from nasprof.prune._training import Bare, train


def test_the_logit_loss_by_hand() -> None:
    # At temperature 2 the teacher says 2/3 and 1/3, the student one half each.
    teacher = torch.tensor([[2 * math.log(2.0), 0.0]])
    expected = 4 * (2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3))
    assert float(logit_loss(torch.zeros(1, 2), teacher, 2.0)) == pytest.approx(expected)
    assert float(logit_loss(teacher, teacher, 2.0)) == pytest.approx(0, abs=1e-7)


def test_the_feature_loss_is_of_directions_at_the_smaller_size() -> None:
    student = torch.tensor([3.0, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4)
    teacher = torch.tensor([0.0, 5.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    assert float(feature_loss(student, teacher)) == pytest.approx(2.0)
    assert float(feature_loss(student, 7 * student)) == pytest.approx(0.0)


def test_the_similarity_loss_by_hand() -> None:
    teacher, queue = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    student = torch.tensor([[0.6, 0.8]])
    # Teacher: similarities 1 and 0; student: 0.6 and 0.8. Temperatures 0.5 and 0.2.
    p = 1 / (1 + math.exp(-1 / 0.5))
    q = 1 / (1 + math.exp(0.2 / 0.2))
    expected = -(p * math.log(q) + (1 - p) * math.log(1 - q))
    assert float(similarity_loss(student, teacher, queue, 0.2, 0.5)) == pytest.approx(expected)


def test_a_sharp_teacher_asks_for_its_own_vector_alone() -> None:
    with seeded(0):
        teacher, student = torch.randn(5, 8), torch.randn(5, 8)
        queue = nn.functional.normalize(torch.randn(50, 8), dim=1)
    own = nn.functional.normalize(student, dim=1) @ nn.functional.normalize(teacher, dim=1).T
    others = nn.functional.normalize(student, dim=1) @ queue.T
    scores = torch.cat([own.diagonal()[:, None], others], 1) / 0.07
    expected = nn.functional.cross_entropy(scores, torch.zeros(5, dtype=torch.long))
    torch.testing.assert_close(similarity_loss(student, teacher, queue), expected)


@pytest.mark.parametrize("name", ["logits", "features", "similarities"])
def test_gradients_are_those_of_differences(name: str) -> None:
    with seeded(1):
        student = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
        teacher = torch.randn(3, 4, dtype=torch.float64)
        queue = nn.functional.normalize(torch.randn(6, 4, dtype=torch.float64), dim=1)
    loss = {
        "logits": lambda x: logit_loss(x, teacher, 3.0),
        "features": lambda x: feature_loss(x[..., None, None], teacher[..., None, None]),
        "similarities": lambda x: similarity_loss(x, teacher, queue, 0.3, 0.1),
    }[name]
    assert torch.autograd.gradcheck(loss, student)


def test_the_queue_replaces_its_oldest_vectors() -> None:
    queue = Queue(3, 2)
    rows = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    queue.push(rows)
    queue.push(-rows)
    assert queue.vectors.tolist() == [[0, -1], [0, 1], [-1, 0]]
    queue.push(torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]]))
    assert sorted(queue.vectors.tolist()) == [[0, 1], [1, 0], [1, 0]]


def test_a_tap_reads_one_layer_until_it_is_closed() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    tap = Tap(network, "0")
    with pytest.raises(AssertionError, match="has not run"):
        tap.taken()
    network(torch.ones(1, 2))
    seen = tap.taken()
    tap.close()
    network(torch.zeros(1, 2))
    assert tap.taken() is seen


def perceptron(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, outputs),
    )  # fmt: skip


@pytest.fixture(scope="module")
def teacher() -> nn.Module:
    with seeded(0):
        network = perceptron(64, 10)
        found = train(Bare(network), open_data("digits"), Schedule(epochs=8))
    assert found > 0.93
    return network


def few_labels() -> Arrays:
    arrays = open_data("digits")
    return replace(
        arrays, train_images=arrays.train_images[:50], train_labels=arrays.train_labels[:50]
    )


def test_a_student_gains_from_the_scores_of_a_teacher(teacher: nn.Module) -> None:
    """It has 50 labels; through the teacher it learns from all images without theirs."""
    with seeded(1):
        alone = train(Bare(perceptron(16, 10)), few_labels(), Schedule(epochs=40, batch=25))
    with seeded(1):
        student = perceptron(16, 10)
        loss = FromScores(teacher, share=1.0)
        taught = train(Bare(student), open_data("digits"), Schedule(epochs=8), loss)
    assert taught > alone + 0.03
    assert not teacher.training


def test_features_of_the_student_come_near_the_teachers(teacher: nn.Module) -> None:
    arrays = open_data("digits")
    with seeded(2):
        student = perceptron(64, 10)
    taps = Tap(student, "2"), Tap(teacher, "2")

    def distance() -> float:
        with torch.no_grad():
            student.eval()(arrays.test_images)
            teacher(arrays.test_images)
            return float(feature_loss(taps[0].taken(), taps[1].taken()))

    before = distance()
    with seeded(2):
        train(Bare(student), arrays, Schedule(epochs=4), FromFeatures(teacher, [taps]))
    assert distance() < before / 2


def nearest_mean(network: nn.Module, arrays: Arrays) -> float:
    """Accuracy of the class whose mean direction is nearest."""
    network.eval()
    with torch.no_grad():
        train_set, test_set = (
            nn.functional.normalize(network(images), dim=1)
            for images in (arrays.train_images, arrays.test_images)
        )
    means = torch.stack([train_set[arrays.train_labels == c].mean(0) for c in range(10)])
    found = (test_set @ nn.functional.normalize(means, dim=1).T).argmax(1)
    return float((found == arrays.test_labels).float().mean())


def test_a_student_gains_from_similarities_without_labels(teacher: nn.Module) -> None:
    arrays = open_data("digits")
    unlabelled = replace(arrays, train_labels=torch.zeros_like(arrays.train_labels))
    with seeded(3):
        student = perceptron(16, 10)
        before = nearest_mean(student, arrays)
        loss = FromSimilarities(teacher, Queue(256, 10), teacher_temperature=0.05)
        train(Bare(student), unlabelled, Schedule(epochs=10), loss)
    assert nearest_mean(student, arrays) > before + 0.05
    assert accuracy(teacher, arrays) > 0.93
