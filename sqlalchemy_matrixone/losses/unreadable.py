"""Definitions that the server writes and cannot read again, so that restores and copies fail with a syntax error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.names import readable
from ..core.release import Feature
from ..exc import Reason, RecoveryError
from .default_text import default_in_hex, default_value
from .scope import Text, Texts
from .view_text import strings

if TYPE_CHECKING:
    from .scope import RestoreScope

_SYNTAX_ERROR = "error in your SQL syntax"
_ESCAPES_A_QUOTE = re.compile(r"\\(?:['\"]|\Z)")
_VALUE_ESCAPES_A_QUOTE = re.compile(r"\\(?:['\",]|\Z)")
# A default is read once in between, which halves its backslashes: of two, one remains.
_DEFAULT_ESCAPES_A_QUOTE = re.compile(r"(?<!\\)\\\\(?:\\{4})*['\"]")


def is_syntax_error(error: Exception) -> bool:
    """Return whether the server reports a syntax error."""
    return _SYNTAX_ERROR in str(error)


@contextmanager
def explaining_syntax_errors(
    error_class: type[RecoveryError], operation: str, find: Callable[[], list[str]], *, is_past: bool
) -> Iterator[None]:
    """Raise a syntax error of the server as an error that names the definitions that cause it, if any do.

    :param find: returns these definitions; see :func:`unreadable`.
    :param is_past: whether the source is in the past, so that it cannot be changed.
    :raises RecoveryError: of the given class, with reason unsupported.
    """
    try:
        yield
    except (exc.DBAPIError, RecoveryError) as error:
        if not is_syntax_error(error) or not (found := find()):
            raise
        then = (
            "That makes later points in time usable. As of this one, restore the other tables one by one, and the rows "
            "of this one with restore_rows()."
            if is_past
            else "Then repeat it."
        )
        raise error_class(
            f"{operation}: nothing was changed: the server can no longer read the definitions of these tables or "
            f"views, because in them a backslash precedes a quote: {'; '.join(map(readable, found))}. {then}",
            Reason.UNSUPPORTED,
        ) from (error.__cause__ if isinstance(error, RecoveryError) else error)


def unreadable(scope: RestoreScope, texts: Texts) -> list[str]:
    """Return the texts of definitions because of which the server fails, each with what changes it."""
    return [_describe(scope, text, value) for text, value in texts.items() if _is_unreadable(scope, text, value)]


def _is_unreadable(scope: RestoreScope, text: Text, value: str) -> bool:
    if text.kind == "query":
        return any(_ESCAPES_A_QUOTE.search(each) for each in strings(value))
    if text.kind == "default":
        is_expression = "'" in value and not value.startswith("'")
        is_refused = is_expression and not scope.supports(Feature.DEFAULT_OF_EXPRESSION)
        return is_refused or _DEFAULT_ESCAPES_A_QUOTE.search(value) is not None
    pattern = _VALUE_ESCAPES_A_QUOTE if text.kind == "values" else _ESCAPES_A_QUOTE
    return pattern.search(value) is not None


def _describe(scope: RestoreScope, text: Text, value: str) -> str:
    table = scope.name(text.database, text.table)
    if text.kind == "query":
        return f"the query of view {table}: DROP VIEW {table}, or CREATE OR REPLACE VIEW {table} without it"
    if text.column is None:
        return f"the comment of table {table}: create the table again without it"
    column = scope.name(text.column)
    what = f"the {text.kind} of {table}.{column}"
    if text.kind == "default":
        return f"{what}: ALTER TABLE {table} ALTER COLUMN {column} {_other_default(scope, value)}"
    return f"{what}: ALTER TABLE {table} MODIFY COLUMN {column} with the same type, without that backslash"


def _other_default(scope: RestoreScope, default: str) -> str:
    """Return how to set the same default as an expression without backslashes, or how to drop it."""
    value = default_value(default)
    if not scope.supports(Feature.DEFAULT_OF_EXPRESSION) or value is None:
        return "DROP DEFAULT"
    return f"SET DEFAULT {default_in_hex(scope, value)}"
