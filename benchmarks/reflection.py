"""How long MetaData.reflect() takes, beside mysql+pymysql:// on the same tables in the same run.

::

    python benchmarks/reflection.py dump:111@127.0.0.1:6001 --tables 200 1000 --delay 0 5

Makes a database of its own and drops it. The delay, in milliseconds, is added to each round trip. Of several rounds,
in which the two take turns, the fastest of each counts.
"""

from __future__ import annotations

import argparse
import time

import sqlalchemy as sa
from sqlalchemy import event

import sqlalchemy_matrixone  # noqa: F401  (registers the dialect)

DATABASE = "benchmark_reflection"


def create_tables(server: str, count: int) -> None:
    """Tables as an application has them: a key, a few columns, an index, a unique key, a foreign key in turn."""
    metadata = sa.MetaData()
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
    metadata.create_all(sa.create_engine(f"matrixone+pymysql://{server}/{DATABASE}"))


def reflect(dialect: str, server: str, delay: float) -> tuple[float, int]:
    """The seconds that it took, and the number of statements."""
    engine = sa.create_engine(f"{dialect}://{server}/{DATABASE}")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    statements = 0

    @event.listens_for(engine, "before_cursor_execute")
    def count(*_: object) -> None:
        nonlocal statements
        statements += 1
        time.sleep(delay / 1000)

    start = time.perf_counter()
    sa.MetaData().reflect(engine)
    seconds = time.perf_counter() - start
    engine.dispose()
    return seconds, statements


def both(server: str, delay: float) -> tuple[tuple[float, int], tuple[float, int]]:
    return reflect("mysql+pymysql", server, delay), reflect("matrixone+pymysql", server, delay)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--tables", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--delay", type=float, nargs="+", default=[0, 5])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    admin = sa.create_engine(f"matrixone+pymysql://{arguments.server}/", isolation_level="AUTOCOMMIT")
    for count in arguments.tables:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {DATABASE}")
            connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
            try:
                create_tables(arguments.server, count)
                for delay in arguments.delay:
                    (theirs, many), (ours, few) = (
                        min(runs)
                        for runs in zip(*(both(arguments.server, delay) for _ in range(arguments.rounds)), strict=True)
                    )
                    print(
                        f"{count} tables, {delay:g} ms: mysql {theirs:.2f} s in {many} statements, "
                        f"matrixone {ours:.2f} s in {few}: {theirs / ours:.1f} times as fast",
                        flush=True,
                    )
            finally:
                connection.exec_driver_sql(f"DROP DATABASE {DATABASE}")


if __name__ == "__main__":
    main()
