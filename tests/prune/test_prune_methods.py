"""Scores of the simple methods on weights written by hand; every method all the way."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from networks import made
from torch import nn

from exporters.seeding import seeded
from nasprof.evaluate._training import Arrays, Schedule
from nasprof.prune import bn_scale, taylor
from nasprof.prune._data import open_data
from nasprof.prune._groups import find_groups
from nasprof.prune._method import Goal, methods, open_method
from nasprof.pruning import PruneRequest, prune
from profiler.core.errors import InputError

pytest.importorskip("torch_pruning", reason='surgery needs pip install "nasprof[prune]"')

STRUCTURED = [name for name in methods() if open_method(name).structured]


class Small(nn.Module):
    """One convolution with BatchNorm, then the classes: two weights for each channel."""

    input_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.norm(self.conv(x)).relu().mean((2, 3)))


def small() -> Small:
    network = Small()
    with torch.no_grad():
        network.conv.weight.copy_(torch.tensor([1.0, -2.0, 3.0]).reshape(3, 1, 1, 1))
        network.norm.weight.copy_(torch.tensor([0.5, 0.25, -0.75]))
        network.fc.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.5]]))
    return network


def goal(arrays: Arrays | None = None) -> Goal:
    return Goal((), arrays or open_data("digits"), Schedule(epochs=1, batch=64), 0)


def scores(name: str, network: nn.Module, arrays: Arrays | None = None) -> torch.Tensor:
    example = (torch.zeros(1, 1, 8, 8),)
    plain = open_method(name).wrap(network, example, goal(arrays)).plain()
    (group,) = find_groups(plain.network, example, plain.importance).cuttable
    return torch.tensor(group.scores)


def test_l1_is_the_mean_of_absolute_sums_over_the_coupled_layers() -> None:
    # conv |w|, norm |w|, fc column sums; the mean of the three is 2.5/3, 3.25/3, 6.25/3.
    found = torch.tensor([1 + 0.5 + 2, 2 + 0.25 + 1, 3 + 0.75 + 2.5])
    torch.testing.assert_close(scores("l1", small()), found / found.mean())


def test_l2_sums_squares() -> None:
    found = torch.tensor([1 + 0.25 + 2, 4 + 0.0625 + 1, 9 + 0.5625 + 4.25])
    torch.testing.assert_close(scores("l2", small()), found / found.mean())


def test_bn_scale_is_the_scale_itself() -> None:
    torch.testing.assert_close(scores("bn-scale", small()), torch.tensor([0.5, 0.25, 0.75]))


def test_taylor_multiplies_by_the_gradient_of_the_whole_training_loss() -> None:
    with seeded(0):
        images, labels = torch.randn(10, 1, 8, 8), torch.arange(10) % 2
    network = small().eval()
    nn.functional.cross_entropy(network(images), labels).backward()
    conv = (network.conv.weight * network.conv.weight.grad).abs().flatten()
    fc = (network.fc.weight * network.fc.weight.grad).abs().sum(0)
    expected = (conv + fc).detach()
    found = scores("taylor", small(), Arrays(images, labels, images, labels))
    torch.testing.assert_close(found, expected / expected.mean(), rtol=1e-4, atol=1e-5)


def test_taylor_does_not_depend_on_the_batches() -> None:
    arrays = open_data("digits")
    network = made_grey()
    found = []
    for batch in (64, 1000):
        own = Goal((), arrays, Schedule(epochs=1, batch=batch), 0)
        plain = taylor.PLUGIN.wrap(copy.deepcopy(network), (arrays.train_images[:1],), own).plain()
        groups = find_groups(plain.network, (arrays.train_images[:1],), plain.importance)
        found.append([torch.tensor(group.scores) for group in groups.cuttable])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def made_grey() -> nn.Module:
    network, _ = made("plain")
    network.a[0] = nn.Conv2d(1, 8, 3, padding=1, bias=False)
    network.fc = nn.Linear(24, 10)
    return network.eval()


def test_the_penalty_of_network_slimming_is_the_sum_of_scales() -> None:
    gated = bn_scale.PLUGIN.made_for("0.01").wrap(small(), (), goal())
    penalty = gated.penalty()
    assert float(penalty.detach()) == pytest.approx(0.01 * 1.5)
    penalty.backward()
    assert gated.network.norm.weight.grad.tolist() == pytest.approx([0.01, 0.01, -0.01])


@pytest.mark.parametrize("argument", ["much", "-1", "inf", ""])
def test_a_strength_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(InputError, match="give a strength such as bn-scale:1e-4"):
        open_method(f"bn-scale:{argument}")


def test_a_network_without_batch_norm_is_refused_by_bn_scale() -> None:
    with pytest.raises(InputError, match="needs BatchNorm layers"):
        bn_scale.PLUGIN.wrap(nn.Linear(2, 2), (), goal())


def test_random_scores_follow_the_seed() -> None:
    with seeded(1):
        one = scores("random", small())
    with seeded(1):
        assert torch.equal(one, scores("random", small()))
    with seeded(2):
        assert not torch.equal(one, scores("random", small()))


@pytest.mark.parametrize("method", STRUCTURED)
def test_every_method_meets_the_limit_and_exports(method: str, tmp_path) -> None:
    network = Small()
    network.conv, network.norm = nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16)
    network.fc = nn.Linear(16, 10)
    steps = []
    request = PruneRequest(network, method, ("macs<=50%",), epochs=2, fine_tune=1, batch=256)
    done = prune(request, tmp_path / "small.onnx", on_progress=lambda *step: steps.append(step))
    assert done.after.macs <= 0.5 * done.before.macs
    if open_method(method).needs_limit:  # others may say that more channels are of no use
        assert done.after.macs > 0.4 * done.before.macs
    assert done.exported is not None
    assert done.exported.params == done.after.params
    assert [done_so_far for done_so_far, _, _ in steps] == list(range(steps[0][1] + 1))
    assert json.loads(json.dumps(done.to_json()))["after"]["macs"] == done.after.macs
    assert f"{done.layers[0].channels_left}" in done.table()
    assert network.conv.out_channels == 16


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"method": "l3"}, "unknown name 'l3'"),
        ({"limits": ("macs<=2ms",)}, "limit 'macs<=2ms'"),
        ({"limits": ()}, "l1 needs a limit"),
        ({"limits": ("latency@onnxruntime-cpu<=0.6x",)}, "needs a store"),
        ({"data": "cifar"}, "unknown data 'cifar'"),
        ({"epochs": 0}, "1 epoch or more"),
        ({"spread": "even"}, "unknown spread 'even'"),
        ({"subject": "model.onnx"}, "model.onnx"),
        ({"subject": "light:light_squeezenet"}, "."),
    ],
)
def test_bad_input_is_one_line(change: dict[str, object], why: str) -> None:
    usual: dict[str, object] = {"subject": SmallClasses(), "method": "l1", "limits": ("macs<=50%",)}
    with pytest.raises(InputError, match=why) as caught:
        prune(PruneRequest(**{**usual, "epochs": 1, "batch": 512, **change}))
    assert "\n" not in str(caught.value)


class SmallClasses(Small):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 10)


def test_too_few_classes_are_refused() -> None:
    with pytest.raises(InputError, match="tells 2 classes apart and the data has 10"):
        prune(PruneRequest(Small(), "l1", ("macs<=50%",), epochs=1))


def test_what_gives_no_scores_is_refused() -> None:
    class Maps(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    with pytest.raises(InputError, match="gives no scores of classes"):
        prune(PruneRequest(Maps(), "l1", ("macs<=50%",), epochs=1))


def test_the_same_seed_prunes_the_same() -> None:
    request = PruneRequest(SmallClasses(), "l1", ("macs<=70%",), epochs=1, batch=256, seed=3)
    one, other = prune(request), prune(request)
    assert one.after == other.after
    for mine, yours in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(mine, yours)
