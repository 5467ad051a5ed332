"""Rows as CSV that a spreadsheet takes for data and never for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields

from reports.quantities import shown
from reports.rows import Row

# The full-width forms are formulas too in some spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def to_csv(rows: Iterable[Row]) -> str:
    """Write a header and one line a row; unknown is an empty cell.

    Unit: in the column names.
    """
    names = [field.name for field in fields(Row)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    value = shown(value)
    return f"'{value}" if value.startswith(_FORMULA) else value
