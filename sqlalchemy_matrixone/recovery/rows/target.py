"""Interpret the arguments of a restore of rows: tables, criteria, columns and kinds of change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, exc, literal_column, select
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.sql import FromClause, visitors
from sqlalchemy.sql.expression import ColumnClause
from sqlalchemy.sql.selectable import SelectBase

from ...core.arguments import ColumnsArgument, check_flag, inspect_entity, list_of_columns, table_with_columns
from ...core.names import fold
from ...exc import MatrixOneArgumentError
from ...timetravel.point_in_time import PointInTime

_RowsTable = type[Any] | FromClause

RowsArgument = _RowsTable | Sequence[_RowsTable] | Set[_RowsTable]
"""A mapped class or a Table, or several of these."""

_Criterion = ColumnElement[bool] | Sequence[ColumnElement[bool]]

CriterionArgument = _Criterion | Mapping[Any, _Criterion]
"""A criterion, or criteria by mapped class or Table; a list of criteria must all be met."""


@dataclass(frozen=True)
class RowKinds:
    """The kinds of rows to restore."""

    missing: bool
    changed: bool
    new: bool

    def __post_init__(self) -> None:
        for name in ("missing", "changed", "new"):
            check_flag(name, getattr(self, name))
        if not (self.missing or self.changed or self.new):
            raise MatrixOneArgumentError("missing, changed and new are all False: there is nothing to restore")


@dataclass(frozen=True)
class RowsTarget:
    """A table whose rows are to be restored.

    :ivar criterion: a condition on the Table; None for all rows.
    :ivar columns: the columns to set back in changed rows, in lower case; None for all of them.
    """

    table: Table
    criterion: ColumnElement[bool] | None = None
    columns: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """Return the name of the table, with its database if that was given."""
        return self.table.fullname

    def where(self, source: FromClause) -> list[ColumnElement[bool]]:
        """Return the criterion on another version of the table, as a list of conditions."""
        if self.criterion is None:
            return []

        def replaced(element: Any, **_: Any) -> Any:
            if _is_column_of(element, self.table):
                return source.c[fold(element.name)]
            # In a subquery: the table to correlate() with.
            return source if _is_table(element, self.table) else None

        return [visitors.replacement_traverse(self.criterion, {}, replaced)]

    @property
    def criterion_columns(self) -> set[str]:
        """The columns of the table in the criterion, in lower case."""
        if self.criterion is None:
            return set()
        elements: Iterable[Any] = visitors.iterate(self.criterion)
        return {fold(element.name) for element in elements if _is_column_of(element, self.table)}

    @property
    def has_subquery(self) -> bool:
        """Return whether the criterion contains a subquery."""
        return self.criterion is not None and any(
            isinstance(element, SelectBase) for element in visitors.iterate(self.criterion)
        )


@dataclass(frozen=True)
class RowsRequest:
    """The arguments of a restore of rows.

    :ivar point: the point in time to restore.
    """

    kinds: RowKinds
    targets: Sequence[RowsTarget]
    point: PointInTime


def rows_targets(
    target: RowsArgument, where: CriterionArgument | None, columns: ColumnsArgument | None
) -> list[RowsTarget]:
    """Return the tables that the arguments specify.

    :raises MatrixOneArgumentError: if the rows of one of them cannot be restored, or the criteria or columns do not
        belong to them.
    """
    given = list(target) if isinstance(target, (list, tuple, set, frozenset)) else [target]
    tables = [_table(one) for one in given]
    if not tables:
        raise MatrixOneArgumentError("pass at least one table")
    if len({table.fullname for table in tables}) < len(tables):
        raise MatrixOneArgumentError("a table is passed twice")
    criteria = _criteria(where, tables)
    scopes = _columns(columns, tables)
    return [RowsTarget(table, criteria.get(table.fullname), scopes.get(table.fullname)) for table in tables]


def _table(target: Any) -> Table:
    mapper = inspect_entity(target)
    if isinstance(mapper, Mapper):
        _check_inheritance(mapper)
    return table_with_columns(target)


def _check_inheritance(mapper: Mapper[Any]) -> None:
    """Refuse a class that has parts of its rows elsewhere, or not all rows of its table."""
    name = mapper.class_.__name__
    if mapper.inherits is not None and not mapper.concrete:
        raise MatrixOneArgumentError(
            f"{name} shares its rows with {mapper.inherits.class_.__name__}: pass all Tables that contain a part of "
            "them"
        )
    elsewhere = [sub.class_.__name__ for sub in mapper.self_and_descendants if not {*sub.tables} <= {*mapper.tables}]
    if elsewhere and not all(sub.concrete for sub in mapper.self_and_descendants if sub is not mapper):
        raise MatrixOneArgumentError(
            f"rows of {name} are partly stored in the tables of {', '.join(elsewhere)}: pass all these Tables, as in "
            "[Employee.__table__, Manager.__table__]"
        )


def _is_column_of(element: Any, table: Table) -> bool:
    return isinstance(element, ColumnClause) and _is_table(element.table, table)


def _is_table(element: Any, table: Table) -> bool:
    return isinstance(element, Table) and element.fullname == table.fullname


def _criteria(where: Any, tables: Sequence[Table]) -> dict[str, ColumnElement[bool]]:
    if where is None:
        return {}
    if isinstance(where, Mapping):
        criteria = {_table(key).fullname: criterion for key, criterion in where.items()}
    elif len(tables) == 1:
        criteria = {tables[0].fullname: where}
    else:
        raise MatrixOneArgumentError(
            "with several tables, specify to which of them a criterion applies: where={Order: …, Item: …}; of a table "
            "without a criterion, all rows are restored"
        )
    by_name = {table.fullname: table for table in tables}
    for name in criteria:
        if name not in by_name:
            raise MatrixOneArgumentError(f"where= has a criterion for {name}, which is not restored")
    return {name: _criterion(criterion, by_name[name]) for name, criterion in criteria.items()}


def _criterion(criterion: Any, table: Table) -> ColumnElement[bool]:
    no_criterion = MatrixOneArgumentError(f"where={criterion!r} is not a criterion such as Order.customer_id == 7")
    if isinstance(criterion, (str, bytes, bool)) or criterion is None:
        raise no_criterion
    try:
        combined = and_(*criterion) if isinstance(criterion, (list, tuple)) else and_(criterion)
    except exc.ArgumentError as error:
        raise no_criterion from error
    others = [
        source
        for source in select(literal_column("1")).where(combined).get_final_froms()
        if not _is_table(source, table)
    ]
    if others:
        raise MatrixOneArgumentError(
            f"where= of {table.fullname} reads {', '.join(map(str, others))} as well: put that into a subquery, as in "
            "Order.customer_id.in_(select(Customer.id)…)"
        )
    for element in visitors.iterate(combined):
        if isinstance(element, Select) and all(_is_table(source, table) for source in element.get_final_froms()):
            raise MatrixOneArgumentError(
                f"where= of {table.fullname} has a subquery of {table.fullname} itself, and it would be unclear "
                "whether that reads current or historical rows: use an alias in the subquery, which reads current rows"
            )
    return combined


def _columns(columns: Any, tables: Sequence[Table]) -> dict[str, frozenset[str]]:
    if columns is None:
        return {}
    listed = list_of_columns(columns)
    scopes: dict[str, set[str]] = {table.fullname: set() for table in tables}
    for table, name in _named_columns(listed, tables):
        scopes[table.fullname].add(fold(name))
    if not listed:
        raise MatrixOneArgumentError("columns= is empty")
    return {table: frozenset(names) for table, names in scopes.items()}


def _named_columns(columns: Iterable[Any], tables: Sequence[Table]) -> Iterator[tuple[Table, str]]:
    for column in columns:
        if isinstance(column, str) and len(tables) == 1:
            yield tables[0], column
            continue
        element = column.__clause_element__() if isinstance(column, QueryableAttribute) else column
        table = next((table for table in tables if _is_column_of(element, table)), None)
        if table is None:
            raise MatrixOneArgumentError(
                f"columns= has {column!r}, which is not a column of a table that is restored; with several tables a "
                "name is not enough"
            )
        yield table, element.name
