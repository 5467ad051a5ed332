"""Network Coding Propagation: an architecture's code follows the gradient of trained predictors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nasprof.predict._alone import alone
from nasprof.predict._predictor import Array
from nasprof.predict.ncp import NcpModel
from nasprof.search.codes import Code
from nasprof.spaces._space import Genes

STEPS, RATE, COST_WEIGHT = 70, 3.0, 0.5
"""Steps, step length and weight of the cost as released."""

Opinion = Callable[[Sequence[Genes]], Array]
"""A second predictor: scores of networks, greater is better."""


@dataclass(frozen=True, slots=True)
class Pull:
    """A metric that the code is pulled along: upwards with a weight above 0, else downwards.

    Several tasks are several pulls. `metric` is its column in what the model predicts.
    """

    model: NcpModel
    metric: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Cap:
    """A cost that must end at or below a limit; its weight is a multiplier that learns.

    The multiplier starts at 0, grows by `rate` times the excess, and never falls below 0. What the
    cost weighs in a step is the multiplier and `penalty` times the excess, which keeps the path
    from swinging about the limit.
    Unit: `limit` as the model predicts; the excess is in the model's standard units.
    Source: method of multipliers (Nocedal and Wright, "Numerical Optimization", 2006, 17.4).
    """

    model: NcpModel
    metric: int
    limit: float
    rate: float = 0.2
    penalty: float = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: the continuous code, the network that it rounds to, and what is predicted of it.

    `predicted` are the pulls' metrics of the *rounded* network, `multiplier` the cap's weight.
    Shapes: code [d], predicted [pulls].
    """

    code: Array
    genes: Genes
    predicted: Array
    multiplier: float


def propagate(
    code: Code,
    start: Genes,
    pulls: Sequence[Pull],
    *,
    cap: Cap | None = None,
    steps: int = STEPS,
    rate: float = RATE,
) -> list[Stage]:
    """Follow the gradient from a network and return the whole path, the start first.

    As released, the target of each metric is its prediction and a tenth, so only the sign of the
    distance counts and a step is `rate` times the weighted sum of the gradients, in standard units
    of code and metrics. The code stays within its bounds and is rounded for the network only.
    Source: Ding et al., ICLR 2022, and its released code; the multiplier is ours.
    """
    scale = pulls[0].model.codes
    low, high = scale.units(code.low[None])[0], scale.units(code.high[None])[0]
    e = scale.units(code.encode([start]))[0]
    multipliers, vectors = [0.0], [scale.values(e[None])[0]]
    with alone(0):
        for _ in range(steps):
            slope, excess = _slope(e, pulls, cap, multipliers[-1])
            e = np.clip(e + rate * slope, low, high)
            vectors.append(scale.values(e[None])[0])
            grown = multipliers[-1] + (0.0 if cap is None else cap.rate * excess)
            multipliers.append(max(0.0, grown))
    return _stages(code, vectors, [code.rounded(v) for v in vectors], pulls, multipliers)


def climb(
    code: Code, start: Genes, pulls: Sequence[Pull], *, cap: Cap | None = None, steps: int = STEPS
) -> list[Stage]:
    """Winner takes all: make the one legal step of the best predicted gain, until none gains.

    A network over the cap is worse than any below it, by its excess.
    Source: the variant that NCP's paper describes and its release leaves out; the rule for legal
    steps is ours.
    """
    at = start
    best = float(_worth([at], code, pulls, cap)[0])
    visited = [at]
    for _ in range(steps):
        around = code.moves(at)
        worth = _worth(around, code, pulls, cap) if around else np.array([-np.inf])
        if worth.max() <= best:
            break
        at, best = around[int(np.argmax(worth))], float(worth.max())
        visited.append(at)
    return _stages(code, code.encode(visited), visited, pulls, [0.0] * len(visited))


def turning_point(path: Sequence[Stage], opinion: Opinion) -> int:
    """The step that a second predictor thinks best: later ones feed on the first one's errors."""
    return int(np.argmax(opinion([stage.genes for stage in path])))


def _stages(
    code: Code,
    vectors: Iterable[Array],
    visited: Sequence[Genes],
    pulls: Sequence[Pull],
    multipliers: Sequence[float],
) -> list[Stage]:
    rows = code.encode(visited)
    predicted = np.stack([pull.model.predict(rows)[:, pull.metric] for pull in pulls], axis=1)
    return [Stage(*parts) for parts in zip(vectors, visited, predicted, multipliers, strict=True)]


def _slope(
    e: Array, pulls: Sequence[Pull], cap: Cap | None, multiplier: float
) -> tuple[Array, float]:
    """The weighted sum of gradients, and by how much the cap is exceeded in standard units."""
    x = torch.tensor(e, dtype=torch.float32, requires_grad=True)
    scale = pulls[0].model.codes
    values = x * torch.tensor(scale.spread) + torch.tensor(scale.centre)
    total = torch.zeros(())
    for pull in pulls:
        total = total + pull.weight * _units(pull.model, values, pull.metric)
    excess = 0.0
    if cap is not None:
        cost = _units(cap.model, values, cap.metric)
        metrics = cap.model.metrics
        limit = (cap.limit - metrics.centre[cap.metric]) / metrics.spread[cap.metric]
        excess = float(cost.detach()) - float(limit)
        total = total - max(0.0, multiplier + cap.penalty * excess) * cost
    total.backward()
    assert x.grad is not None
    return x.grad.numpy().astype(np.float64), excess


def _units(model: NcpModel, values: torch.Tensor, metric: int) -> torch.Tensor:
    """A metric in standard units, of a code [d]."""
    centre, spread = torch.tensor(model.codes.centre), torch.tensor(model.codes.spread)
    rows = ((values - centre) / spread).float()[None]
    found: torch.Tensor = model.network(rows)[0, metric]
    return found


def _worth(
    candidates: Sequence[Genes], code: Code, pulls: Sequence[Pull], cap: Cap | None
) -> Array:
    """Weighted sum of predicted metrics in standard units, of whole networks: [n]."""
    rows = code.encode(candidates)
    total = np.zeros(len(rows))
    for pull in pulls:
        total += pull.weight * pull.model.metrics.units(pull.model.predict(rows))[:, pull.metric]
    if cap is not None:
        cost = cap.model.predict(rows)[:, cap.metric]
        over = (cost - cap.limit) / cap.model.metrics.spread[cap.metric]
        total = np.where(over > 0, -1e6 * (1 + over), total)
    return total
