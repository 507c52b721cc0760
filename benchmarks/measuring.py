"""What the benchmarks have in common: figures of several ways to do the same, measured in turns."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import sqlalchemy as sa

import sqlalchemy_matrixone  # noqa: F401  (registers the dialect)

OURS, THEIRS = "matrixone+pymysql", "mysql+pymysql"
DIALECTS = (THEIRS, OURS)


class Comparison(NamedTuple):
    """The figures of one task.

    :ivar task: what is done, and how much of it.
    :ivar unit: of the figures, of which less is better.
    :ivar runs: the figures of each way to do it, in the order of the runs; that of this package under :data:`OURS`.
    """

    task: str
    unit: str
    runs: dict[str, list[float]]

    @property
    def peer(self) -> str | None:
        return next((name for name in self.runs if name != OURS), None)

    @property
    def ratios(self) -> list[float]:
        """Return how many times as much as the peer this package needs, in each pair of successive runs."""
        if self.peer is None:
            return []
        return [ours / theirs for ours, theirs in zip(self.runs[OURS], self.runs[self.peer], strict=False)]

    @property
    def ratio(self) -> float | None:
        """Return the median of :attr:`ratios`."""
        return median(self.ratios) if self.ratios else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % confidence interval of :attr:`ratio`; the least and the greatest ratio if there are few.

        It follows from the ranks of the ratios only, and so holds for any distribution of them.
        """
        if not self.ratios:
            return None
        ordered, count = sorted(self.ratios), len(self.ratios)
        rank = max(int((count - 1.96 * math.sqrt(count)) / 2), 0)
        return ordered[rank], ordered[-1 - rank]


def in_turns(
    task: str,
    ways: dict[str, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    unit: str = "s",
    per: float = 1,
    warm_up: int = 0,
) -> Comparison:
    """Run each way once for each round, in alternating order, and measure it.

    Other load of the machine slows down both runs of a pair, so that their ratio depends little on it if they are
    short.

    :param clock: ``time.thread_time`` for the CPU time of this thread, which excludes the server.
    :param per: what to divide the seconds by, such as the number of statements, for another unit.
    :param warm_up: the number of rounds that are run before, and not measured.
    """
    runs: dict[str, list[float]] = {name: [] for name in ways}
    for run in [*ways.values()] * warm_up:
        run()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for name in list(ways)[:: -1 if number % 2 else 1]:
                start = clock()
                ways[name]()
                runs[name].append((clock() - start) / per)
    finally:
        gc.enable()
    return Comparison(task, unit, runs)


def url(dialect: str, server: str, database: str = "") -> str:
    return f"{dialect}://{server}/{database}"


@contextmanager
def new_database(server: str, database: str) -> Iterator[sa.Connection]:
    """Create a database, provide a connection to it in AUTOCOMMIT, and drop it."""
    admin = sa.create_engine(url(OURS, server), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {database}")
        connection.exec_driver_sql(f"CREATE DATABASE {database}")
        connection.exec_driver_sql(f"USE {database}")
        try:
            yield connection
        finally:
            drop(connection, database)
    admin.dispose()


def drop(connection: sa.Connection, database: str) -> None:
    """Drop a database table by table: for thousands of tables, DROP DATABASE takes many minutes."""
    # With the checks, the server needs almost three times as long to drop many tables with foreign keys.
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for table in sa.inspect(connection).get_table_names(database):
        connection.exec_driver_sql(f"DROP TABLE {database}.{table}")
    connection.exec_driver_sql(f"DROP DATABASE {database}")


def show(comparison: Comparison) -> None:
    figures = ", ".join(f"{name} {median(runs):.4g} {comparison.unit}" for name, runs in comparison.runs.items())
    ratio = ""
    if comparison.interval is not None:
        low, high = comparison.interval
        ratio = f", ratio {comparison.ratio:.3f} ({low:.3f} to {high:.3f})"
    print(f"{comparison.task}: {figures}{ratio}", flush=True)
