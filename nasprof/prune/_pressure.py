"""How hard a penalty pushes, so that a training ends at its limits and not far inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from nasprof.prune._choice import fewest
from nasprof.prune._limits import Limit
from nasprof.prune._size import Size

_EVERY = 0.02
_STEP = 1.3
_FARTHEST = 100.0


@dataclass(slots=True)
class Pressure:
    """A factor on the penalty: up while the network is outside of a limit, down while inside.

    `names` are the groups of `size` in its order. It looks at what would be cut after each fiftieth
    of the training.
    """

    size: Size
    names: tuple[str, ...]
    limits: tuple[Limit, ...]
    factor: float = 1.0
    looked: float = -1.0

    def follow(self, share: float, distances: Mapping[str, torch.Tensor]) -> None:
        """Look at the groups' distances (units with z of 0 or less would go) and adapt."""
        if share - self.looked < _EVERY:
            return
        self.looked = share
        up = self.excess(distances) > 1
        factor = self.factor * (_STEP if up else 1 / _STEP)
        self.factor = min(max(factor, 1 / _FARTHEST), _FARTHEST)

    def excess(self, distances: Mapping[str, torch.Tensor]) -> float:
        """The largest ratio of a cost to its limit if the groups lost what would go now."""
        return self._ratio([self._lost(distances.get(name)) for name in self.names])

    def _ratio(self, counts: Sequence[int]) -> float:
        whole = self.size.nothing_lost
        ratios = []
        for limit in self.limits:
            # Time falls slower than MACs: where a share of it is asked for, so much of the MACs.
            metric = "macs" if limit.metric == "latency" else limit.metric
            if limit.metric != "latency" or limit.share is not None:
                most = limit.of(self.size.metric(metric, whole))
                ratios.append(self.size.metric(metric, counts) / most)
        return max(ratios, default=1.0)

    def settled(
        self, distances: Mapping[str, torch.Tensor], kept: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """What stays of `kept` units so that limits are met, those with the lowest z going first.

        Where limits can't be met that way, `kept` is what stays.
        """
        gone = [self._lost(distances.get(name)) for name in self.names]
        steps = sorted(
            (float(z), number)
            for number, name in enumerate(self.names)
            if name in distances
            for z in distances[name].sort().values[gone[number] : -1]
        )
        counts = fewest([number for _, number in steps], gone, lambda n: self._ratio(n) <= 1)
        if counts is None:
            return dict(kept)
        found = dict(kept)
        for name, count in zip(self.names, counts, strict=True):
            if name in distances:
                lowest = distances[name].argsort()[:count]
                found[name] = torch.ones_like(kept[name]).index_fill(0, lowest, 0)
        return found

    @staticmethod
    def _lost(z: torch.Tensor | None) -> int:
        return 0 if z is None else min(int((z <= 0).sum()), len(z) - 1)
