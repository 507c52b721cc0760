"""Write the text of a default without quotes and backslashes, which some releases change when they copy a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.release import Feature

if TYPE_CHECKING:
    from .scope import RestoreScope


def default_value(default: str) -> str | None:
    """Return the value of a default that is a literal, as the catalog has it; None if it is something else."""
    text = default[1:-1].replace("\\\\", "\0").replace("''", "'")
    if not default.startswith("'") or "\\" in text:
        return None
    return text.replace("\0", "\\")


def default_in_hex(scope: RestoreScope, value: str) -> str:
    """Return a default for ``ALTER TABLE … SET DEFAULT``.

    4.0 and 4.1 refuse a quote within parentheses there. They store a hexadecimal literal without quotes.
    """
    digits = value.encode().hex().upper()
    return f"x'{digits}'" if doubles_quotes(scope) else f"(unhex('{digits}'))"


def doubles_quotes(scope: RestoreScope) -> bool:
    """Return whether each copy of a table doubles quotes in defaults, and parentheses do not prevent that."""
    return scope.supports(Feature.DEFAULT_QUOTES_DOUBLED) and not scope.supports(Feature.DEFAULT_IN_PARENTHESES)
