"""Measure the queries of the catalog in a database of many tables.

::

    python -m benchmarks.catalog dump:111@127.0.0.1:6001 --tables 1000 5000

Creates its own database and drops it. mysql+pymysql:// reads one table after the other, and is only compared if that
is what was requested. :mod:`benchmarks.reflection` compares the reflection of all tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import MetaData

from benchmarks.measuring import OURS, Comparison, new_database, show
from benchmarks.reflection import DATABASE, Task, compare, create, tables

OF_ALL: dict[str, Task] = {
    "`get_multi_columns()`": lambda engine, metadata: sa.inspect(engine).get_multi_columns(),
    "`get_multi_indexes()`": lambda engine, metadata: sa.inspect(engine).get_multi_indexes(),
    "`get_multi_foreign_keys()`": lambda engine, metadata: sa.inspect(engine).get_multi_foreign_keys(),
}
OF_ONE: dict[str, Task] = {
    "`get_table_names()`": lambda engine, metadata: sa.inspect(engine).get_table_names(),
    "`get_columns()` of one table": lambda engine, metadata: sa.inspect(engine).get_columns("t1"),
    "`Table(autoload_with=)` of one table": lambda engine, metadata: sa.Table(
        "t1", MetaData(), autoload_with=engine, resolve_fks=False
    ),
}


def measure(
    server: str, counts: tuple[int, ...] = (1000, 5000), delays: tuple[float, ...] = (0, 5), rounds: int = 5
) -> Iterator[Comparison]:
    """Measure with the first number of tables, add tables up to the next one, and so on."""
    with new_database(server, DATABASE):
        created = 0
        for count in counts:
            create(server, metadata := tables(count), created)
            created = count
            yield from compare(server, metadata, 0, rounds, OF_ALL, (OURS,))
            for delay in delays:
                yield from compare(server, metadata, delay, rounds, OF_ONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--tables", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, tuple(arguments.tables), rounds=arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
