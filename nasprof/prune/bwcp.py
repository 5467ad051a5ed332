"""BWCP: channels go that are unlikely to be active after batch whitening."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from nasprof.prune._gated_norm import Gating, detached
from nasprof.prune._groups import find_groups
from nasprof.prune._method import Gated, Goal, Plain
from nasprof.prune._pressure import Pressure
from nasprof.prune._size import size_of
from nasprof.prune._wiring import Wired, wire
from profiler.core.errors import InputError, ModelError
from profiler.core.outcome import FailureKind

FOLD_TOLERANCE = 1e-4
"""Largest difference of the folded and the gated network, as a share of the output's scale."""


@dataclass(frozen=True, slots=True)
class Bwcp:
    """Whitens groups of 16 channels, gates them by P(active) and pushes shifts down.

    `first` and `second` weigh the penalty, sum over channels of first |gamma| + second beta, from a
    sixth of the training on. With limits both are raised while the network is outside of them
    and lowered while it is inside. From `settle` on the gates are those of the end: 0 for P <= 1/2
    and, where limits ask for more, for the lowest P beyond; weights and statistics get used to it.
    Source: Shao et al., arXiv 2105.06423, sections 3 and 4; as there the penalty begins after 20
    of 120 epochs. Their sharpening of P is not given; that of `_whitening` is ours.
    """

    name: str = "bwcp"
    title: str = "activation probability after batch whitening"
    structured: bool = True
    trains: bool = True
    needs_limit: bool = False
    first: float = 2e-3
    second: float = 4e-3
    size: int = 16
    gating: Gating = field(default_factory=Gating)
    begin: float = 1 / 6
    settle: float = 0.7

    def made_for(self, argument: str) -> Bwcp:
        """The method with other weights of its penalty: `bwcp:4e-3,8e-3`.

        Raises: InputError when these are not two numbers of 0 or more.
        """
        try:
            first, second = (float(part) for part in argument.split(","))
        except ValueError:
            first = second = -1.0
        if not (0 <= first < float("inf") and 0 <= second < float("inf")):
            raise InputError(f"bwcp:{argument}: give two weights such as bwcp:4e-3,8e-3")
        return replace(self, first=first, second=second)

    def wrap(self, network: nn.Module, example: tuple[torch.Tensor, ...], goal: Goal) -> Gated:
        """Put gates into the BatchNorm layers.

        Raises: InputError when none of them directly follows a layer of its own.
        """
        pressure = None
        if goal.limits:
            groups = find_groups(network, example, lambda group: torch.zeros(len(group[0].idxs)))
            size = size_of(network, example, groups.cuttable)
            pressure = Pressure(size, tuple(g.name for g in groups.cuttable), goal.limits)
        wired = wire(network, example, self.size, self.gating)
        if not wired.shared:
            raise InputError(
                "bwcp needs a BatchNorm that directly follows a convolution or linear layer, and "
                "the network has none whose channels can go"
            )
        return BwcpTraining(network, self, wired, goal.arrays.train_images[:16], pressure)


@dataclass(slots=True)
class BwcpTraining:
    """A network whose norms hold gates; `sample` are images to compare the folded one on."""

    network: nn.Module
    method: Bwcp
    wired: Wired
    sample: torch.Tensor
    pressure: Pressure | None = None
    share: float = 0.0
    draws: int = 1

    def optimizer(self) -> None:
        """None: scales and shifts are weights of the network."""

    def penalty(self) -> torch.Tensor:
        """Sum over channels of first |gamma| + second beta, from `begin` to `settle`."""
        if not self.method.begin <= self.share < self.method.settle:
            return torch.zeros(())
        terms = [
            self.method.first * norm.norm.weight.abs().sum()
            + self.method.second * norm.norm.bias.sum()
            for norm in self.wired.norms.values()
        ]
        return torch.stack(terms).sum() * (self.pressure.factor if self.pressure else 1.0)

    def before_step(self, share: float) -> None:
        """Draw the gates of all groups, or settle them."""
        self.share = share
        if share >= self.method.settle:
            self._settle()
            return
        if self.pressure is not None and share >= self.method.begin:
            self.pressure.follow(share, {one.name: one.distance() for one in self.wired.shared})
        for one in self.wired.shared:
            one.draw()

    def after_step(self) -> None:
        """Let the graph of the step go."""
        detached(self.wired.shared)

    def _settle(self) -> None:
        if self.wired.shared[0].settled is not None:
            return
        kept = {one.name: one.kept() for one in self.wired.shared}
        if self.pressure is not None:
            distances = {one.name: one.distance().detach() for one in self.wired.shared}
            kept = self.pressure.settled(distances, kept)
        for one in self.wired.shared:
            one.settled = kept[one.name]

    def plain(self) -> Plain:
        """Fold normalisation, whitening and gates into the layers before, and compare.

        Raises: ModelError when the folded network is not the gated one.
        """
        detached(self.wired.shared)
        self.network.eval()
        folded = fold(self.network, self.wired.places)
        check_fold(self.network, folded, self.sample)
        scores = {}
        for layer, norm in self.wired.norms.items():
            found = torch.full((norm.norm.num_features,), torch.inf)
            for shared, own, root in norm.parts:
                found[own] = shared.scores().repeat(shared.blocks)[root]
            scores[layer] = found
        return Plain(folded, _Importance(folded, scores), threshold=0.0)


@dataclass(frozen=True, slots=True)
class _Importance:
    """Scores of the group's channels by the gated layers in it; None where there is none."""

    network: nn.Module
    scores: Mapping[str, torch.Tensor]

    def __call__(self, group: Any) -> Any:
        modules = {id(self.network.get_submodule(name)): name for name in self.scores}
        found = torch.full((len(group[0].idxs),), torch.inf)
        seen = False
        for item in group:
            name = modules.get(id(item.dep.target.module))
            handler = getattr(item.dep.handler, "__name__", "")
            if name is None or handler != "prune_out_channels":
                continue
            seen = True
            for index, root in zip(item.idxs, item.root_idxs, strict=True):
                found[root] = torch.minimum(found[root], self.scores[name][index])
        return found if seen else None


def fold(network: nn.Module, places: Mapping[str, str]) -> nn.Module:
    """A copy without norms that hold gates; `places` are their names by the layers before them."""
    folded = copy.deepcopy(network).eval()
    for layer, norm in places.items():
        gated: Any = folded.get_submodule(norm)
        gated.folded(folded.get_submodule(layer))
    for norm in places.values():
        folded.set_submodule(norm, nn.Identity())
    return folded


def check_fold(gated: nn.Module, folded: nn.Module, sample: torch.Tensor) -> None:
    """Compare both networks in evaluation.

    Raises: ModelError with the difference where they are not one function.
    """
    with torch.inference_mode():
        expected, found = gated(sample), folded(sample)
    scale = max(float(expected.abs().max()), 1e-6)
    error = float((found - expected).abs().max()) / scale
    if not error <= FOLD_TOLERANCE:
        raise ModelError(
            FailureKind.BAD_OUTPUT,
            f"folding changed the network: outputs differ by {error:.1e} of their scale "
            f"(tolerance {FOLD_TOLERANCE:.0e})",
        )


PLUGIN = Bwcp()
