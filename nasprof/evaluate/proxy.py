"""A score without training in the place of an accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev

import numpy as np
import torch

from exporters.seeding import seeded
from nasprof.evaluate._evaluator import Accuracy
from nasprof.evaluate._proxies import PROXIES
from nasprof.spaces._genes import input_shape, sample
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError

_IMAGES = 32
_REFERENCE = 32
_COUNTED = ("macs", "params")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Scores the freshly initialised network on 32 images of random normal numbers.

    A proxy orders networks and says nothing of their accuracy. So that it can stand where an
    accuracy does, its value is the share of the space's networks that the score would beat if
    scores were normal, by their mean and deviation over 32 random networks.
    """

    name: str = "proxy"
    usage: str = f"proxy:{'|'.join(PROXIES)}"

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Choose the score; the seed decides weights and images.

        Raises: InputError when there is no such proxy or the space's networks take no images.
        """
        if argument not in PROXIES:
            raise InputError(f"unknown proxy {argument or ''!r}; write {self.usage}")
        if argument not in _COUNTED and (
            space.input_dtype != "float32" or space.task != "classification"
        ):
            raise InputError(
                f"proxy {argument!r} scores classifiers of images; for space {space.name!r} take "
                f"one of: {', '.join(_COUNTED)}"
            )
        score = PROXIES[argument]

        def scored(genes: Genes) -> float:
            with seeded(seed):
                network = space.build(genes)
                return score(network, torch.randn(_IMAGES, *input_shape(space, genes)))

        @cache
        def scale() -> NormalDist:
            drawn = sample(space, _REFERENCE, np.random.default_rng(seed))
            scores = [value for genes in drawn if (value := _or_none(scored, genes)) is not None]
            if len(scores) < 2:
                raise ValueError(f"proxy {argument} has no score for random networks of the space")
            return NormalDist(fmean(scores), max(stdev(scores), 1e-12))

        return lambda genes: scale().cdf(scored(genes))


def _or_none(scored: Accuracy, genes: Genes) -> float | None:
    """The score; None for a network that lets nothing through and has none."""
    try:
        return scored(genes)
    except ValueError:
        return None


PLUGIN = Proxy()
