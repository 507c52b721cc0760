"""Render an INSERT whose values contain subqueries, which MatrixOne accepts only in INSERT … SELECT."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..exc import MatrixOneCompileError
from .preparer import STRING_LITERAL

_LITERAL = STRING_LITERAL + "|`[^`]*+`"
_PARENTHESES = re.compile(rf"(?P<literal>{_LITERAL})|[()]", re.S)
_SUBQUERY = re.compile(rf"(?P<literal>{_LITERAL})|\(\s*(?:SELECT|WITH)\b", re.S | re.I)


def with_subqueries(insert: str, *, is_batched: bool = False) -> str:
    """Return an INSERT in the form ``INSERT INTO t (a) SELECT …`` if its values contain a subquery.

    :param insert: an INSERT with VALUES.
    :param is_batched: whether SQLAlchemy will repeat its VALUES for each row of an executemany() with RETURNING.
    :raises sqlalchemy.exc.CompileError: if it has several rows, or will have.
    """
    if not any(match["literal"] is None for match in _SUBQUERY.finditer(insert)):
        return insert
    for start, end in _groups(insert):
        if not insert.endswith(" VALUES ", 0, start):
            continue
        values = insert[start + 1 : end - 1]
        if not any(match["literal"] is None for match in _SUBQUERY.finditer(values)):
            return insert
        if is_batched or insert.startswith(", (", end):
            raise MatrixOneCompileError(
                "MatrixOne has no subqueries in the VALUES of an INSERT of several rows: insert them one by one"
            )
        return f"{insert[: start - len('VALUES ')]}SELECT {values}{insert[end:]}"
    return insert


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each outermost pair of parentheses."""
    depth = start = 0
    for match in _PARENTHESES.finditer(text):
        if match["literal"] is not None:
            continue
        if match[0] == "(":
            start = match.start() if depth == 0 else start
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                yield start, match.end()
