"""Keep ``NO_BACKSLASH_ESCAPES`` out of the sql_mode of every connection.

The drivers and this package write values into statements with backslashes as escapes, and MatrixOne reads them so. From
4.2 on it goes by this mode, but does not set the flag that would tell the drivers: a value with a backslash and a quote
could then end its literal and become SQL. So the mode is taken out when a connection is made, in the statement that
sets autocommit, and no SET of sql_mode that follows can bring it back.
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
"""An assignment of SET that takes the mode out, if it is there."""

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
    NAMED = auto()  # the text sets the mode
    HIDDEN = auto()  # sql_mode is set among other statements, or in a comment that is executed
    UNKNOWN = auto()  # sql_mode is set to something that the text does not show, and the text cannot be changed


class ModeChange(NamedTuple):
    """What a statement does to sql_mode, if it may bring the mode in.

    :ivar refusal: why it is not sent.
    :ivar sent_as: what is sent instead: the same, with the mode taken out at the end.
    """

    refusal: Refusal | None = None
    sent_as: bytes = b""


def read_set(code: bytes) -> ModeChange | None:
    """Return what a SET, without its comments, does to sql_mode; None if it cannot bring the mode in."""
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
    """Return the same of a text that cannot be read as one statement, without its literals."""
    return ModeChange(Refusal.HIDDEN) if _HIDDEN.search(code) else None


def goes_by_mode(greeting: str | None) -> bool:
    """Return whether a server goes by the mode; also if it does not tell its release."""
    return Feature.NO_BACKSLASH_ESCAPES.in_release(parse_greeting(greeting) or NEWEST)


def without_mode(change: ModeChange, greeting: str | None, sql: bytes | str) -> bytes | str:
    """Return what to send for a statement that may bring the mode in.

    :raises MatrixOneInvalidRequestError: if the text sets the mode, or may do so.
    """
    if not goes_by_mode(greeting):
        return sql
    if change.refusal is not None:
        raise MatrixOneInvalidRequestError(_MESSAGES[change.refusal])
    return change.sent_as


def refuse_mode(change: ModeChange, greeting: str | None) -> None:
    """Check a statement that is sent as it is.

    :raises MatrixOneInvalidRequestError: if the text sets the mode, or may do so.
    """
    if goes_by_mode(greeting):
        raise MatrixOneInvalidRequestError(_MESSAGES[change.refusal or Refusal.UNKNOWN])


def set_autocommit(autocommit: bool | None, greeting: str | None) -> str:
    """Return the statement with which a connection begins; empty if there is nothing to set.

    :param autocommit: what to set; None for the server's default.
    """
    words = [] if autocommit is None else [f"AUTOCOMMIT = {int(autocommit)}"]
    if goes_by_mode(greeting):
        words.append(WITHOUT_MODE)
    return f"SET {', '.join(words)}" if words else ""


_REASON = (
    "MatrixOne would read the values of all later statements in another way than the driver writes them, so that a "
    "value with a backslash and a quote could become SQL."
)
_MESSAGES = {
    Refusal.NAMED: (
        f"SET was not sent: with sql_mode NO_BACKSLASH_ESCAPES {_REASON} Leave it out: bound values with backslashes "
        "arrive as they are without it."
    ),
    Refusal.HIDDEN: (
        "The statement was not sent: it sets sql_mode among other statements or in a comment. If that included "
        f"NO_BACKSLASH_ESCAPES, {_REASON} Send the SET by itself."
    ),
    Refusal.UNKNOWN: (
        "SET was not sent: on a connection that was made by a creator= of yours, sql_mode can only be set to a text. "
        f"If its value included NO_BACKSLASH_ESCAPES, {_REASON}"
    ),
}
