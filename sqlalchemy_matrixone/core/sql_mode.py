"""Keep ``NO_BACKSLASH_ESCAPES`` out of the sql_mode of every connection.

The drivers and this package escape values in statements with backslashes, and MatrixOne reads them that way. From 4.2
on it respects this mode, but does not set the flag that would inform the drivers. A value with a backslash and a quote
could then end its literal and become SQL. The mode is therefore removed when a connection is opened, in the statement
that sets autocommit, and no later SET of sql_mode can enable it again.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from ..exc import MatrixOneInvalidRequestError
from .release import NEWEST, Feature, parse_greeting

WITHOUT_MODE = (
    "@@session.sql_mode = TRIM(BOTH ',' FROM REPLACE(CONCAT(',', @@sql_mode, ','), ',NO_BACKSLASH_ESCAPES,', ','))"
)
"""An assignment for SET that removes the mode, if it is enabled."""

_WITHOUT_MODE = WITHOUT_MODE.encode()
_NAME = b"sql_mode"
_LITERAL = re.compile(rb"""'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+\"""", re.S)
_ASSIGNED = re.compile(
    rb"""(?P<other>@@(?:global|persist)\.|\b(?:global|persist)\s+|(?<![@\w])@)?
    (?:@@(?:session|local)\.|\b(?:session|local)\s+|@@)?
    `?sql_mode`?\s*:?=\s*(?:(?P<text>'[^'\\]*'|"[^"\\]*")\s*(?:,|;|\Z))?""",
    re.I | re.X,
)
_MODE = re.compile(rb"no_backslash_escapes", re.I)
_HIDDEN = re.compile(rb"\bset\b[^;]*\bsql_mode\b", re.I)


class Refusal(Enum):
    """The reason for which a statement that sets sql_mode is refused."""

    NAMED = auto()  # the statement sets the mode
    HIDDEN = auto()  # sql_mode is set among other statements, or in a comment that is executed
    UNKNOWN = auto()  # sql_mode is set to a value that the statement does not show, and the statement cannot be changed


class ModeChange(NamedTuple):
    """What a statement that may enable the mode does to sql_mode.

    :ivar refusal: why the statement is not sent.
    :ivar sent_as: the statement to send instead: the same one, which removes the mode at its end.
    """

    refusal: Refusal | None = None
    sent_as: bytes = b""


def read_set(code: bytes) -> ModeChange | None:
    """Return what a SET, without its comments, does to sql_mode; None if it cannot enable the mode."""
    if _NAME not in code.lower() or code.endswith(_WITHOUT_MODE):
        return None
    masked = _LITERAL.sub(_what_matters, code)
    if _NAME not in masked.lower():
        return None
    assigned = list(_ASSIGNED.finditer(masked))
    ours = [match["text"] for match in assigned if match["other"] is None]
    if any(text is not None and _MODE.search(text) for text in ours):
        return ModeChange(Refusal.NAMED)
    if assigned and None not in ours:
        return None
    return ModeChange(sent_as=code.rstrip(b"; \t\r\n") + b", " + _WITHOUT_MODE)


def _what_matters(literal: re.Match[bytes]) -> bytes:
    if b"\\" in literal[0]:
        return b"'\\'"
    return b"'no_backslash_escapes'" if _MODE.search(literal[0]) else b"''"


def read_several(code: bytes) -> ModeChange | None:
    """Return what a text, without its literals, does to sql_mode if it cannot be read as a single statement."""
    return ModeChange(Refusal.HIDDEN) if _HIDDEN.search(code) else None


def goes_by_mode(greeting: str | None) -> bool:
    """Return whether a server respects the mode. True if it does not report its release."""
    return Feature.NO_BACKSLASH_ESCAPES.in_release(parse_greeting(greeting) or NEWEST)


def without_mode(change: ModeChange, greeting: str | None, sql: bytes | str) -> bytes | str:
    """Return what to send for a statement that may enable the mode.

    :raises MatrixOneInvalidRequestError: if the statement sets the mode, or may set it.
    """
    if not goes_by_mode(greeting):
        return sql
    if change.refusal is not None:
        raise MatrixOneInvalidRequestError(_MESSAGES[change.refusal])
    return change.sent_as


def refuse_mode(change: ModeChange, greeting: str | None) -> None:
    """Check a statement that is sent unchanged.

    :raises MatrixOneInvalidRequestError: if the statement sets the mode, or may set it.
    """
    if goes_by_mode(greeting):
        raise MatrixOneInvalidRequestError(_MESSAGES[change.refusal or Refusal.UNKNOWN])


def set_autocommit(autocommit: bool | None, greeting: str | None) -> str:
    """Return the first statement of a connection; empty if there is nothing to set.

    :param autocommit: what to set; None for the server's default.
    """
    words = [] if autocommit is None else [f"AUTOCOMMIT = {int(autocommit)}"]
    if goes_by_mode(greeting):
        words.append(WITHOUT_MODE)
    return f"SET {', '.join(words)}" if words else ""


_REASON = (
    "MatrixOne would read the values of all later statements differently from how the driver writes them, so that a "
    "value with a backslash and a quote could become SQL."
)
_MESSAGES = {
    Refusal.NAMED: (
        f"SET was not sent: with sql_mode NO_BACKSLASH_ESCAPES {_REASON} Omit this mode: bound values with "
        "backslashes arrive unchanged without it."
    ),
    Refusal.HIDDEN: (
        "The statement was not sent: it sets sql_mode among other statements or in a comment. If that included "
        f"NO_BACKSLASH_ESCAPES, {_REASON} Send the SET as a separate statement."
    ),
    Refusal.UNKNOWN: (
        "SET was not sent: on a connection created by your own creator=, sql_mode can only be set to a string literal. "
        f"If its value included NO_BACKSLASH_ESCAPES, {_REASON}"
    ),
}
