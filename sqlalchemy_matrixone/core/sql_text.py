"""Determine from the text of a statement what it does to a transaction.

The text is read as the server reads it: the content of literals, quoted names and comments does not count, except
for ``/*! … */``, whose content the server executes. One text may contain several statements, because the server
accepts them from every client. Anything that cannot be read with certainty is :attr:`Event.OPAQUE`, the worst case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from .sql_mode import ModeChange, read_set, read_several


class Event(Enum):
    """What a statement does to the transaction of its connection."""

    NOTHING = auto()
    """Does not take part in a transaction: a ping."""
    READ = auto()
    WRITE = auto()
    """Changes rows or takes locks; changes nothing if the server refuses it."""
    CHANGE = auto()
    """Changes more than rows, or may be half done if it fails: DDL, LOAD DATA, anything unknown."""
    COPY = auto()
    """Clones, branches or merges tables: a change that does not affect later clones."""
    BEGIN = auto()
    """Commits the open transaction and begins another."""
    COMMIT = auto()
    ROLLBACK = auto()
    SET = auto()
    """Commits the open transaction, or rolls it back if the SET fails."""
    MAY_COMMIT = auto()
    """Commits the open transaction, on some releases."""
    SAVEPOINT = auto()
    RELEASE = auto()
    ROLLBACK_TO = auto()
    OPAQUE = auto()
    """May do anything: CALL, EXECUTE, several statements of which not all are reads."""

    __hash__ = object.__hash__  # by identity, which is faster than by name


class Sent(NamedTuple):
    """A statement, as far as a transaction is concerned.

    :ivar savepoint: the name of the savepoint that the statement sets or releases.
    :ivar sets_autocommit: whether the statement may change autocommit.
    :ivar autocommit: the value that it sets; None if the text does not show it.
    :ivar mode_change: what it does to sql_mode, if it may enable the mode that no connection may have.
    """

    event: Event
    savepoint: str = ""
    sets_autocommit: bool = False
    autocommit: bool | None = None
    mode_change: ModeChange | None = None


PING = Sent(Event.NOTHING)
READ = Sent(Event.READ)
WRITE = Sent(Event.WRITE)
CHANGE = Sent(Event.CHANGE)
MAY_COMMIT = Sent(Event.MAY_COMMIT)
OPAQUE = Sent(Event.OPAQUE, sets_autocommit=True)

_LITERAL = rb"""'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'|"[^"\\]*+"|`[^`]*+`"""
_COMMENT = rb"/\*(?!!)(?:[^*]|\*(?!/))*+\*/|(?:--(?=[ \t\r\n]|\Z)|//|\#)[^\n]*+"
_BLANK = rb"(?:\s|" + _COMMENT + rb")"
_LITERALS_AND_COMMENTS = re.compile(_LITERAL + rb"|" + _COMMENT, re.S)
# What remains after removing these if the text is unreadable: an open quote, a text in dollar signs.
_UNREADABLE = re.compile(rb"""['"`$]|/\*""")
# One statement that can be read as a whole. It is fast, because it captures no groups and does not backtrack.
_SINGLE = re.compile(rb"""(?:[^'"`;$/\-\#]++|""" + _LITERAL + rb"|" + _COMMENT + rb"|-|/(?!\*))*+[;\s]*+\Z", re.S)
# Outside of literals in single quotes, a text without these has no comments, no other quotes and one statement.
_NOT_PLAIN = b';"`$#-/\\\0'
_FIRST_WORD = re.compile(rb"(?:[\s(;]|" + _COMMENT + rb")*+(\w+)", re.S)

