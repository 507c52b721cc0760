"""The definitions of views: their strings, and the database that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..core.names import fold, unquote_name

_NAME = r"(?:`(?:[^`]|``)+`|[^\s`.(]+)"
CREATE_VIEW = re.compile(
    rf"CREATE\b[\s\w=@`'%.]*?\bVIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\s*\.\s*)?(?P<name>{_NAME})(?P<rest>.*)",
    re.I | re.S,
)
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`]|``)*`
    | /\*.*?\*/ | (?:\#|--\s)[^\n]* | [\w$@]+ | \s+ | .""",
    re.S | re.X,
)
_BEFORE_TABLES = frozenset(("FROM", "JOIN", "STRAIGHT_JOIN"))
_AFTER_TABLES = frozenset(("SELECT", "WHERE", "ON", "USING", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "WINDOW"))


def definition_of(create: str) -> str | None:
    """Return what follows the name of the view in its CREATE statement; None if that cannot be read."""
    match = CREATE_VIEW.fullmatch(create)
    return None if match is None else match["rest"].rstrip().removesuffix(";")


def strings(definition: str) -> list[str]:
    """Return the string literals of a definition, as they are written."""
    return [token for token in _TOKEN.findall(definition) if token[0] in "'\""]


def with_strings(definition: str, other: str) -> str:
    """Return a definition with the string literals of another one of the same view, if it has as many."""
    written = strings(other)
    if len(strings(definition)) != len(written):
        return other
    each = iter(written)
    return "".join(next(each) if token[0] in "'\"" else token for token in _TOKEN.findall(definition))


def names_database(definition: str, database: str) -> bool:
    """Return whether the name of a database occurs anywhere in a definition."""
    return (fold(database) or "") in (fold(definition) or "")


def of_other_database(definition: str, source: str, database: str) -> str:
    """Return a definition in which tables of one database are replaced by those of another one.

    :param database: the other one, quoted.
    """
    tokens = _TOKEN.findall(definition)
    for position in list(_qualifiers(tokens, source)):
        tokens[position] = database
    return "".join(tokens)


def _qualifiers(tokens: list[str], database: str) -> Iterator[int]:
    """Yield the positions at which a name is that of the database: before a table, or before a table and a column."""
    words = [index for index, token in enumerate(tokens) if not token.isspace() and not token.startswith("/*")]
    texts = [tokens[index] for index in words] + [""] * 3
    in_tables = False
    for number, index in enumerate(words):
        word = texts[number].upper()
        in_tables = (in_tables or word in _BEFORE_TABLES) and word not in _AFTER_TABLES
        is_first = texts[number + 1] == "." and (number == 0 or texts[number - 1] != ".")
        if is_first and (in_tables or texts[number + 3] == ".") and fold(unquote_name(texts[number])) == fold(database):
            yield index
