"""Read the definition of a table, now or at an earlier point in time, from SHOW CREATE TABLE.

SHOW CREATE TABLE takes a point in time on every release, and works inside a transaction. Names of columns and keys are
folded to lower case here, because the server prints some of them in lower case and others as they were written.

MatrixOne 2.2 cannot print a table whose foreign key has ON DELETE SET NULL. The Inspector reads the definition of such
a table, and a historical one is known only if the table has kept its id since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exc, inspect

from ...core.names import fold, unquote_name
from ...core.release import Feature
from ...core.server import matrixone_dialect
from ..objects import object_id

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import (
        ReflectedColumn,
        ReflectedForeignKeyConstraint,
        ReflectedUniqueConstraint,
    )
    from sqlalchemy.sql import ClauseElement, TableClause


@dataclass(frozen=True)
class ColumnDefinition:
    """A column.

    :ivar type: its type in lower case, such as ``decimal(10,2)``.
    :ivar on_update: whether an UPDATE changes it even without setting it.
    """

    name: str
    type: str
    nullable: bool
    has_default: bool
    generated: bool
    autoincrement: bool
    on_update: bool

    @property
    def base_type(self) -> str:
        """The type without its parameters."""
        return re.split(r"[ (]", self.type, maxsplit=1)[0]


@dataclass(frozen=True)
class UniqueKey:
    """A UNIQUE key. Two rows are distinct if one of its columns is NULL.

    :ivar lengths: for each column, how many of its characters are significant; None for all of them.
    """

    name: str
    columns: tuple[str, ...]
    lengths: tuple[int | None, ...]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of a table.

    :ivar schema: the database of the referred table; None if both tables are in the same one.
    """

    name: str
    columns: tuple[str, ...]
    schema: str | None
    table: str
    referred: tuple[str, ...]
    on_delete: str
    on_update: str

    @property
    def is_restrictive(self) -> bool:
        """Whether the server refuses to delete a row that the key refers to, rather than act on the referring rows."""
        return self.on_delete not in ("CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class TableDefinition:
    """The definition of a table, as SHOW CREATE TABLE prints it."""

    columns: Mapping[str, ColumnDefinition]
    primary_key: tuple[str, ...]
    unique_keys: tuple[UniqueKey, ...]
    foreign_keys: tuple[ForeignKey, ...]

    @classmethod
    def read(
        cls, connection: Connection, table: TableClause, when: ClauseElement | None = None
    ) -> TableDefinition | None:
        """Return the definition; None if the name is that of a view.

        :raises sqlalchemy.exc.DBAPIError: if there is no such table, or was none at that time.
        """
        dialect = matrixone_dialect(connection)
        hint = "" if when is None else str(when.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        statement = f"SHOW CREATE TABLE {dialect.identifier_preparer.format_table(table)} {hint}".rstrip()
        try:
            text = connection.exec_driver_sql(statement).one()[1]
        except exc.DBAPIError as error:
            if dialect.supports(Feature.SHOW_CREATE_OF_SET_NULL) or "SET_NULL" not in str(error.orig):
                raise
            if hint and _was_replaced(connection, table, hint):
                raise
            return cls.reflect(connection, table)
        return cls.parse(text)

    @classmethod
    def reflect(cls, connection: Connection, table: TableClause) -> TableDefinition:
        """Return the current definition, as the Inspector reads it."""
        inspector, names = inspect(connection), (table.name, table.schema)
        columns = inspector.get_columns(*names)
        keys = inspector.get_unique_constraints(*names)
        return cls(
            {fold(column["name"]): _reflected_column(column, connection.dialect) for column in columns},
            tuple(fold(name) for name in inspector.get_pk_constraint(*names)["constrained_columns"]),
            tuple(map(_reflected_unique_key, keys)),
            tuple(_reflected_key(key, table.schema) for key in inspector.get_foreign_keys(*names)),
        )

    @classmethod
    def parse(cls, text: str) -> TableDefinition | None:
        """Parse a SHOW CREATE TABLE text; return None if it is not that of a table."""
        if not re.match(r"CREATE\s+(?:\w+\s+)*TABLE\b", text, re.I):
            return None
        keys = list(map(_unique_key, _UNIQUE.finditer(text)))
        primary = _PRIMARY.search(text)
        return cls(
            dict(_columns(text)),
            tuple(name for name, _ in _key_columns(primary["columns"])) if primary else (),
            tuple(keys),
            tuple(map(_foreign_key, _FOREIGN.finditer(text))),
        )


_NAME = r"`(?:[^`]|``)+`"
_STRING = r"'(?:[^']|'')*'"
_COLUMN = re.compile(
    rf"^\s+(?P<name>{_NAME}) (?P<type>\w+(?:\((?:{_STRING}|[^()'])*\))?(?: unsigned)?)(?P<rest>.*?),?$", re.M
)
_KEY_COLUMNS = rf"{_NAME}(?:\(\d+\))?(?:, ?{_NAME}(?:\(\d+\))?)*"
_PRIMARY = re.compile(rf"^\s+PRIMARY KEY \((?P<columns>{_KEY_COLUMNS})\)", re.M)
_UNIQUE = re.compile(rf"^\s+UNIQUE KEY (?P<name>{_NAME}) \((?P<columns>{_KEY_COLUMNS})\)", re.M)
_FOREIGN = re.compile(
    rf"^\s+CONSTRAINT (?P<name>{_NAME}) FOREIGN KEY \((?P<columns>.*?)\) REFERENCES (?:(?P<schema>{_NAME})\.)?"
    rf"(?P<table>{_NAME}) \((?P<referred>.*?)\)(?: ON DELETE (?P<delete>[A-Z ]+?))?"
    r"(?: ON UPDATE (?P<update>[A-Z ]+?))?,?$",
    re.M,
)
_KEY_COLUMN = re.compile(rf"(?P<name>{_NAME})(?:\((?P<length>\d+)\))?")
_LITERAL_OR_WORDS = re.compile(rf"{_STRING}|[^']+")
_TEXTS = re.compile(rf"(?:DEFAULT|COMMENT) {_STRING}")


def _columns(text: str) -> Iterator[tuple[str, ColumnDefinition]]:
    for match in _COLUMN.finditer(text):
        name = unquote_name(match["name"])
        # A default or a comment may contain any words.
        rest = _TEXTS.sub(lambda found: found[0].split()[0] + " ''", match["rest"]).upper()
        yield (
            fold(name),
            ColumnDefinition(
                name,
                _LITERAL_OR_WORDS.sub(_in_lower_case, match["type"]),
                " NOT NULL" not in rest,
                " DEFAULT" in rest and " DEFAULT NULL" not in rest,
                " GENERATED ALWAYS AS" in rest,
                " AUTO_INCREMENT" in rest,
                " ON UPDATE" in rest,
            ),
        )


def _was_replaced(connection: Connection, table: TableClause, hint: str) -> bool:
    """Return whether a table has another id than it had then: a change of its columns gives it one."""
    database = table.schema or matrixone_dialect(connection).default_schema_name or ""
    then, now = (object_id(connection, database, table.name, at=at) for at in (hint, ""))
    return then != now


def _reflected_column(column: ReflectedColumn, dialect: Dialect) -> ColumnDefinition:
    type_ = column["type"].compile(dialect).replace("INTEGER", "INT").replace(", ", ",")
    default = column.get("default") or ""
    return ColumnDefinition(
        column["name"],
        _LITERAL_OR_WORDS.sub(_in_lower_case, type_),
        column["nullable"],
        bool(default) and not default.upper().startswith("NULL"),
        "computed" in column,
        column.get("autoincrement") is True,
        " ON UPDATE " in default,
    )


def _reflected_unique_key(key: ReflectedUniqueConstraint) -> UniqueKey:
    columns = tuple(fold(name) for name in key["column_names"])
    return UniqueKey(key["name"] or "", columns, (None,) * len(columns))


def _reflected_key(key: ReflectedForeignKeyConstraint, schema: str | None) -> ForeignKey:
    options = key.get("options", {})
    referred = key["referred_schema"]
    return ForeignKey(
        key["name"] or "",
        tuple(fold(name) for name in key["constrained_columns"]),
        None if referred == schema else referred,
        fold(key["referred_table"]),
        tuple(fold(name) for name in key["referred_columns"]),
        options.get("ondelete") or "RESTRICT",
        options.get("onupdate") or "RESTRICT",
    )


def _in_lower_case(part: re.Match[str]) -> str:
    return part[0] if part[0].startswith("'") else part[0].lower()


def _unique_key(match: re.Match[str]) -> UniqueKey:
    columns = list(_key_columns(match["columns"]))
    return UniqueKey(
        unquote_name(match["name"]), tuple(name for name, _ in columns), tuple(length for _, length in columns)
    )


def _foreign_key(match: re.Match[str]) -> ForeignKey:
    return ForeignKey(
        unquote_name(match["name"]),
        tuple(name for name, _ in _key_columns(match["columns"])),
        fold(unquote_name(match["schema"])) if match["schema"] else None,
        fold(unquote_name(match["table"])),
        tuple(name for name, _ in _key_columns(match["referred"])),
        match["delete"] or "RESTRICT",
        match["update"] or "RESTRICT",
    )


def _key_columns(text: str) -> Iterator[tuple[str, int | None]]:
    for match in _KEY_COLUMN.finditer(text):
        yield fold(unquote_name(match["name"])), int(match["length"]) if match["length"] else None
