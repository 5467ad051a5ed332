"""Accuracy found by training: by a function of the person's own, or by nasprof on arrays."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.seeding import seeded
from nasprof.evaluate._arrays import trainer
from nasprof.evaluate._evaluator import Accuracy
from nasprof.spaces._space import Genes, Space
from nasprof.subjects.python_file import function_in, run_file
from profiler.core.errors import InputError

_OFFERED = ("seed", "genes", "text")


@dataclass(frozen=True, slots=True)
class Train:
    """Calls `FUNCTION(network)`, which returns the accuracy as a share in 0..1.

    Parameters named `seed`, `genes` or `text` (the architecture in its space's text form) are
    given to a function that has them. Every generator is seeded alike before the network is built.
    `FILE.npz` trains the space's scaled-down network on the arrays x_train, y_train, x_test and
    y_test.
    """

    name: str = "train"
    usage: str = "train:FILE.py:FUNCTION, train:MODULE:FUNCTION or train:FILE.npz[:epochs=2]"

    def open(self, space: Space, argument: str | None, seed: int) -> Accuracy:
        """Import the function, whose code runs in this process, or read the arrays.

        Raises: InputError naming what is missing, what the import raised, or a parameter that
        nasprof has nothing for.
        """
        if ".npz" in (argument or "") and ".py:" not in (argument or ""):
            return trainer(space, argument or "", seed)
        function = _function(argument or "", self.usage)
        wanted = _wanted(function, argument or "")

        def accuracy(genes: Genes) -> float:
            offered = {"seed": seed, "genes": genes, "text": space.describe(genes)}
            with seeded(seed):
                network = space.build(genes)
                return float(function(network, **{name: offered[name] for name in wanted}))

        return accuracy


def _function(argument: str, usage: str) -> Callable[..., Any]:
    place, colon, name = argument.rpartition(":")
    if not (colon and place and name):
        raise InputError(f"accuracy 'train' needs a function; write {usage}")
    if place.endswith(".py"):
        return function_in(run_file(Path(place)), Path(place).name, name)
    try:
        module = importlib.import_module(place)
    except Exception as error:  # a module can raise anything
        raise InputError(f"accuracy 'train': cannot import {place!r}: {error}") from error
    return function_in(module, place, name)


def _wanted(function: Callable[..., Any], argument: str) -> list[str]:
    """The names among the offered ones that the function takes beside the network."""
    parameters = list(inspect.signature(function).parameters.values())
    names = [p.name for p in parameters[1:] if p.kind is not p.VAR_KEYWORD]
    needed = [p.name for p in parameters[1:] if p.default is p.empty and p.name in names]
    if not parameters or (missing := [name for name in needed if name not in _OFFERED]):
        what = f"has no value for {missing[0]!r}" if parameters else "gives it the network"
        raise InputError(
            f"accuracy 'train:{argument}': nasprof {what}; the function takes a network, and may "
            f"take {', '.join(_OFFERED)}"
        )
    return [name for name in names if name in _OFFERED]


PLUGIN = Train()
