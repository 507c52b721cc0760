"""Fold names as the server does, and quote names and strings in statements that this package writes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import types

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


@overload
def fold(name: str) -> str: ...


@overload
def fold(name: None) -> None: ...


@overload
def fold(name: str | None) -> str | None: ...


def fold(name: str | None) -> str | None:
    """Return a name in lower case as the server folds it: character by character, like Go's ``unicode.ToLower``.

    ``str.lower()`` depends on the context: it converts ``ΑΣ`` to ``ας``, and ``İ`` to two characters.
    """
    if name is None:
        return None
    if name.isascii():
        return str.lower(name)  # quoted_name.lower() returns a quoted name unchanged
    return "".join("i" if character == "İ" else character.lower() for character in name)


def quote_name(dialect: Dialect, *parts: str) -> str:
    """Return a quoted name, such as ```shop`.`orders```, for a statement passed to the driver: each % is doubled."""
    return ".".join(dialect.identifier_preparer.quote_identifier(part) for part in parts)


def unquote_name(name: str) -> str:
    """Return a name without backquotes around it, as they are in a statement; a name without them as it is."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def describe(kind: str, *names: str | None) -> str:
    """Return an object as text, such as ``table shop.orders``, without the names that are None."""
    return " ".join(filter(None, (kind, ".".join(filter(None, names)))))


def readable(statement: str) -> str:
    """Return a statement that was written for the driver as a person reads it: no % is doubled."""
    return statement.replace("%%", "%")


def quote_text(dialect: Dialect, text: str) -> str:
    """Return a string as a literal, for a statement passed to the driver: each % is doubled.

    SQLAlchemy escapes backslashes elsewhere, in its compiler.
    """
    render: Any = types.String().dialect_impl(dialect).literal_processor(dialect)
    return str(render(text.replace("\\", "\\\\")))
