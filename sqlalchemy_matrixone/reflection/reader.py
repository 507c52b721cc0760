"""Define the common interface for reading facts about tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import exc

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import (
        ReflectedCheckConstraint,
        ReflectedColumn,
        ReflectedForeignKeyConstraint,
        ReflectedIndex,
        ReflectedPrimaryKeyConstraint,
        ReflectedTableComment,
        ReflectedUniqueConstraint,
    )
    from sqlalchemy.engine.reflection import ObjectKind

_T = TypeVar("_T")

OfTables = Iterator[tuple[str, _T]]
"""A fact about each table, with the name of the table."""

HIDDEN = ("__mo_", "%!%")
"""The prefixes of the names of internal objects: index tables, partitions."""

NO_ACTIONS = ("", "RESTRICT", "NO ACTION")
"""ON DELETE and ON UPDATE as the server reports them if nothing was declared."""


class TableReader(ABC):
    """Read facts about tables and views. Those that do not exist are left out."""

    @abstractmethod
    def names(self, kind: ObjectKind) -> list[str]:
        """Return the names of the tables, views or both."""

    @abstractmethod
    def columns(self, tables: Iterable[str]) -> OfTables[list[ReflectedColumn]]:
        """Yield the columns of each table."""

    @abstractmethod
    def pk_constraints(self, tables: Iterable[str]) -> OfTables[ReflectedPrimaryKeyConstraint]:
        """Yield the primary key of each table."""

    @abstractmethod
    def indexes(self, tables: Iterable[str]) -> OfTables[list[ReflectedIndex]]:
        """Yield the indexes of each table."""

    @abstractmethod
    def unique_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedUniqueConstraint]]:
        """Yield the UNIQUE constraints of each table."""

    @abstractmethod
    def foreign_keys(self, tables: Iterable[str]) -> OfTables[list[ReflectedForeignKeyConstraint]]:
        """Yield the foreign keys of each table."""

    @abstractmethod
    def check_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedCheckConstraint]]:
        """Yield the CHECK constraints of each table."""

    @abstractmethod
    def comments(self, tables: Iterable[str]) -> OfTables[ReflectedTableComment]:
        """Yield the comment of each table."""

    @abstractmethod
    def options(self, tables: Iterable[str]) -> OfTables[dict[str, Any]]:
        """Yield empty options: the server does not store the MySQL options that CREATE TABLE accepts."""

    @abstractmethod
    def view_definition(self, view: str) -> str:
        """Return the CREATE VIEW statement of a view.

        :raises sqlalchemy.exc.NoSuchTableError: if it does not exist.
        """


def no_such_table(schema: str | None, name: str) -> exc.NoSuchTableError:
    """Return the error for a table that does not exist."""
    return exc.NoSuchTableError(f"{schema}.{name}" if schema else name)
