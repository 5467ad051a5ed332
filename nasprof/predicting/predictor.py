"""A fitted cost predictor: opened from a file, asked about models and candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nasprof import inspecting
from nasprof.exporting import Reference
from nasprof.predict._metrics import Errors, errors
from nasprof.predict._predictor import Array, Fitted, Predicted
from nasprof.predict._sum_of_parts import LEAST, FittedSum, SumOfParts, fold_of
from nasprof.predict._transfer import Transfer
from nasprof.predict._transfer_basis import TransferBasis, basis_of
from nasprof.predicting.file import Saved
from nasprof.predicting.file import load as load_file
from nasprof.predicting.genes import grouped, parts_of
from nasprof.predicting.models import OTHER, matrix, model_features
from nasprof.predicting.training import column_row, known_options
from nasprof.spaces._genes import check
from nasprof.spaces._open import open_space
from nasprof.spaces._space import Genes, Space
from nasprof.subjects.space import candidate_genes
from profiler.core.choice import Candidate, Prediction
from profiler.core.cost import GraphCost
from profiler.core.errors import InputError
from profiler.core.plugins import load, names
from profiler.core.units import printable

Asked: TypeAlias = "Reference | Candidate | GraphCost | Sequence[int]"


@dataclass(frozen=True, slots=True)
class CostPredictor:
    """A predictor of one metric on one target."""

    saved: Saved
    space: Space | None
    model: FittedSum | Fitted
    basis: TransferBasis | None = None

    @property
    def heldout(self) -> Errors | None:
        """Its errors on architectures that it was not fitted to."""
        return self.saved.heldout

    def predict(self, model: Asked) -> Prediction:
        """Predict one model, subject, candidate or row.

        Unit: `Prediction.unit`. `in_domain` is False outside the hull of the training data: then
        measure instead.
        Raises: InputError when it is nothing that this predictor can be asked about.
        """
        if self.saved.kind == "operators":
            return self._of_model(model)
        if self.saved.kind == "columns":
            seen = known_options(self.saved.columns, str(model))
            return self._one(np.array([column_row(self.saved.columns, str(model))]), seen)
        found, inside = self.predict_genes([self._genes(model)])
        return self._prediction(found, bool(inside[0]))

    def predict_genes(self, candidates: Sequence[Genes]) -> tuple[Predicted, NDArray[np.bool_]]:
        """Predict many candidates of the predictor's space, and say which are in its domain.

        Raises: InputError for a predictor that is not from genes.
        """
        if self.space is None:
            raise InputError("this predictor is not from the genes of a space")
        parts = parts_of(self.space, candidates)
        if self.basis is not None:
            return self.model.predict(self.basis.rows(parts)), self.basis.domain.holds(parts.full())
        x, _ = grouped(parts)
        assert isinstance(self.model, FittedSum)
        return self.model.predict(x), self.model.in_domain(x)

    def _of_model(self, model: Asked) -> Prediction:
        if isinstance(model, GraphCost):
            cost = model
        elif isinstance(model, Candidate):
            cost = inspecting.count(inspecting.Question(model.key))
        elif isinstance(model, Sequence) and not isinstance(model, str):
            raise InputError("this predictor is asked about models, not about genes")
        else:
            cost = inspecting.count(inspecting.Question(model))
        profile = model_features(cost)
        foreign = [name for name in profile if name not in self.saved.columns]
        x = matrix([profile], self.saved.columns)
        seen = np.array(self.saved.rows)[:, [c.startswith(OTHER) for c in self.saved.columns]]
        return self._one(x, not foreign or bool(seen.any()))

    def _one(self, x: Array, seen: bool) -> Prediction:
        assert isinstance(self.model, FittedSum)
        return self._prediction(self.model.predict(x), seen and bool(self.model.in_domain(x)[0]))

    def _prediction(self, found: Predicted, inside: bool) -> Prediction:
        value, low, high = (float(a[0]) for a in (found.mean, found.low, found.high))
        return Prediction(value, low, high, self.saved.unit, inside)

    def _genes(self, model: Asked) -> Genes:
        assert self.space is not None
        if isinstance(model, Candidate):
            return check(self.space, model.genes)
        if isinstance(model, str):
            return candidate_genes(self.space, model.removeprefix(f"{self.space.name}:"))
        if isinstance(model, tuple | list):
            return check(self.space, model)
        raise InputError(
            f"this predictor is asked about candidates of {self.space.name}, such as "
            f"{self.space.name}:{self.saved.labels[0]}"
        )


def open_predictor(path: Path, space: str | None = None) -> CostPredictor:
    """Open a predictor file and fit it again to the data that it holds.

    `space` is the person's own `FILE.py` where the predictor is of such a space: no file names
    code that is then run.

    Raises: InputError when it is not there, damaged, or its space is not known here.
    """
    return fitted(load_file(path), None if space is None else open_space(space))


def fitted(saved: Saved, own: Space | None = None) -> CostPredictor:
    """Fit to what was saved.

    Raises: InputError when its parts do not fit its space.
    """
    space = None if saved.space is None else _space(saved.space, own)
    x, y = np.array(saved.rows, dtype=np.float64), np.array(saved.values)
    if saved.kind == "transfer":
        assert space is not None
        basis = _basis(saved, space)
        rows = basis.rows(parts_of(space, [check(space, _whole(row)) for row in saved.rows]))
        return CostPredictor(saved, space, Transfer(basis.widths).fit(rows, y), basis)
    if space is not None and grouped(parts_of(space, []))[0].shape[1] != x.shape[1]:
        raise InputError(f"the predictor was made for another version of {space.name}; fit again")
    groups = np.array(saved.groups)
    try:
        return CostPredictor(saved, space, SumOfParts(saved.widths).fit(x, y, groups, saved.seed))
    except ValueError as error:
        raise InputError(f"the predictor cannot be fitted: {error}") from None


def held_out(
    widths: tuple[int, ...], x: Array, y: Array, groups: NDArray[np.int64], seed: int
) -> Errors | None:
    """Errors by five-fold cross-validation over groups of equal architectures.

    None where the groups are too few to leave any out.
    """
    fold = fold_of(groups, seed + 1)
    mean, low, high = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
    for number in np.unique(fold):
        out = fold == number
        if (~out).sum() < LEAST:
            return None
        found = SumOfParts(widths).fit(x[~out], y[~out], groups[~out], seed).predict(x[out])
        mean[out], low[out], high[out] = found.mean, found.low, found.high
    return errors(y, Predicted(mean, low, high))


def _space(name: str, own: Space | None) -> Space:
    if own is None:
        if name not in names("nasprof.spaces"):
            raise InputError(
                f"the predictor is of space {printable(name)!r}, which is none of nasprof's; give "
                "its file with --space FILE.py"
            )
        found: Space = load("nasprof.spaces", name)
        return found
    if own.name != name:
        raise InputError(f"the predictor is of space {printable(name)!r}, not of {own.name!r}")
    return own


def _basis(saved: Saved, space: Space) -> TransferBasis:
    parts = parts_of(space, [check(space, genes) for genes in saved.known_genes])
    return basis_of(parts, {name: np.array(values) for name, values in saved.known})


def _whole(row: Sequence[float]) -> list[int]:
    return [int(gene) for gene in row]