# Words in a statement that begins like a read, but writes or locks.
_WRITES = re.compile(
    rb"\b(?:for\s+(?:update|share)|lock\s+in\s+share|into|insert|update|delete|replace\s+into|nextval|setval)\b", re.I
)
_USE_ROLE = re.compile(rb"\s*use\s+(?:secondary\s+)?role\b", re.I)
_MAY_COMMIT = re.compile(rb"\s*(?:create|drop|alter)\s+(?:or\s+replace\s+)?(?:sequence|role|user|account)\b", re.I)
_CLONE = re.compile(
    rb"\s*create\s+(?:table|database)\s+(?:if\s+not\s+exists\s+)?(?:`[^`]*+`|[^\s`(]+)++\s+clone\b", re.I
)
_TEMPORARY = re.compile(_BLANK + rb"*+create" + _BLANK + rb"++temporary\b", re.I | re.S)
_SAVEPOINT = re.compile(rb"\bsavepoint\s+`?([^\s`;]+)", re.I)
_ROLLBACK_TO = re.compile(rb"\s*rollback\s+(?:work\s+)?to\b", re.I)
_SET_TRANSACTION = re.compile(rb"\s*set\s+(?:(?:global|session|local)\s+)?transaction\b", re.I)

_AUTOCOMMIT = re.compile(
    rb"""(?P<scope>@@(?:global|persist|session|local)\.|\b(?:global|persist|session|local)\s+|@@|@)?
    `?autocommit`?\s*:?=\s*(?P<value>'\w*'|"\w*"|\w+)?\s*(?P<end>,|;|\Z)?""",
    re.I | re.X,
)
_OTHER_VARIABLES = frozenset((b"@", b"global", b"@@global.", b"persist", b"@@persist."))
_VALUES = {b"1": True, b"on": True, b"true": True, b"0": False, b"off": False, b"false": False}

# Such as COMMIT and SET AUTOCOMMIT = 0. Longer statements contain values and are rarely repeated.
LONGEST_CACHED = 40


def read_statement(text: bytes) -> Sent:
    """Return what a statement does to a transaction."""
    # This runs for each statement. The first of two conditions is the faster one, here and below.
    if len(text) <= LONGEST_CACHED:
        return _read_short(text)
    if (b"!" in text and b"/*!" in text) or (b";" in text and not _is_plainly_single(text)):
        return _read(text)
    beginning = text[:7]
    if beginning in _USUAL_WRITES:
        return WRITE
    if beginning == b"SELECT ":
        lower = text.lower()
        if b"update" in lower or b"share" in lower or b"into" in lower or b"tval" in lower:
            return _read_with(text)
        return READ
    return _read(text)


def _is_plainly_single(text: bytes) -> bool:
    """Return whether a text consists of one statement, as far as can be determined without a regular expression.

    That takes a fraction of the time for a statement that contains many values.
    """
    if b"\\" in text:  # no escaped quote is left then; any other backslash outside of literals is not plain
        text = text.replace(b"\\\\", b"\0").replace(b"\\'", b"\0")
    parts = text.split(b"'")
    code = b"'".join(parts[::2])
    return len(parts) % 2 == 1 and len(code.translate(None, _NOT_PLAIN)) == len(code)


def _read(text: bytes) -> Sent:
    """Return the same as read_statement(), in more time for most statements."""
    if b"/*!" in text:
        return _opaque(_LITERALS_AND_COMMENTS.sub(b" ", text))
    if b";" in text and not _SINGLE.match(text):
        return _read_several(text)
    match = _FIRST_WORD.match(text)
    effect = _WORDS.get(match[1].upper(), _read_change) if match else _read_change
    return effect if isinstance(effect, Sent) else effect(text)


_read_short = lru_cache(maxsize=512)(_read)


def _read_several(text: bytes) -> Sent:
    code = _LITERALS_AND_COMMENTS.sub(b" ", text)
    if _UNREADABLE.search(code):
        return _opaque(code)
    # If one of them fails, it is unknown which of the others were executed.
    reads = all(_read(each) is READ for each in code.split(b";") if each.strip())
    return READ if reads else _opaque(code)


def _opaque(code: bytes) -> Sent:
    change = read_several(code)
    return OPAQUE if change is None else OPAQUE._replace(mode_change=change)


def _read_with(text: bytes) -> Sent:
    code = _LITERALS_AND_COMMENTS.sub(b" ", text)
    if _UNREADABLE.search(code):
        return OPAQUE
    return WRITE if _WRITES.search(code) else READ


