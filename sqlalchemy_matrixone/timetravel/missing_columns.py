"""Explain the error of a historical read of a column that did not exist then."""

from __future__ import annotations

from typing import Any

from ..core.errors import reports_missing_column

ADVICE = (
    ". If it was added since, read only the columns that the table had at that time: options(load_only(…)) or "
    "options(defer(…)) for a mapped class, a select() of columns for a Table, or changes_since(), which leaves it out"
)


def explain_missing_column(error: BaseException, context: Any) -> None:
    """Append advice to the driver's error if a statement reads the past, and a column does not exist there."""
    if not reports_missing_column(error) or not getattr(getattr(context, "compiled", None), "points_in_time", ()):
        return
    text = str(error.args[-1])
    if not text.endswith(ADVICE):
        error.args = (*error.args[:-1], text + ADVICE)
