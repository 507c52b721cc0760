"""Measure MetaData.reflect() and Alembic's autogenerate, compared with mysql+pymysql:// on the same tables in one run.

::

    python -m benchmarks.reflection dump:111@127.0.0.1:6001 --tables 200 1000 --delay 0 5

Creates its own database and drops it. The delay, in milliseconds, is added to each round trip: statements, and the
COMMIT and ROLLBACK that end transactions. The two alternate for several rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, event

import sqlalchemy_matrixone.alembic.impl  # noqa: F401  registers itself, even if the package is not installed
from benchmarks.measuring import OURS, THEIRS, Comparison, new_database, show, url

DATABASE = "benchmark_reflection"
BATCH = 100

Task = Callable[[Engine, MetaData], object]


class Measured(NamedTuple):
    seconds: float
    round_trips: int


def tables(count: int) -> MetaData:
    """Return tables as in an application: a key, a few columns, an index, a unique key, and sometimes a foreign key."""
    metadata = MetaData()
    for number in range(count):
        table = sa.Table(
            f"t{number}",
            metadata,
            sa.Column("id", sa.BigInteger, primary_key=True),
            sa.Column("name", sa.String(50), index=True),
            sa.Column("code", sa.String(20), unique=True),
            sa.Column("price", sa.Numeric(10, 2), server_default="0"),
            sa.Column("at", sa.DateTime, server_default=sa.func.now()),
        )
        if number % 2:
            table.append_column(sa.Column("other", sa.ForeignKey(f"t{number - 1}.id")))
    return metadata


def create(server: str, metadata: MetaData, first: int = 0) -> None:
    """Create the tables from a number on. In one transaction, 1,000 tables would take three times as long."""
    engine = sa.create_engine(url(OURS, server, DATABASE))
    created: Sequence[sa.Table] = list(metadata.tables.values())
    for number in range(first, len(created), BATCH):
        with engine.begin() as connection:
            metadata.create_all(connection, created[number : number + BATCH], checkfirst=False)
    engine.dispose()


@contextmanager
def database_of(server: str, count: int) -> Iterator[MetaData]:
    """Create a database with this number of tables, and drop it."""
    metadata = tables(count)
    with new_database(server, DATABASE):
        create(server, metadata)
        yield metadata


def reflect(engine: Engine, metadata: MetaData) -> None:
    MetaData().reflect(engine)


def autogenerate(engine: Engine, metadata: MetaData) -> None:
    with engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True}
        compare_metadata(MigrationContext.configure(connection, opts=opts), metadata)


TASKS: dict[str, Task] = {"reflect()": reflect, "autogenerate": autogenerate}


def run(task: Task, name: str, metadata: MetaData, delay: float) -> Measured:
    engine = sa.create_engine(name)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    round_trips = 0

    def round_trip(*_: Any) -> None:
        nonlocal round_trips
        round_trips += 1
        time.sleep(delay / 1000)

    def with_round_trip(end: Callable[[Any], None]) -> Callable[[Any], None]:
        def ended(dbapi_connection: Any) -> None:
            round_trip()
            end(dbapi_connection)

        return ended

    event.listen(engine, "before_cursor_execute", round_trip)
    # The pool also ends transactions, for which there is no event.
    dialect: Any = engine.dialect
    dialect.do_commit, dialect.do_rollback = map(with_round_trip, (dialect.do_commit, dialect.do_rollback))
    start = time.perf_counter()
    task(engine, metadata)
    seconds = time.perf_counter() - start
    engine.dispose()
    return Measured(seconds, round_trips)


def compare(
    server: str,
    metadata: MetaData,
    delay: float,
    rounds: int,
    tasks: Mapping[str, Task] = TASKS,
    dialects: Sequence[str] = (OURS, THEIRS),
) -> Iterator[Comparison]:
    for name, task in tasks.items():
        runs: dict[str, list[Measured]] = {dialect: [] for dialect in dialects}
        for _ in range(rounds):
            for dialect, measured in runs.items():
                measured.append(run(task, url(dialect, server, DATABASE), metadata, delay))
        trips = " and ".join(f"{measured[0].round_trips:,}" for measured in runs.values())
        title = f"{len(metadata.tables):,} tables, {delay:g} ms: {name} in {trips} round trips"
        yield Comparison(
            title, "s", {dialect: [each.seconds for each in measured] for dialect, measured in runs.items()}
        )


def measure(
    server: str,
    counts: tuple[int, ...] = (200, 1000),
    delays: tuple[float, ...] = (0, 5),
    rounds: int = 3,
) -> Iterator[Comparison]:
    for count in counts:
        with database_of(server, count) as metadata:
            for delay in delays:
                yield from compare(server, metadata, delay, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--tables", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--delay", type=float, nargs="+", default=[0, 5])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, tuple(arguments.tables), tuple(arguments.delay), arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
