from __future__ import annotations

import pytest
import torch

from nasprof import exporting
from nasprof.subjects.reference import NETWORKS
from profiler.core.errors import InputError

# torchvision's published counts; the last one is timm's vit_tiny_patch16_224.
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "vit_tiny": 5_717_416,
}
# Names that published checkpoints use, so that --weights takes them.
KEYS = {
    "resnet18": ("layer2.0.downsample.1.running_var", "fc.weight"),
    "resnet50": ("layer4.2.conv3.weight", "bn1.num_batches_tracked"),
    "mobilenet_v2": ("features.1.conv.0.0.weight", "features.18.1.bias", "classifier.1.bias"),
    "vit_tiny": ("cls_token", "blocks.11.attn.qkv.bias", "patch_embed.proj.weight", "head.bias"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_as_published(name: str) -> None:
    subject = exporting.resolve(f"reference:{name}")
    network = subject.build(0)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    assert set(KEYS[name]) <= set(network.state_dict())
    assert [spec.shape for spec in subject.inputs] == [(1, 3, 224, 224)]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_convolutional_networks_take_other_sizes(name: str) -> None:
    subject = exporting.resolve(f"reference:{name}", (3, 64, 96))
    assert subject.inputs[0].shape == (1, 3, 64, 96)
    with torch.no_grad():
        assert subject.build(0).eval()(torch.zeros(2, 3, 64, 96)).shape == (2, 1000)


def test_the_transformer_gives_scores() -> None:
    network = exporting.resolve("reference:vit_tiny").build(0).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"'resnet19'; there are: resnet18, resnet50"):
        exporting.resolve("reference:resnet19")
