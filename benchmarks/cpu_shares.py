"""Measure in which package the CPU time of reflect() and autogenerate is spent, compared with mysql+pymysql://.

::

    python -m benchmarks.cpu_shares dump:111@127.0.0.1:6001 --tables 1000

Creates its own database and drops it. The stack is sampled by the CPU time of the process, which excludes the server
and waiting for it. A sample counts for the package whose code called last: the standard library works for its caller.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import alembic
import pymysql
import sqlalchemy as sa

import sqlalchemy_matrixone
from benchmarks.measuring import OURS, THEIRS, Comparison, show, url
from benchmarks.reflection import DATABASE, TASKS, database_of

INTERVAL = 0.002
THIS_PACKAGE = "this package"
PACKAGES = {
    str(Path(module.__file__ or "").parent) + "/": name
    for module, name in (
        (sa, "SQLAlchemy"),
        (alembic, "Alembic"),
        (pymysql, "the driver"),
        (sqlalchemy_matrixone, THIS_PACKAGE),
    )
}
"""The packages by the folder of their code."""


def package_of(frame: FrameType | None) -> str | None:
    """Return the innermost of the packages on a stack; None if none of them is running."""
    while frame is not None:
        for folder, name in PACKAGES.items():
            if frame.f_code.co_filename.startswith(folder):
                return name
        frame = frame.f_back
    return None


def seconds_by_package(task: Callable[[], object]) -> dict[str, float]:
    """Run a task, and return the CPU time of each package."""
    samples: Counter[str | None] = Counter()
    before = signal.signal(signal.SIGPROF, lambda _, frame: samples.update([package_of(frame)]))
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        task()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    seconds, taken = time.process_time() - start, sum(samples.values())
    return {name: seconds * samples[name] / taken if taken else 0.0 for name in PACKAGES.values()}


def measure(server: str, count: int = 1000, rounds: int = 3) -> Iterator[Comparison]:
    with database_of(server, count) as metadata:
        for title, task in TASKS.items():
            runs: dict[str, list[dict[str, float]]] = {OURS: [], THEIRS: []}
            for _ in range(rounds):
                for dialect, measured in runs.items():
                    engine = sa.create_engine(url(dialect, server, DATABASE))
                    engine.connect().close()
                    measured.append(seconds_by_package(partial(task, engine, metadata)))
                    engine.dispose()
            yield from by_package(f"{count:,} tables: {title}", runs)


def by_package(task: str, runs: dict[str, list[dict[str, float]]]) -> Iterator[Comparison]:
    """Yield the CPU time of each package that runs, with its share for this package's dialect, and the sum."""
    total = {dialect: [sum(run.values()) for run in measured] for dialect, measured in runs.items()}
    yield Comparison(f"{task}, CPU time", "s", total)
    for name in PACKAGES.values():
        spent = {dialect: [run[name] for run in measured] for dialect, measured in runs.items()}
        if not sum(spent[OURS]):
            continue
        if not all(spent[THEIRS]):
            del spent[THEIRS]
        yield Comparison(f"{task}, in {name}: {sum(spent[OURS]) / sum(total[OURS]):.0%}", "s", spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="user:password@host:port")
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for comparison in measure(arguments.server, arguments.tables, arguments.rounds):
        show(comparison)


if __name__ == "__main__":
    main()
