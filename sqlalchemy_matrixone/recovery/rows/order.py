"""Order tables for writing: referred tables before those that refer to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from ...core.names import fold
from ...exc import Reason, RestoreError
from .definition import ForeignKey
from .pair import TablePair

TableName = tuple[str | None, str]
"""The database, if it is not the connection's default, and the name, both in lower case."""


class Reference(NamedTuple):
    """A foreign key between two of the tables."""

    child: TablePair
    key: ForeignKey
    parent: TablePair


@dataclass(frozen=True)
class WriteOrder:
    """The tables, each after those to which it refers.

    :ivar unlinked: the foreign keys of cycles, which are written as NULL first, and set afterwards.
    """

    tables: tuple[TablePair, ...]
    references: tuple[Reference, ...]
    unlinked: tuple[Reference, ...] = field(default=())

    @classmethod
    def of(cls, pairs: Sequence[TablePair], default: str | None) -> WriteOrder:
        """Sort the tables.

        :param default: the default database of the connection.
        :raises RestoreError: if tables refer to each other by keys that cannot be NULL.
        """
        by_name = {table_name(pair, default): pair for pair in pairs}
        references = tuple(
            Reference(pair, key, by_name[referred])
            for pair in pairs
            for key in pair.now.foreign_keys
            if (referred := referred_name(pair, key, default)) in by_name
        )
        unlinked: list[Reference] = []
        while True:
            edges = [edge for edge in references if edge not in unlinked and edge.child.name != edge.parent.name]
            try:
                return cls(_sorted(pairs, edges), references, tuple(unlinked))
            except CycleError as error:
                unlinked.append(_edge_to_unlink(error.args[1], edges))

    def self_references(self, pair: TablePair) -> list[Reference]:
        """Return the foreign keys of a table that refer to the table itself."""
        return [edge for edge in self.references if edge.child.name == edge.parent.name == pair.name]

    def unlinked_columns(self, pair: TablePair) -> tuple[str, ...]:
        """Return the columns of a table that are NULL until all rows have been inserted."""
        return tuple(
            {name: None for edge in self.unlinked if edge.child.name == pair.name for name in edge.key.columns}
        )


def table_name(pair: TablePair, default: str | None) -> TableName:
    """Return the database and the name of a table, folded as the server folds them."""
    database = pair.current.schema or default
    return (fold(database or None), fold(pair.current.name))


def referred_name(pair: TablePair, key: ForeignKey, default: str | None) -> TableName:
    """Return the name of the table to which a foreign key of another one refers."""
    return (key.schema or table_name(pair, default)[0], key.table)


def _sorted(pairs: Sequence[TablePair], edges: Sequence[Reference]) -> tuple[TablePair, ...]:
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(pairs)), ()))
    position = {pair.name: index for index, pair in enumerate(pairs)}
    for edge in edges:
        sorter.add(position[edge.child.name], position[edge.parent.name])
    try:
        return tuple(pairs[index] for index in sorter.static_order())
    except CycleError as error:
        raise CycleError(error.args[0], [pairs[index] for index in error.args[1]]) from None


def _edge_to_unlink(cycle: Sequence[TablePair], edges: Sequence[Reference]) -> Reference:
    within = {pair.name for pair in cycle}
    for edge in edges:
        inside = edge.child.name in within and edge.parent.name in within
        # A single column would suffice, but a column of the primary key is never NULL.
        if inside and all(edge.child.now.columns[name].nullable for name in edge.key.columns):
            return edge
    raise RestoreError(
        f"nothing was changed: {', '.join(sorted(within))} refer to each other by foreign keys that "
        "cannot be NULL, so that no row of one can be inserted before a row of the other",
        Reason.UNSUPPORTED,
    )
