"""Parse SHOW CREATE TABLE, including the lines that are specific to MatrixOne."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import filterfalse
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects.mysql.reflection import MySQLTableDefinitionParser, ReflectedState

from ..core.options import INDEX_OPTIONS

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ReflectedIndex

_OWN_LINE = re.compile(r"\s*(FULLTEXT |KEY `.*` USING )|\).*CLUSTER BY ")
_OWN_INDEX = re.compile(
    r"\s*(?:FULLTEXT|KEY(?=.* USING )) (?:`(?P<name>.*?)` ?)?(?:USING (?P<using>\w+) )?"
    r"\(`(?P<columns>.*?)`\)(?P<options>.*)"
)
_PARSER = re.compile(r"WITH PARSER (\w+)")
# A keyword by itself, or one with a number, a string or columns.
_OPTION = re.compile(r"(\w+)(?: = (\w+)| '((?:[^']|'')*)'| \(([^)]*)\))?")


class MatrixOneReflectedState(ReflectedState):
    """What is parsed from a SHOW CREATE TABLE text, with the indexes that MySQL lacks."""

    own_indexes: list[ReflectedIndex]


class MatrixOneTableDefinitionParser(MySQLTableDefinitionParser):
    """Extend MySQL's parser with the lines that only MatrixOne has."""

    def _describe_to_create(self, table_name: str, columns: Sequence[tuple[str, str, str, str, str, str]]) -> str:
        """Describe a view with the type names in lower case, as SHOW CREATE TABLE writes them."""
        rows = [(name, type_.lower(), *rest) for name, type_, *rest in columns]
        return super()._describe_to_create(table_name, rows)  # type: ignore[arg-type]

    def parse(self, show_create: str, charset: str | None) -> ReflectedState:
        lines = show_create.splitlines()
        state = cast("MatrixOneReflectedState", super().parse("\n".join(filterfalse(_OWN_LINE.match, lines)), charset))
        state.own_indexes = [_own_index(match) for match in map(_OWN_INDEX.match, lines) if match]
        return state


def _own_index(match: re.Match[str]) -> ReflectedIndex:
    columns = [*match["columns"].split("`,`")]
    return {
        # A full-text index may have no name. MySQL would name it after its first column.
        "name": match["name"] or columns[0],
        "column_names": columns,
        "unique": False,
        "dialect_options": dict(_own_options(match["using"], match["options"])),
    }


def _own_options(using: str | None, text: str) -> Iterator[tuple[str, Any]]:
    yield "matrixone_using", using or "fulltext"
    if parser := _PARSER.search(text):
        yield "matrixone_with_parser", parser[1]
    for name, value, literal, columns in _OPTION.findall(_PARSER.sub("", text)):
        if option := INDEX_OPTIONS.get(name.lower()):
            given = literal.replace("''", "'") or value or columns.replace("`", "").replace(", ", ",") or "true"
            yield f"matrixone_{name.lower()}", option.read(given)
