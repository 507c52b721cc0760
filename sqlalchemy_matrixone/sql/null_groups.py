"""Group by expressions that can be NULL, on releases that treat a NULL in a GROUP BY as a BOOL, or refuse it.

``GROUP BY CASE WHEN size > 9 THEN size END`` puts all sizes into one group there, since its missing ELSE is NULL. A
NULL that is calculated has the type of its cast.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Case, ColumnElement, Select, String, case, cast, literal_column, types
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import Null
from sqlalchemy.sql.functions import FunctionElement

from ..core.sqlalchemy_internals import group_by_of

_CALCULATED_NULL: ColumnElement[Any] = literal_column("MOD(1, 0)")


def keys_of(statement: Select[Any]) -> list[Any]:
    """Return the keys of a GROUP BY, with the columns of the SELECT for keys that are the names of labels."""
    labeled = {getattr(column, "name", None): column for column in statement.inner_columns}
    return [labeled.get(key.element, key) if _is_name(key) else key for key in group_by_of(statement)]


def have_null(keys: Iterable[Any]) -> bool:
    """Return whether keys of a GROUP BY contain a NULL."""
    return any(_has_null(element) for key in keys for element in visitors.iterate(key))


def _is_name(key: Any) -> bool:
    return bool(key.__visit_name__ == "textual_label_reference")


def _has_null(element: Any) -> bool:
    is_case = isinstance(element, Case) and (element.else_ is None or any(map(_is_null, _results(element))))
    return is_case or is_nullif(element)


def is_nullif(element: Any) -> bool:
    """Return whether an element is ``NULLIF(…)``, which the server replaces by a CASE with NULL."""
    return isinstance(element, FunctionElement) and getattr(element, "name", "").lower() == "nullif"


def with_calculated_null(element: Case[Any]) -> Case[Any]:
    """Return a CASE that returns a calculated NULL instead of NULL."""
    null = calculated_null(element.type)
    whens = [(condition, null if _is_null(result) else result) for condition, result in element.whens]
    else_ = null if element.else_ is None or _is_null(element.else_) else element.else_
    return case(*whens, value=element.value, else_=else_)


def without_nullif(function: FunctionElement[Any]) -> Case[Any]:
    """Return the CASE that corresponds to ``NULLIF(…)``, with a calculated NULL."""
    value, other = function.clauses
    return case((value == other, calculated_null(value.type)), else_=value)


def calculated_null(type_: types.TypeEngine[Any]) -> ColumnElement[Any]:
    """Return a NULL of a type. It is cast from a string, from which the server has casts to all types.

    If the type is unknown, as of ``func.abs(…)``, it is a number: the server casts that to the type of the others.
    """
    if isinstance(type_, types.NullType):
        return _CALCULATED_NULL
    text = cast(_CALCULATED_NULL, String)
    return text if isinstance(type_, types.String) else cast(text, type_)


def _results(element: Case[Any]) -> Iterable[Any]:
    return [result for _, result in element.whens] + [element.else_]


def _is_null(element: Any) -> bool:
    return isinstance(element, Null)
