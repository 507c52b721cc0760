"""How facts of tables are read, from whatever source."""

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
"""A fact of each table, with the table's name."""

HIDDEN = ("__mo_", "%!%")
"""How the names of what the server creates for itself begin: index tables, partitions."""

NO_ACTIONS = ("", "RESTRICT", "NO ACTION")
"""ON DELETE and ON UPDATE as the server reports them if nothing was declared."""


class TableReader(ABC):
    """Reads facts of tables and views. Those that do not exist are left out."""

    @abstractmethod
    def names(self, kind: ObjectKind) -> list[str]:
        """Return the names of the tables, views or both."""

    @abstractmethod
    def columns(self, tables: Iterable[str]) -> OfTables[list[ReflectedColumn]]: ...

    @abstractmethod
    def pk_constraints(self, tables: Iterable[str]) -> OfTables[ReflectedPrimaryKeyConstraint]: ...

    @abstractmethod
    def indexes(self, tables: Iterable[str]) -> OfTables[list[ReflectedIndex]]: ...

    @abstractmethod
    def unique_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedUniqueConstraint]]: ...

    @abstractmethod
    def foreign_keys(self, tables: Iterable[str]) -> OfTables[list[ReflectedForeignKeyConstraint]]: ...

    @abstractmethod
    def check_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedCheckConstraint]]: ...

    @abstractmethod
    def comments(self, tables: Iterable[str]) -> OfTables[ReflectedTableComment]: ...

    @abstractmethod
    def options(self, tables: Iterable[str]) -> OfTables[dict[str, Any]]:
        """Yield no options: the server does not keep those of MySQL that CREATE TABLE takes."""

    @abstractmethod
    def view_definition(self, view: str) -> str:
        """Return the CREATE VIEW statement of a view.

        :raises sqlalchemy.exc.NoSuchTableError: if it does not exist.
        """


def no_such_table(schema: str | None, name: str) -> exc.NoSuchTableError:
    return exc.NoSuchTableError(f"{schema}.{name}" if schema else name)
