"""Measure ``Recovery.restore_rows()`` on a large table of which few rows are damaged, compared with raw statements.

::

    python -m benchmarks.restore_rows dump:111@127.0.0.1:6001 --rows 1000000 --damaged 1000

Creates its own database and snapshot, and drops them. The table has a unique and a foreign key, whose conflicts
``restore_rows()`` looks for. Each run is rolled back. The peer is the three statements that someone would write for
this table, by ``mysql+pymysql``: they check nothing, neither before nor afterwards.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import sqlalchemy as sa

from benchmarks.measuring import OURS, THEIRS, Comparison, in_turns, new_database, show, url
from sqlalchemy_matrixone import CreateSnapshot, DropSnapshot, Recovery, SnapshotError

DATABASE = "benchmark_restore_rows"
SNAPSHOT = "benchmark_restore_rows"

CUSTOMERS = 1_000

metadata = sa.MetaData()
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
)
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.String(20), unique=True),
    sa.Column("customer_id", sa.ForeignKey(customers.c.id)),
    sa.Column("total", sa.Numeric(12, 2)),
)

PAST = f"orders {{SNAPSHOT = '{SNAPSHOT}'}}"
RAW = (
    f"INSERT INTO orders SELECT p.* FROM {PAST} AS p LEFT JOIN orders AS o ON o.id = p.id WHERE o.id IS NULL",
    f"UPDATE orders AS o JOIN {PAST} AS p ON p.id = o.id SET o.number = p.number, "
    "o.customer_id = p.customer_id, o.total = p.total "
    "WHERE NOT (o.number <=> p.number AND o.customer_id <=> p.customer_id AND o.total <=> p.total)",
    f"DELETE o FROM orders AS o LEFT JOIN {PAST} AS p ON p.id = o.id WHERE p.id IS NULL",
)


def damage(connection: sa.Connection, rows: int, damaged: int) -> None:
    """Delete a third of the rows to damage, change a third, and add a third."""
    step = rows // damaged
    for statement in (
        f"DELETE FROM orders WHERE id %% {3 * step} = 1",
        f"UPDATE orders SET total = total + 1 WHERE id %% {3 * step} = 2",
        f"INSERT INTO orders SELECT {rows} + result, CONCAT('new ', result), 1, 1 "
        f"FROM generate_series(1, {damaged // 3}) g",
    ):
        connection.exec_driver_sql(statement)


def restore(connection: sa.Connection) -> None:
    Recovery(connection).restore_rows(orders, snapshot=SNAPSHOT, new=True)
    connection.rollback()


def restore_raw(connection: sa.Connection) -> None:
    for statement in RAW:
        connection.exec_driver_sql(statement)
    connection.rollback()


def memory(connection: sa.Connection) -> float:
    tracemalloc.start()
    restore(connection)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def measure(
    server: str, rows: tuple[int, ...] = (100_000, 1_000_000), damaged: int = 1_000, rounds: int = 5
) -> Iterator[Comparison]:
    for count in rows:
        with new_database(server, DATABASE) as admin:
            ours, theirs = (sa.create_engine(url(name, server, DATABASE)) for name in (OURS, THEIRS))
            metadata.create_all(ours)
            admin.exec_driver_sql(f"INSERT INTO customers SELECT result FROM generate_series(0, {CUSTOMERS - 1}) g")
            admin.exec_driver_sql(
                f"INSERT INTO orders SELECT result, CONCAT('order ', result), result %% {CUSTOMERS}, result / 100 "
                f"FROM generate_series(1, {count}) g"
            )
            with suppress(SnapshotError):
                admin.execute(DropSnapshot(SNAPSHOT))
            admin.execute(CreateSnapshot(SNAPSHOT, database=DATABASE))
            try:
                damage(admin, count, damaged)
                yield from _measure(ours, theirs, f"{damaged:,} of {count:,} rows", rounds)
            finally:
                admin.execute(DropSnapshot(SNAPSHOT))
            ours.dispose()
            theirs.dispose()


def _measure(ours: sa.Engine, theirs: sa.Engine, task: str, rounds: int) -> Iterator[Comparison]:
    with ours.connect() as connection, theirs.connect() as raw:
        ways = {OURS: lambda: restore(connection), THEIRS: lambda: restore_raw(raw)}
        for way in ways.values():
            way()  # the first run compiles statements, and reads the history from the disk for both
        yield in_turns(task, ways, rounds)
        yield Comparison(f"{task}, memory", "MiB", {OURS: [memory(connection)]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--damaged", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, tuple(arguments.rows), arguments.damaged, arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
