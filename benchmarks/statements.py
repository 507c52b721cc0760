"""Measure the cost of tracking transactions: CPU time for each statement, compared with mysql+ of the same driver.

::

    python benchmarks/statements.py dump:111@127.0.0.1:6001 --drivers pymysql aiomysql asyncmy

Creates its own database and drops it. The two dialects alternate in short batches in one run. The batch with the least
CPU time of this process counts for each, which excludes the server and any other load of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import sqlalchemy_matrixone  # noqa: F401  (registers the dialect)

DATABASE = "benchmark_statements"
DIALECTS = ("mysql", "matrixone")

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


def measured(connection: sa.Connection, statement: Any, parameters: Any, count: int) -> float:
    """Return the CPU time of a batch in seconds."""
    start = time.process_time()
    work(connection, statement, parameters, count)
    return time.process_time() - start


def report(driver: str, name: str, turns: list[list[float]], count: int) -> None:
    theirs, ours = (min(runs) / count * 1e6 for runs in zip(*turns, strict=True))
    print(f"{driver}, {name}: mysql {theirs:.0f} µs, matrixone {ours:.0f} µs, ratio {ours / theirs:.3f}", flush=True)


def compare(server: str, rounds: int, count: int) -> None:
    engines = [sa.create_engine(f"{dialect}+pymysql://{server}/{DATABASE}") for dialect in DIALECTS]
    connections = [engine.connect() for engine in engines]
    for name, (statement, parameters) in STATEMENTS.items():
        turns = [
            [measured(connection, statement, parameters, count) for connection in connections] for _ in range(rounds)
        ]
        report("pymysql", name, turns, count)
    for connection in connections:
        connection.close()


async def compare_async(driver: str, server: str, rounds: int, count: int) -> None:
    engines = [create_async_engine(f"{dialect}+{driver}://{server}/{DATABASE}") for dialect in DIALECTS]
    connections = [await engine.connect() for engine in engines]
    for name, (statement, parameters) in STATEMENTS.items():
        turns = [
            [await connection.run_sync(measured, statement, parameters, count) for connection in connections]
            for _ in range(rounds)
        ]
        report(driver, name, turns, count)
    for connection, engine in zip(connections, engines, strict=True):
        await connection.close()
        await engine.dispose()


@contextmanager
def database(server: str) -> Iterator[None]:
    admin = sa.create_engine(f"matrixone+pymysql://{server}/", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {DATABASE}")
        connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
        try:
            orders.metadata.create_all(engine := sa.create_engine(f"matrixone+pymysql://{server}/{DATABASE}"))
            with engine.begin() as filling:
                filling.execute(sa.insert(orders), ROWS)
            yield
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {DATABASE}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--drivers", nargs="+", default=["pymysql"])
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--count", type=int, default=10, help="statements in a batch")
    arguments = parser.parse_args()
    gc.disable()
    with database(arguments.server):
        for driver in arguments.drivers:
            if driver == "pymysql":
                compare(arguments.server, arguments.rounds, arguments.count)
            else:
                asyncio.run(compare_async(driver, arguments.server, arguments.rounds, arguments.count))


if __name__ == "__main__":
    main()
