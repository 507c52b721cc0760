"""Measure how long it takes to import the package, and to connect to a server.

::

    python -m benchmarks.connect dump:111@127.0.0.1:6001
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from benchmarks.measuring import OURS, THEIRS, Comparison, in_turns, show, url

IMPORTS = {
    OURS: "import sqlalchemy.orm, sqlalchemy_matrixone.pymysql, pymysql",
    THEIRS: "import sqlalchemy.orm, sqlalchemy.dialects.mysql.pymysql, pymysql",
}


def cpu_of_children() -> float:
    """Return the CPU time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def importing(code: str) -> Callable[[], object]:
    """Return a function that imports in a new process, from compiled code, as of an installed package."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def first_connection(name: str, server: str) -> Callable[[], None]:
    """Return a function that creates an engine, which asks the server for its properties when it first connects."""

    def connect() -> None:
        engine = sa.create_engine(url(name, server))
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()

    return connect


def further_connection(name: str, server: str) -> Callable[[], None]:
    engine = sa.create_engine(url(name, server), poolclass=NullPool)

    def connect() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    connect()
    return connect


def measure(server: str, rounds: int = 20) -> Iterator[Comparison]:
    ways = {name: importing(code) for name, code in IMPORTS.items()}
    task = "import, with SQLAlchemy's ORM and the driver, CPU time"
    yield in_turns(task, ways, rounds, clock=cpu_of_children, unit="ms", per=1e-3, warm_up=1)
    for task, connecting in (
        ("create an engine and connect, a query", first_connection),
        ("connect again, a query", further_connection),
    ):
        yield in_turns(
            task, {name: connecting(name, server) for name in (OURS, THEIRS)}, rounds, unit="ms", per=1e-3, warm_up=1
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
