"""Measure the cost of tracking transactions: CPU time for each statement, compared with mysql+ of the same driver.

::

    python -m benchmarks.statements dump:111@127.0.0.1:6001 --drivers pymysql aiomysql asyncmy

Creates its own database and drops it. The two dialects alternate in short batches of a few statements. The CPU time of
this thread counts, which excludes the server. Other load of the machine disturbs both batches of a pair alike, so that
the median of many ratios of pairs does not depend on it.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.measuring import DIALECTS, OURS, THEIRS, Comparison, in_turns, new_database, show, url

DATABASE = "benchmark_statements"

orders = sa.Table(
    "orders",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("customer", sa.String(40)),
    sa.Column("note", sa.String(200)),
)
ROWS = [{"id": number, "customer": f"customer {number}", "note": "a note; with a semicolon"} for number in range(20)]

by_key = sa.select(orders).where(orders.c.id == sa.bindparam("key"))
joined = (
    sa.select(orders, (other := orders.alias()).c.note)
    .join(other, other.c.customer == orders.c.customer)
    .where(orders.c.id == sa.bindparam("key"), other.c.note.in_(["a note", "another one"]))
)
change = sa.update(orders).where(orders.c.id == sa.bindparam("key")).values(note=sa.bindparam("text"))

STATEMENTS: dict[str, tuple[Any, Any]] = {
    "SELECT by key": (by_key, {"key": 7}),
    "SELECT with a join": (joined, {"key": 7}),
    "UPDATE by key": (change, {"key": 7, "text": "what is new; and what is not"}),
    "DELETE and INSERT of 20 rows": (None, None),
    "text": (sa.text("SELECT 1"), {}),
}


def work(connection: sa.Connection, statement: Any, parameters: Any, count: int) -> None:
    for _ in range(count):
        if statement is None:
            connection.execute(sa.delete(orders))
            connection.execute(sa.insert(orders), ROWS)
        else:
            result = connection.execute(statement, parameters)
            if result.returns_rows:
                result.all()
    connection.rollback()


def compare(driver: str, connections: list[sa.Connection], rounds: int, count: int) -> Iterator[Comparison]:
    """Measure each kind of statement, on a connection of each of the two dialects."""
    for name, (statement, parameters) in STATEMENTS.items():

        def batch(connection: sa.Connection, statement: Any = statement, parameters: Any = parameters) -> None:
            work(connection, statement, parameters, count)

        theirs, ours = ((lambda each=each: batch(each)) for each in connections)
        ways: dict[str, Callable[[], object]] = {OURS: ours, THEIRS: theirs}
        yield in_turns(
            f"{driver}: {name}", ways, rounds, clock=time.thread_time, unit="µs", per=count * 1e-6, warm_up=10
        )


def measure(
    server: str, drivers: tuple[str, ...] = ("pymysql",), rounds: int = 400, count: int = 5
) -> Iterator[Comparison]:
    with new_database(server, DATABASE):
        orders.metadata.create_all(engine := sa.create_engine(url(OURS, server, DATABASE)))
        with engine.begin() as filling:
            filling.execute(sa.insert(orders), ROWS)
        engine.dispose()
        for driver in drivers:
            if driver == "pymysql":
                engines = [sa.create_engine(url(name, server, DATABASE)) for name in DIALECTS]
                connections = [engine.connect() for engine in engines]
                yield from compare(driver, connections, rounds, count)
                for connection, engine in zip(connections, engines, strict=True):
                    connection.close()
                    engine.dispose()
            else:
                yield from asyncio.run(compare_async(driver, server, rounds, count))


async def compare_async(driver: str, server: str, rounds: int, count: int) -> list[Comparison]:
    names = [name.replace("pymysql", driver) for name in DIALECTS]
    engines = [create_async_engine(url(name, server, DATABASE)) for name in names]
    connections = [await engine.connect() for engine in engines]
    theirs, ours = connections
    measured = await ours.run_sync(
        lambda connection: list(compare(driver, [theirs.sync_connection, connection], rounds, count))
    )
    for connection, engine in zip(connections, engines, strict=True):
        await connection.close()
        await engine.dispose()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--drivers", nargs="+", default=["pymysql"])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--count", type=int, default=5, help="statements in a batch")
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, tuple(arguments.drivers), arguments.rounds, arguments.count):
        show(comparison)


if __name__ == "__main__":
    main()