def _read_use(text: bytes) -> Sent:
    return MAY_COMMIT if _USE_ROLE.match(_without_comments(text)) else READ


def _read_change(text: bytes) -> Sent:
    code = _without_comments(text)
    if _MAY_COMMIT.match(code):
        return MAY_COMMIT
    return Sent(Event.COPY) if _CLONE.match(code) else CHANGE


def _read_rollback(text: bytes) -> Sent:
    return Sent(Event.ROLLBACK_TO if _ROLLBACK_TO.match(_without_comments(text)) else Event.ROLLBACK)


def _read_savepoint(text: bytes) -> Sent:
    code = _without_comments(text)
    match = _SAVEPOINT.search(code)
    if match is None:
        return OPAQUE
    event = Event.RELEASE if code[: match.start()].strip() else Event.SAVEPOINT
    return Sent(event, match[1].decode(errors="replace"))


def _read_set(text: bytes) -> Sent:
    code = _without_comments(text)
    if _SET_TRANSACTION.match(code):
        return READ  # neither commits nor rolls back
    sent = _read_autocommit(code)
    change = read_set(code)
    return sent if change is None else sent._replace(mode_change=change)


def _read_autocommit(code: bytes) -> Sent:
    mentions = code.lower().count(b"autocommit")
    if not mentions:
        return Sent(Event.SET)
    found = list(_AUTOCOMMIT.finditer(code))
    ours = [match for match in found if (match["scope"] or b"").strip().lower() not in _OTHER_VARIABLES]
    if len(found) == mentions and not ours:
        return Sent(Event.SET)
    value = None
    if len(found) == mentions and ours[-1]["end"] is not None:
        value = _VALUES.get((ours[-1]["value"] or b"").strip(b"'\"").lower())
    return Sent(Event.SET, sets_autocommit=True, autocommit=value)


# The effect of a statement by its first word, or a function that determines it from the text. Any other word is a
# CHANGE.
_WORDS: dict[bytes, Sent | Callable[[bytes], Sent]] = {
    **dict.fromkeys(b"SHOW DESCRIBE DESC".split(), READ),
    **dict.fromkeys(b"SELECT VALUES WITH EXPLAIN".split(), _read_with),
    **dict.fromkeys(b"INSERT REPLACE UPDATE DELETE".split(), WRITE),
    **dict.fromkeys(b"GRANT REVOKE LOCK".split(), MAY_COMMIT),
    **dict.fromkeys(b"CALL EXECUTE".split(), OPAQUE),
    **dict.fromkeys(b"BEGIN START".split(), Sent(Event.BEGIN)),
    **dict.fromkeys(b"SAVEPOINT RELEASE".split(), _read_savepoint),
    b"DATA": Sent(Event.COPY),
    b"USE": _read_use,
    b"COMMIT": Sent(Event.COMMIT),
    b"ROLLBACK": _read_rollback,
    b"SET": _read_set,
}
# The beginnings of the writes that SQLAlchemy compiles, for a fast lookup.
_USUAL_WRITES = frozenset((b"INSERT ", b"UPDATE ", b"DELETE "))


def _without_comments(text: bytes) -> bytes:
    return _LITERALS_AND_COMMENTS.sub(lambda match: match[0] if match[0][:1] in b"'\"`" else b" ", text)


@lru_cache(maxsize=512)
def makes_temporary_table(text: str) -> bool:
    """Return whether a statement, as SQLAlchemy has compiled it, creates a temporary table."""
    return _TEMPORARY.match(text.encode(errors="replace")) is not None


def for_many(statement: str) -> str:
    """Return a statement as it is passed to ``executemany()`` of the drivers.

    They join the rows of an INSERT into one statement, in which they neither replace parameters after its VALUES nor
    convert ``%%``. If it begins with a comment, they send it once for each row, as any other statement.
    """
    _, _, update = statement.partition(" ON DUPLICATE KEY UPDATE ")
    return for_each_row(statement) if "%" in update else statement


def for_each_row(statement: str) -> str:
    """Return an INSERT that the drivers send once for each row."""
    return f"/* for each row */ {statement}"
