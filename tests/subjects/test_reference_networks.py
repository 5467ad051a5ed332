from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nasprof import exporting, inspecting
from nasprof.subjects.reference import NETWORKS
from profiler.core.errors import InputError

# Parameters and MACs of convolutions and linear layers. torchvision's published parameters; those
# of vit_tiny are timm's vit_tiny_patch16_224. For CIFAR: what published prunings start from.
PUBLISHED = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "vit_tiny": (5_717_416, None),
    "resnet56_c10": (853_018, 125_485_696),
    "resnet32_wide_c10": (1_860_522, 275_612_928),
    "resnet164_c100": (1_726_388, 247_669_760),
    "densenet40_c10": (1_059_298, 282_917_328),
    "densenet40_c100": (1_100_428, 282_958_368),
    "vgg16_c10": (14_724_042, 313_201_664),
    "vgg16_c100": (14_770_212, 313_247_744),
    "vgg19_c100": (20_081_188, 398_182_400),
}
# Names that published checkpoints use, so that --weights takes them.
KEYS = {
    "resnet18": ("layer2.0.downsample.1.running_var", "fc.weight"),
    "resnet50": ("layer4.2.conv3.weight", "bn1.num_batches_tracked"),
    "mobilenet_v2": ("features.1.conv.0.0.weight", "features.18.1.bias", "classifier.1.bias"),
    "vit_tiny": ("cls_token", "blocks.11.attn.qkv.bias", "patch_embed.proj.weight", "head.bias"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_macs_are_as_published(name: str) -> None:
    params, macs = PUBLISHED[name]
    network = exporting.resolve(f"reference:{name}").build(0)
    assert sum(p.numel() for p in network.parameters()) == params
    if macs is not None:
        assert inspecting.count(inspecting.Question(f"reference:{name}")).macs == macs


@pytest.mark.parametrize("name", KEYS)
def test_parameters_are_named_as_in_published_checkpoints(name: str) -> None:
    subject = exporting.resolve(f"reference:{name}")
    assert set(KEYS[name]) <= set(subject.build(0).state_dict())
    assert [spec.shape for spec in subject.inputs] == [(1, 3, 224, 224)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (_, side) in NETWORKS.items() if side == 32])
def test_the_exported_graph_has_the_published_macs(name: str, tmp_path: Path) -> None:
    made = exporting.export(f"reference:{name}", tmp_path / "network.onnx")
    assert made.params == PUBLISHED[name][0]
    assert inspecting.count(inspecting.Question(str(made.path))).macs == PUBLISHED[name][1]


def test_the_export_of_the_shallowest_has_the_published_macs(tmp_path: Path) -> None:
    made = exporting.export("reference:vgg16_c10", tmp_path / "network.onnx")
    assert inspecting.count(inspecting.Question(str(made.path))).macs == 313_201_664


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
    with pytest.raises(InputError, match=r"'resnet19'; there are: resnet18, resnet34, resnet50"):
        exporting.resolve("reference:resnet19")
