"""Measure ways to insert many rows into a table whose keys the server generates, and ways that need no such key.

::

    python -m benchmarks.inserts dump:111@127.0.0.1:6001 --rows 500 2000

Creates its own database and drops it. The peer of each way is the unit of work with generated keys, of
``mysql+pymysql``.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.measuring import OURS, THEIRS, Comparison, in_turns, new_database, show, url
from sqlalchemy_matrixone import reserve_ids

DATABASE = "benchmark_inserts"


class Base(DeclarativeBase):
    pass


class Generated(Base):
    """Keys that the server generates."""

    __tablename__ = "generated"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(sa.String(40))


class Created(Base):
    """Keys that the application creates."""

    __tablename__ = "created"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int]
    note: Mapped[str] = mapped_column(sa.String(40))


class Reserved(Base):
    """Keys that are reserved from a sequence."""

    __tablename__ = "reserved"
    id: Mapped[int] = mapped_column(sa.Sequence("reserved_ids", start=1, increment=1000), primary_key=True)
    number: Mapped[int]
    note: Mapped[str] = mapped_column(sa.String(40))


reserve_ids(Reserved)


def values(count: int) -> list[dict[str, object]]:
    return [{"number": number, "note": f"note {number}"} for number in range(count)]


def by_unit_of_work(engine: sa.Engine, count: int) -> None:
    _flush(engine, [Generated(**row) for row in values(count)])


def with_created_keys(engine: sa.Engine, count: int) -> None:
    _flush(engine, [Created(id=uuid.uuid4(), **row) for row in values(count)])


def with_reserved_ids(engine: sa.Engine, count: int) -> None:
    _flush(engine, [Reserved(**row) for row in values(count)])


def _flush(engine: sa.Engine, objects: list[Base]) -> None:
    """Insert the objects and roll back, so that each run begins with an empty table."""
    with Session(engine) as session:
        session.add_all(objects)
        session.flush()


def without_ids(engine: sa.Engine, count: int) -> None:
    with engine.connect() as connection:
        connection.execute(sa.insert(Generated), values(count))


def read_back(engine: sa.Engine, count: int) -> None:
    """Insert without ids, and find them by a key of the data itself."""
    with engine.connect() as connection:
        rows = values(count)
        connection.execute(sa.insert(Generated), rows)
        numbers = [row["number"] for row in rows]
        query = sa.select(Generated.number, Generated.id).where(Generated.number.in_(numbers))
        assert len(dict(connection.execute(query).all())) == count


WAYS: dict[str, Callable[[sa.Engine, int], None]] = {
    "unit of work, keys of the server": by_unit_of_work,
    "unit of work, `reserve_ids()`": with_reserved_ids,
    "unit of work, keys of the application": with_created_keys,
    "`insert()`, no ids": without_ids,
    "`insert()`, ids read back by a UNIQUE column": read_back,
}


def measure(server: str, rows: tuple[int, ...] = (500, 2000), rounds: int = 3) -> Iterator[Comparison]:
    with new_database(server, DATABASE):
        ours, theirs = (sa.create_engine(url(name, server, DATABASE)) for name in (OURS, THEIRS))
        Base.metadata.create_all(ours)
        for count in rows:
            peer: list[float] = []
            for way, insert in WAYS.items():
                turns = {OURS: lambda insert=insert, count=count: insert(ours, count)}
                if not peer:
                    turns[THEIRS] = lambda count=count: by_unit_of_work(theirs, count)
                measured = in_turns(f"{count:,} rows: {way}", turns, rounds)
                peer = peer or measured.runs[THEIRS]
                yield measured._replace(runs={OURS: measured.runs[OURS], THEIRS: peer})
        ours.dispose()
        theirs.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, tuple(arguments.rows), arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
