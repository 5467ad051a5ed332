"""Errors that a person caused or can mend, each with the exit code of the command line."""

from __future__ import annotations


class NasprofError(Exception):
    """An error with one clear line for the person: what was wrong and what to do."""

    exit_code = 1


class InputError(NasprofError):
    """Bad usage or bad input: names the input and the remedy."""

    exit_code = 2


class UnavailableError(InputError):
    """A runtime, library or device is not on this machine; the message says how to get it."""


class ModelError(InputError):
    """A model file that must not or cannot be used; `kind` is a `FailureKind` value."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MeasurementError(NasprofError):
    """A measurement failed; the failure is stored before this is raised."""

    exit_code = 3


class StoreError(NasprofError):
    """The store cannot be read or written."""

    exit_code = 4
