"""Attention under a learnt mask: gates by hand, gradients, diagonals, densities, and the export."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from exporters.seeding import seeded
from nasprof import exporting
from nasprof.evaluate._training import Schedule
from nasprof.prune import dam
from nasprof.prune._attention import Masking, find_attention
from nasprof.prune._attention_mask import AttentionMask, Density, FixedAttention, gate
from nasprof.prune._bernoulli import gumbel_difference
from nasprof.prune._data import open_data
from nasprof.prune._limits import parse_limits
from nasprof.prune._method import Goal
from nasprof.pruning import PruneRequest, prune
from profiler.core.errors import InputError


class Tokens(nn.Module):
    """Eight rows of pixels as tokens, two layers of attention of two heads, classes."""

    input_shape = (1, 8, 8)

    def __init__(self, fused: bool = False) -> None:
        super().__init__()
        self.fused = fused
        self.embed = nn.Linear(8, 8)
        self.qkv = nn.ModuleList(nn.Linear(8, 24) for _ in range(2))
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x[:, 0])
        for layer in self.qkv:
            parts = layer(x).reshape(-1, 8, 3, 2, 4).permute(2, 0, 3, 1, 4)
            query, key, value = parts.unbind(0)
            if self.fused:
                mixed = nn.functional.scaled_dot_product_attention(query, key, value)
            else:
                mixed = (query @ key.transpose(2, 3) / 2).softmax(-1) @ value
            x = x + mixed.transpose(1, 2).reshape(-1, 8, 8)
        return self.fc(x.mean(1))


EXAMPLE = (torch.zeros(1, 1, 8, 8),)


def goal(*limits: str) -> Goal:
    return Goal(parse_limits(limits), open_data("digits"), Schedule(1, 256, 0.1), 0)


@pytest.mark.parametrize("fused", [False, True])
def test_attention_is_found_however_it_is_written(fused: bool) -> None:
    found = find_attention(Tokens(fused), EXAMPLE)
    assert (found.heads, found.tokens, found.layers) == (2, 8, 2)
    assert found.macs == 2 * 2 * 8**2 * 8  # layers x 2 x tokens^2 x width


@pytest.mark.slow
def test_the_reference_transformer_has_the_macs_of_the_formula() -> None:
    network = exporting.resolve("reference:vit_tiny").build(0)
    found = find_attention(network, (torch.zeros(1, 3, 224, 224),))
    assert found.macs == found.layers * 2 * 197**2 * 192


@pytest.mark.parametrize("fused", [False, True])
def test_a_closed_entry_gets_no_weight(fused: bool) -> None:
    network = Tokens(fused)
    mask = torch.eye(8).expand(2, 8, 8)
    with seeded(0):
        images = torch.randn(3, 1, 8, 8)
    found = FixedAttention(network, mask)(images)
    # Each token sees itself alone, so attention gives its own value.
    x = network.embed(images[:, 0])
    for layer in network.qkv:
        x = x + layer(x)[..., 16:]
    torch.testing.assert_close(found, network.fc(x.mean(1)))
    with Masking(torch.zeros(2, 8, 8)):
        torch.testing.assert_close(network(images), Tokens.forward(network, images))
    assert not torch.allclose(found, network(images))


def test_a_gate_is_hard_and_its_gradient_soft() -> None:
    logits = torch.tensor([0.5, -2.0, 0.1], dtype=torch.float64, requires_grad=True)
    noise = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    found = gate(logits, noise)
    assert found.tolist() == [1, 0, 0]
    found.sum().backward()
    step = 1e-6
    moved = torch.sigmoid(logits.detach() + step + noise) - torch.sigmoid(
        logits.detach() - step + noise
    )
    torch.testing.assert_close(logits.grad, moved / (2 * step))


def test_the_chance_of_an_open_gate_is_the_sigmoid_of_its_logit() -> None:
    with seeded(1):
        logits = torch.full((200_000,), -1.0)
        found = gate(logits, gumbel_difference(logits))
    assert float(found.mean()) == pytest.approx(1 / (1 + torch.e), abs=0.005)


def test_a_diagonal_mask_has_a_gate_for_each_distance() -> None:
    masks = AttentionMask(12, 128, diagonal=True)
    assert masks.logits.numel() == 12 * 128
    small = AttentionMask(1, 3, diagonal=True).eval()
    with torch.no_grad():
        small.logits.copy_(torch.tensor([[-1.0, 1.0, -1.0]]))
    assert small().tolist() == [[[0, 1, 0], [1, 0, 1], [0, 1, 0]]]


def test_the_penalty_is_the_expected_number_of_open_entries() -> None:
    gated = dam.PLUGIN.made_for("diagonal:0.01").wrap(Tokens(), EXAMPLE, goal())
    masks = gated.network.masks.train()
    with torch.no_grad():
        masks.logits[0] = -1.0
    with seeded(2):
        sampled = torch.stack([masks().detach().sum() for _ in range(4000)]).mean()
    penalty = gated.penalty()
    assert float(penalty.detach()) == pytest.approx(0.01 * float(sampled), rel=0.02)
    penalty.backward()
    assert (masks.logits.grad > 0).all()


def test_density_and_what_it_could_save() -> None:
    # BERT-base at 128 tokens: 0.302 of 11.174 G, so a mask of 95 % zeros saves 2.6 % at most.
    found = Density((0.0, 0.1), 128, 12, 11_173_822_464, 12 * 2 * 128**2 * 768)
    assert found.open == pytest.approx(0.05)
    assert found.exploitable_macs == round(0.05 * 301_989_888)
    assert "301.99 M (2.7% of all)" in found.lines()[1]
    assert "could save 2.6%" in found.lines()[2]


@pytest.mark.parametrize("method", ["dam:0.05", "dam:diagonal:0.05"])
def test_a_strong_penalty_closes_entries_and_the_export_agrees(method: str, tmp_path) -> None:
    request = PruneRequest(Tokens(), method, epochs=12, fine_tune=1, batch=128)
    done = prune(request, tmp_path / "masked.onnx")
    assert done.findings is not None
    found = done.findings.to_json()
    assert found["open"] < 0.9
    assert found["exploitable_macs"] < found["attention_macs"]
    assert done.after.macs >= done.before.macs
    assert done.exported is not None  # compared with the masked network on three seeds
    assert "latency stay those of dense attention" in "\n".join(done.lines())


def test_what_cannot_be_masked_is_refused() -> None:
    with pytest.raises(InputError, match="no attention: no softmax"):
        find_attention(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), EXAMPLE)
    with pytest.raises(InputError, match="layer '0' is torch's MultiheadAttention"):
        find_attention(nn.Sequential(nn.MultiheadAttention(8, 2)), EXAMPLE)
    with pytest.raises(InputError, match="'macs<=50%' can't be a limit"):
        dam.PLUGIN.wrap(Tokens(), EXAMPLE, goal("macs<=50%"))
    with pytest.raises(InputError, match="dam:much: write dam, dam:diagonal"):
        dam.PLUGIN.made_for("much")
