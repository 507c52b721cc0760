"""Build the statements that restore rows: ordinary DML that reads the table's history.

MatrixOne executes these forms correctly on 2.2, 3.0, 4.1 and 4.2, but not others that seem equivalent: NOT EXISTS is
refused or reads current rows, and ``DELETE t FROM t JOIN (SELECT …)`` deletes every row on 2.2 and 3.0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    ColumnElement,
    Select,
    Update,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from .pair import GEOMETRIES, Key, TablePair

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

BATCH = 5000
"""The maximum number of single-column keys, or rows, in one statement."""

_ALTERNATIVES = 200
"""The maximum number of composite keys in one statement."""


def insert_missing(pair: TablePair, keys: Sequence[Key] | None, as_null: Sequence[str] = ()) -> UpdateBase:
    """Insert the missing rows.

    :param as_null: columns that are set afterwards, by :func:`set_back`.
    """
    columns = pair.restorable
    values = [null() if name in as_null else pair.old.c[name] for name in columns]
    rows = select(*values).select_from(pair.from_past()).where(pair.missing(), *pair.within(pair.old, keys))
    return insert(pair.current).from_select(list(columns), rows, include_defaults=False)


def set_back(pair: TablePair, columns: Sequence[str], keys: Sequence[Key] | None) -> Update:
    """Update the rows that differ in one of the columns."""
    return (
        update(pair.of_both())
        .values({pair.current.c[name]: pair.old.c[name] for name in dict.fromkeys((*columns, *pair.touched))})
        .where(pair.differs_in(columns), *pair.within(pair.current, keys))
    )


def set_back_unique(pair: TablePair, columns: Sequence[str], keys: Sequence[Key] | None) -> Iterator[UpdateBase]:
    """Update the columns of unique keys, by separate statements.

    MatrixOne reports duplicates that do not exist if one statement sets some of the values to NULL and moves others
    between rows (4.2), or leaves others unchanged (2.2, 3.0).
    """
    becomes_null = [pair.old.c[name].is_(None) for name in columns if pair.then.columns[name].nullable]
    if becomes_null:
        yield set_back(pair, columns, keys).where(or_(*becomes_null))
    yield set_back(pair, columns, keys)


def link_inserted(pair: TablePair, columns: Sequence[str], keys: Sequence[Key]) -> Iterator[UpdateBase]:
    """Set columns that were inserted as NULL."""
    for condition in _exactly(pair, keys):
        yield set_back(pair, columns, None).where(condition)


def unlink_new(pair: TablePair, columns: Sequence[str], keys: Sequence[Key] | None) -> Iterator[UpdateBase]:
    """Set columns of the new rows to NULL."""
    values = dict.fromkeys(map(pair.current.c.__getitem__, columns), null())
    if keys is None:
        yield update(pair.from_present()).values(values).where(pair.new())
    for condition in _exactly(pair, keys or ()):
        yield update(pair.current).values(values).where(condition)


def delete_new(pair: TablePair, keys: Sequence[Key] | None) -> Iterator[UpdateBase]:
    """Delete the new rows."""
    if keys is None:
        other = pair.other("new")
        columns = [other.current.c[name].label(name) for name in pair.key]
        listed = select(*columns).select_from(other.from_present()).where(other.new()).subquery(f"{other.name}__listed")
        yield delete(pair.current).where(*(pair.current.c[name] == listed.c[name] for name in pair.key))
    for condition in _exactly(pair, keys or ()):
        yield delete(pair.current).where(condition)


def lock(pair: TablePair, keys: Sequence[Key]) -> Iterator[Select[Any]]:
    """Lock the existing rows with these keys."""
    for condition in _exactly(pair, keys):
        yield select(literal(1)).select_from(pair.current).where(condition).with_for_update()


def old_values(
    connection: Connection, pair: TablePair, columns: Sequence[str], keys: Sequence[Key] | None
) -> Sequence[tuple[Any, ...]]:
    """Read the key and the old values of rows that differ in one of the columns, at most :data:`BATCH` rows."""
    values = [*(pair.old.c[name] for name in pair.key), *(_readable(pair, name) for name in columns)]
    listed = [value.label(f"c_{index}") for index, value in enumerate(values)]
    statement = (
        select(*listed)
        .select_from(pair.of_both())
        .where(pair.differs_in(columns), *pair.within(pair.current, keys))
        .limit(BATCH)
    )
    return list(map(tuple, connection.execute(statement)))


def set_values(pair: TablePair, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Iterator[UpdateBase]:
    """Update rows to what :func:`old_values` read, one statement for each combination of values."""
    size = len(pair.key)
    by_values: defaultdict[tuple[Any, ...], list[Key]] = defaultdict(list)
    for row in rows:
        by_values[row[size:]].append(row[:size])
    for values, keys in by_values.items():
        settings = {
            pair.current.c[name]: null() if value is None else _settable(pair, name, value)
            for name, value in zip(columns, values, strict=True)
        }
        for condition in _exactly(pair, keys):
            yield update(pair.current).values(settings).where(condition)


def _readable(pair: TablePair, name: str) -> ColumnElement[Any]:
    """Return the old value of a column, as :func:`_settable` takes it."""
    value: ColumnElement[Any] = pair.old.c[name]
    if pair.now.columns[name].base_type in GEOMETRIES:
        # The server sends a geometry without its SRID, which has to be that of the column.
        value = func.concat(func.st_srid(value), ":", cast(value, CHAR()))
    return value


def _settable(pair: TablePair, name: str, value: Any) -> ColumnElement[Any]:
    if pair.now.columns[name].base_type not in GEOMETRIES:
        return literal(value)
    srid, _, text = value.partition(":")
    return func.st_geomfromtext(text, int(srid))


def _exactly(pair: TablePair, keys: Sequence[Key]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that only these keys meet, without comparing tuples, which 2.2 cannot do."""
    if len(pair.key) == 1:
        for few in _chunks(keys, BATCH):
            yield pair.current.c[pair.key[0]].in_([value for (value,) in few])
        return
    for few in _chunks(keys, _ALTERNATIVES):
        yield or_(
            *(and_(*(pair.current.c[name] == value for name, value in zip(pair.key, key, strict=True))) for key in few)
        )


def _chunks(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    ordered = sorted(keys)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
