"""Measure the CPU time and the memory of reading results.

::

    python -m benchmarks.results dump:111@127.0.0.1:6001

Creates its own database and drops it. On ``mysql+pymysql``, vectors are texts that are parsed with ``json``.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from collections.abc import Iterator

import sqlalchemy as sa

from benchmarks.measuring import OURS, THEIRS, Comparison, in_turns, new_database, show, url
from sqlalchemy_matrixone import VECF32

DATABASE = "benchmark_results"
DIMENSION, DISTINCT = 768, 100

metadata = sa.MetaData()
items = sa.Table(
    "items",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("embedding", VECF32(DIMENSION)),
)
samples = items.to_metadata(metadata, name="samples")
prices = sa.Table(
    "prices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("price", sa.Numeric(20, 4)),
    sa.Column("tax", sa.Numeric(10, 2)),
    sa.Column("name", sa.String(40)),
)


def fill(connection: sa.Connection, vectors: int, rows: int) -> None:
    """Insert some distinct vectors, and copies of them by the server."""
    distinct = [
        {"id": row, "embedding": [(row * 7919 + index * 104729) % 10007 / 10007 for index in range(DIMENSION)]}
        for row in range(DISTINCT)
    ]
    connection.execute(sa.insert(samples), distinct)
    for first in range(0, vectors, DISTINCT):
        connection.exec_driver_sql(f"INSERT INTO items SELECT id + {first}, embedding FROM samples")
    connection.exec_driver_sql(
        f"INSERT INTO prices SELECT result, result * 1.0001, result / 100, CONCAT('name ', result) "
        f"FROM generate_series(1, {rows}) g"
    )


def read_vectors(connection: sa.Connection) -> None:
    for row in connection.execute(sa.select(items)):
        assert len(row.embedding) == DIMENSION


def read_texts(connection: sa.Connection) -> None:
    for row in connection.execute(sa.select(items.c.id, sa.type_coerce(items.c.embedding, sa.Text).label("embedding"))):
        assert len(list(map(float, json.loads(row.embedding)))) == DIMENSION


def read_prices(connection: sa.Connection) -> None:
    for _ in connection.execute(sa.select(prices)):
        pass


def stream_prices(connection: sa.Connection, rows: int) -> None:
    options = {"stream_results": True, "max_row_buffer": 1000}
    for _ in connection.execute(sa.select(prices).where(prices.c.id <= rows), execution_options=options):
        pass


def peak(connection: sa.Connection, rows: int) -> float:
    """Return the greatest amount of memory while a result is streamed, in MiB."""
    tracemalloc.start()
    stream_prices(connection, rows)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def measure(server: str, vectors: int = 10_000, rows: int = 100_000, rounds: int = 3) -> Iterator[Comparison]:
    with new_database(server, DATABASE) as admin:
        engines = [sa.create_engine(url(name, server, DATABASE)) for name in (OURS, THEIRS)]
        metadata.create_all(engines[0])
        fill(admin, vectors, rows)
        with engines[0].connect() as ours, engines[1].connect() as theirs:
            ways = {OURS: lambda: read_vectors(ours), THEIRS: lambda: read_texts(theirs)}
            yield in_turns(f"{vectors:,} vectors of {DIMENSION} floats", ways, rounds, clock=time.thread_time)
            ways = {OURS: lambda: read_prices(ours), THEIRS: lambda: read_prices(theirs)}
            yield in_turns(f"{rows:,} rows with two decimals", ways, rounds, clock=time.thread_time)
            for count in (rows // 10, rows):
                peaks = {name: [peak(each, count)] for name, each in ((OURS, ours), (THEIRS, theirs))}
                yield Comparison(f"`stream_results` of {count:,} rows, memory", "MiB", peaks)
        for engine in engines:
            engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--vectors", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, arguments.vectors, arguments.rows, arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
