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
    from sqlalchemy.engine import Connection

    from .scope import RestoreScope

_SYNTAX_ERROR = "error in your SQL syntax"
_ESCAPES_A_QUOTE = re.compile(r"\\(?:['\"]|\Z)")
_VALUE_ESCAPES_A_QUOTE = re.compile(r"\\(?:['\",]|\Z)")
# A default is read once in between, which halves its backslashes: of two, one remains.
_DEFAULT_ESCAPES_A_QUOTE = re.compile(r"(?<!\\)\\\\(?:\\{4})*['\"]")

_ENDS_A_NAME = re.compile(r'["`]|\\\Z')
"""In the name of a table or view, which the server writes in backquotes, and that into a string in double quotes."""
_UNQUOTED_PARTITION = re.compile(r'near ".*\bvalues (?:less than|in)\b', re.S)


def is_syntax_error(error: Exception) -> bool:
    """Return whether the server reports a syntax error."""
    return _SYNTAX_ERROR in str(error)


@contextmanager
def explaining_syntax_errors(
    error_class: type[RecoveryError], operation: str, find: Callable[[], list[str]], *, is_past: bool
) -> Iterator[None]:
    """Raise a syntax error of the server as an error that names the definitions that cause it, if any do.

    :param find: returns these definitions; see :func:`unreadable_definitions`.
    :param is_past: whether the source is in the past, so that it cannot be changed.
    :raises RecoveryError: of the given class, with reason unsupported.
    """
    try:
        yield
    except (exc.DBAPIError, RecoveryError) as error:
        if not is_syntax_error(error) or not (found := _partition_names(error) or find()):
            raise
        then = (
            "Later points in time can then be restored. To restore this one, restore the other tables one by one, and "
            "the rows of these tables with restore_rows()."
            if is_past
            else "Then repeat it."
        )
        raise error_class(
            f"{operation}: nothing was changed: the server can no longer read the definitions of these tables or "
            f"views, because of a quote, a backslash or a name in them: {'; '.join(map(readable, found))}. {then}",
            Reason.UNSUPPORTED,
        ) from (error.__cause__ if isinstance(error, RecoveryError) else error)


def _partition_names(error: BaseException) -> list[str]:
    """Return a description of a partition whose name the server writes without quotes."""
    if not _UNQUOTED_PARTITION.search(str(error)):
        return []
    return ["a table with a partition whose name needs quotes: create the table again with other names of partitions"]


def unreadable_definitions(scope: RestoreScope, connection: Connection, texts: Texts) -> list[str]:
    """Return the definitions that the server cannot read, because of their names or texts, each with what to do."""
    return unreadable(scope, texts) + unreadable_names(scope, connection)


def unreadable_names(scope: RestoreScope, connection: Connection) -> list[str]:
    """Return the tables and views whose names the server cannot read in their definitions, each with what to do."""
    statement = "SELECT reldatabase, relname, relkind FROM mo_catalog.mo_tables {at} WHERE relkind IN ('r', 'v') AND "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=True)
    return [
        f"{database}.{name}, because of its name: {'give the view another name' if kind == 'v' else 'rename the table'}"
        for database, name, kind in rows
        if _ENDS_A_NAME.search(name) or (kind == "v" and _must_be_plain(scope, name))
    ]


def _must_be_plain(scope: RestoreScope, view: str) -> bool:
    """Return whether the server writes the name of a view without the quotes that it needs."""
    return not scope.supports(Feature.RESTORE_OF_ANY_VIEW) and scope.dialect.identifier_preparer.quote(view) != view


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
