"""Give new objects ids that were reserved from a sequence, so that a flush inserts many of them in one statement.

Before 4.2 there is no RETURNING, and the ids that the server generates for a multi-row INSERT cannot be determined
afterwards. SQLAlchemy therefore sends one INSERT for each object. It sends one for all of them if they have their ids
before.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Sequence, event, inspect
from sqlalchemy.orm import Mapper

from ..exc import MatrixOneArgumentError, MatrixOneInvalidRequestError
from .beside import autocommit_connection, second_engine
from .server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection, Dialect


@dataclass(frozen=True)
class _Reserve:
    """The reserved ids of one process, which are not given yet.

    :ivar process: the id of the process.
    """

    process: int = field(default_factory=os.getpid)
    ids: deque[int] = field(default_factory=deque)


class ReservedIds:
    """Ids that are reserved from the sequence of a mapped class. Create it by :func:`reserve_ids`."""

    def __init__(self, column: ColumnElement[Any]) -> None:
        self._sequence = _sequence_of(column)
        self._increment = self._sequence.increment or 1
        self._reserves: WeakKeyDictionary[Dialect, _Reserve] = WeakKeyDictionary()

    def take(self, connection: Connection, count: int = 1) -> list[int]:
        """Return ids that nobody else gets, for inserts that do not go through the unit of work.

        Threads and tasks may call it at the same time. A forked process leaves the ids that were reserved before to its
        parent, and reserves its own.

        :param connection: a connection to the server, whose transaction is not affected.
        :param count: the number of ids.
        :raises MatrixOneInvalidRequestError: if the sequence on the server has another increment.

        ::

            rows = [{"id": id, "total": total} for id, total in zip(order_ids.take(connection, len(totals)), totals)]
            connection.execute(insert(Order), rows)
        """
        reserved = self._reserve_of_process(connection.dialect).ids
        taken: list[int] = []
        while len(taken) < count:
            try:
                taken.append(reserved.popleft())
            except IndexError:
                # Other threads and tasks may do the same in the meantime, and then there are more than needed.
                reserved.extend(self._reserve(connection))
        return taken

    def _reserve_of_process(self, dialect: Dialect) -> _Reserve:
        """Return the ids that are reserved on a server.

        Two threads may replace the reserve of a parent process at the same time: some ids are left out then, and none
        is given twice.
        """
        found = self._reserves.get(dialect) or self._reserves.setdefault(dialect, _Reserve())
        if found.process != os.getpid():
            found = self._reserves[dialect] = _Reserve()
        return found

    def _reserve(self, connection: Connection) -> range:
        """Reserve a block on a second connection.

        ``nextval()`` takes part in a transaction: a rollback takes the number back, so that it would be given twice,
        and until the end of the transaction all other callers wait.
        """
        matrixone_dialect(connection)
        with second_engine(connection.engine) as engine, autocommit_connection(engine) as second:
            name = engine.dialect.identifier_preparer.format_sequence(self._sequence)
            increment = second.exec_driver_sql(f"SELECT increment_value FROM {name}").scalar_one()
            if int(increment) != self._increment:
                raise MatrixOneInvalidRequestError(
                    f"No id was reserved: the sequence {self._sequence.name!r} has an increment of {increment} on the "
                    f"server, and {self._increment} in its Sequence, so that ids would be assigned twice. Create it "
                    f"again with INCREMENT BY {self._increment}, beginning after the highest id."
                )
            first = int(second.scalar(self._sequence))
        return range(first, first + self._increment)


def reserve_ids(mapped_class: type[Any]) -> ReservedIds:
    """Give new objects of a mapped class ids of its sequence, before they are inserted.

    A flush then sends one INSERT for all new objects, on every release. Without it, SQLAlchemy sends one for each
    object before MatrixOne 4.2, and calls ``nextval()`` for each on all releases. Each call of ``nextval()`` reserves
    as many ids as the increment of the sequence. Ids that are left when the process ends are never used.

    The ids are reserved on a second connection to the server, outside of the transaction of the Session. It can be
    called before the process forks: each process reserves its own ids.

    :param mapped_class: a class, whose subclasses also get their ids in this way. The primary key of its table is one
        column with a :class:`~sqlalchemy.Sequence`.
    :return: the ids, for inserts that do not go through the unit of work.
    :raises MatrixOneArgumentError: if the class is not mapped in this way.

    ::

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(Sequence("order_ids", start=1, increment=1000), primary_key=True)


        order_ids = reserve_ids(Order)
    """
    mapper = inspect(mapped_class, raiseerr=False)
    if not isinstance(mapper, Mapper) or len(mapper.primary_key) != 1:
        raise MatrixOneArgumentError(f"{mapped_class!r} is not a mapped class with one column as its primary key")
    [column] = mapper.primary_key
    reserved = ReservedIds(column)
    key = mapper.get_property_by_column(column).key

    def give_id(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
        if getattr(target, key) is None:
            [value] = reserved.take(connection)
            setattr(target, key, value)

    event.listen(mapped_class, "before_insert", give_id, propagate=True)
    return reserved


def _sequence_of(column: ColumnElement[Any]) -> Sequence:
    sequence = column.default if isinstance(column, Column) else None
    if not isinstance(sequence, Sequence):
        raise MatrixOneArgumentError(f"{column} has no Sequence, such as Sequence('ids', start=1, increment=1000)")
    if (sequence.increment or 1) < 2 or sequence.cycle:
        raise MatrixOneArgumentError(
            f"the Sequence {sequence.name!r} of {column} needs an increment of at least 2, the number of ids that are "
            "reserved at once, such as 1000, and cannot have a cycle"
        )
    return sequence
