"""ViT-Tiny."""

from __future__ import annotations

import torch
from torch import nn


class Attention(nn.Module):
    """Multi-head self-attention in plain matrix products, which every converter reads.

    Shapes: tokens [N, T, width] to tokens of the same shape.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the tokens."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_width)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(2, 3) * self.head_width**-0.5).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        out: torch.Tensor = self.proj(mixed)
        return out


class Mlp(nn.Module):
    """Two linear layers around a GELU, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform each token by itself."""
        out: torch.Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention, then a perceptron, each on normalised tokens and added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply both parts."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    """Cut the image into 16x16 patches and project each to a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shapes: images [N, 3, H, W] to tokens [N, H/16 x W/16, width]."""
        out: torch.Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return out


class VisionTransformer(nn.Module):
    """A vision transformer with a class token; parameters are named as in timm.

    Shapes: images [N, 3, 224, 224] to scores [N, classes].
    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, equations 1-4; the tiny
    size is of Touvron et al., "Training data-efficient image transformers", ICML 2021, table 1.
    """

    def __init__(self, width: int, depth: int, heads: int, classes: int = 1000) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 14 * 14 + 1, width) * 0.02)
        self.patch_embed = PatchEmbedding(width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score a batch of images."""
        tokens = self.patch_embed(x)
        tokens = torch.cat((self.cls_token.expand(tokens.shape[0], -1, -1), tokens), 1)
        tokens = self.norm(self.blocks(tokens + self.pos_embed))
        scores: torch.Tensor = self.head(tokens[:, 0])
        return scores


def vit_tiny() -> nn.Module:
    """ViT-Tiny with 16x16 patches: 5,717,416 parameters."""
    return VisionTransformer(width=192, depth=12, heads=3)
