"""Outputs of an export or artifact against reference outputs: how far apart, and is that fine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from profiler.core.errors import InputError
from profiler.core.outcome import OutputError

Array: TypeAlias = NDArray[Any]

MISMATCH = OutputError(max_abs=float("inf"), relative=float("inf"), cosine=None, top1=None)
"""Outputs that cannot be compared: other names, shapes or types, or NaN at other places."""

EXPORT_TOLERANCE = 1e-4
"""Largest relative error of a float32 export against torch; sound exports stay below 1e-5."""

# Largest relative error and least cosine by the precision that ran. Observed over four networks
# and eight runtimes: fp32 up to 2e-4 (Winograd convolutions), while a bf16 run that calls itself
# fp32 starts at 5e-3; fp16 5e-4 to 3e-3; bf16 up to 2e-2; int8 that works 1e-1 at cosine 0.99,
# int8 that is broken 5e-1 at 0.90. tf32 keeps as many mantissa bits as fp16.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "fp64": (1e-10, 0.999999),
    "fp32": (5e-4, 0.9999),
    "tf32": (1e-2, 0.999),
    "fp16": (1e-2, 0.999),
    "bf16": (5e-2, 0.995),
    "int8": (0.25, 0.98),
}

VARIANTS = ("fp16", "bf16", "int8")
"""Precisions that trade exactness away on purpose: how much is told beside the latency."""


def compare(reference: Mapping[str, Array], outputs: Mapping[str, Array]) -> OutputError:
    """Compare two sets of outputs by name; the result is the worst of them.

    A missing or additional output, another shape or type, and a NaN or infinity that the other
    does not have at the same place are an infinite error. A reference of zeros takes no error.
    """
    if reference.keys() != outputs.keys():
        return MISMATCH
    return worst(
        _compare(np.asarray(want), np.asarray(outputs[n])) for n, want in reference.items()
    )


def worst(errors: Iterable[OutputError]) -> OutputError:
    """Take the worst of each figure; no errors at all are a perfect match."""
    found = tuple(errors)
    return OutputError(
        max_abs=max((error.max_abs for error in found), default=0.0),
        relative=max((error.relative for error in found), default=0.0),
        cosine=min((error.cosine for error in found if error.cosine is not None), default=None),
        top1=min((error.top1 for error in found if error.top1 is not None), default=None),
    )


def acceptable(error: OutputError, precision: str = "fp32") -> bool:
    """Tell whether an error is what the precision explains.

    Raises: InputError for a precision without a tolerance.
    """
    if precision not in TOLERANCES:
        known = ", ".join(TOLERANCES)
        raise InputError(f"no tolerance for precision {precision!r}; there are: {known}")
    relative, cosine = TOLERANCES[precision]
    return error.relative <= relative and (error.cosine is None or error.cosine >= cosine)


def refused(error: OutputError, precision: str) -> bool:
    """Tell whether outputs are wrong rather than of a smaller precision.

    A variant that can be compared at all is kept, and `doubts` says what is to be said of it.
    Raises: InputError for a precision without a tolerance.
    """
    if precision in VARIANTS and np.isfinite(error.relative):
        return False
    return not acceptable(error, precision)


def doubts(error: OutputError, precision: str) -> tuple[str, ...]:
    """What a person must know before using a variant; nothing for one that is as good as expected.

    It is `broken` where its outputs point elsewhere than the model's, `inexact` where only single
    values are further off than the precision explains.
    """
    if precision not in VARIANTS:
        return ()
    relative, cosine = TOLERANCES[precision]
    found = []
    if error.cosine is not None and error.cosine < cosine:
        found.append(f"broken: cosine {error.cosine:.4f}")
    elif error.relative > relative:
        word = "broken" if error.cosine is None else "inexact"
        found.append(f"{word}: error {error.relative:.1e}")
    if error.top1 is not None and error.top1 < 1:
        found.append(f"top-1 agreement {error.top1:.0%}")
    return tuple(found)


def _compare(want: Array, got: Array) -> OutputError:
    if want.shape != got.shape or want.dtype != got.dtype:
        return MISMATCH
    if want.size == 0:
        return OutputError(0.0, 0.0, None, None)
    if want.dtype.kind not in "biufcV":
        return OutputError(0.0, 0.0, None, None) if bool((want == got).all()) else MISMATCH
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    want, got = want.astype(wide), got.astype(wide)
    finite = np.isfinite(want)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return MISMATCH
    if not np.isfinite(got[finite]).all():
        return MISMATCH
    return _figures(want, got, finite)


def _figures(want: Array, got: Array, finite: Array) -> OutputError:
    """Figures of two arrays that are finite at the same places."""
    a, b = want[finite], got[finite]
    max_abs = float(np.abs(a - b).max(initial=0.0))
    scale = float(np.abs(a).max(initial=0.0))
    relative = max_abs / scale if scale else (0.0 if max_abs == 0 else float("inf"))
    return OutputError(max_abs, relative, _cosine(a, b, scale), _top1(want, got))


def _cosine(a: Array, b: Array, scale: float) -> float | None:
    if scale == 0 or not b.any():
        return None
    a, b = a / scale, b / np.abs(b).max()
    return float(np.clip(np.vdot(a, b).real / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))


def _top1(want: Array, got: Array) -> float | None:
    if want.ndim != 2 or want.shape[1] < 2 or want.dtype.kind == "c":
        return None
    return float((want.argmax(1) == got.argmax(1)).mean())
