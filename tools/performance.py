"""Run the benchmarks, and write their figures to docs/performance.md.

    python -m tools.performance --url dump:111@127.0.0.1:6001 [--url …] [--only AREA …] [--again] [--heavy]
    python -m tools.performance --url dump:111@127.0.0.1:6001 --trial    whether all benchmarks run; stores nothing
    python -m tools.performance                                          the page, from the stored figures

The figures of each area are stored as soon as it has run, by the release of the server. An area that has figures of a
release is not run again, unless with ``--again``: a run that was interrupted is continued by the same command. The
benchmarks create their own databases and drop them. That takes about 20 minutes for a release. With ``--heavy``, a
table of 1,000,000 rows and a database of 5,000 tables are measured as well, which takes much longer. What to install is
stated in docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy
from sqlalchemy import create_engine

from benchmarks import (
    catalog,
    connect,
    cpu_shares,
    inserts,
    reflection,
    restore_rows,
    results,
    statements,
    timetravel,
)
from benchmarks.measuring import OURS, Comparison, show, url
from sqlalchemy_matrixone.core.release import parse_greeting

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_suffix("") / "results.json"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: {} -->\n", "<!-- end -->"

WITHOUT_SERVER = "any"
"""Stands for the release in the figures of an area that needs no server."""


class Size(IntEnum):
    """How much a benchmark measures."""

    TRIAL, NORMAL, HEAVY = range(3)

    def of(self, trial: Any, normal: Any, heavy: Any = None) -> Any:
        """Return what to measure; as much as normally if nothing is given for heavy."""
        return (trial, normal, normal if heavy is None else heavy)[self]


AREAS: dict[str, Callable[[str, Size], Iterable[Comparison]]] = {
    "statements": lambda server, size: statements.measure(server, ("pymysql", "asyncmy"), rounds=size.of(5, 200)),
    "connect": lambda server, size: connect.measure(server, rounds=size.of(1, 20)),
    "inserts": lambda server, size: inserts.measure(server, size.of((10,), (500, 2000)), rounds=size.of(1, 2)),
    "reflection": lambda server, size: reflection.measure(
        server, size.of((4,), (50, 200), (200,)), rounds=size.of(1, 3)
    ),
    "many_tables": lambda server, size: reflection.measure(
        server, (size.of(4, 1000),), delays=(5,), rounds=size.of(1, 2)
    ),
    "cpu_shares": lambda server, size: cpu_shares.measure(server, size.of(20, 1000), rounds=size.of(1, 3)),
    "catalog": lambda server, size: catalog.measure(server, size.of((4,), (1000,), (1000, 5000)), rounds=size.of(1, 5)),
    "timetravel": lambda server, size: timetravel.measure(),
    "restore_rows": lambda server, size: restore_rows.measure(
        server, size.of((1_000,), (100_000,), (100_000, 1_000_000)), size.of(30, 1_000), rounds=size.of(1, 5)
    ),
    "results": lambda server, size: results.measure(
        server, size.of(100, 10_000), size.of(1_000, 100_000), rounds=size.of(1, 3)
    ),
}
"""The benchmark of each area, of a server."""


def release_of(server: str) -> str:
    """Return the release in the greeting of a server."""
    engine = create_engine(url(OURS, server))
    with engine.connect() as connection:
        driver_connection: Any = connection.connection.driver_connection
        release = parse_greeting(driver_connection.get_server_info())
    engine.dispose()
    return ".".join(map(str, release or ("unknown",)))


def run(server: str, only: list[str], again: bool, size: Size) -> None:
    """Run the benchmarks of each area, and store their figures, unless they are only tried."""
    release = release_of(server)
    for area, measure in AREAS.items():
        key = WITHOUT_SERVER if area == "timetravel" else release
        is_known = key in load().get(area, {}) and not again and size is not Size.TRIAL
        if (only and area not in only) or is_known:
            continue
        measured = []
        for comparison in measure(server, size):
            show(comparison)
            measured.append(comparison)
        if size is not Size.TRIAL:
            store(area, key, measured)


def store(area: str, key: str, measured: list[Comparison]) -> None:
    """Add the figures of an area and a release to the stored ones."""
    figures = [comparison._asdict() for comparison in measured]
    about = {"date": str(dt.date.today()), "sqlalchemy": sqlalchemy.__version__, "figures": figures}
    stored = load()
    stored.setdefault(area, {})[key] = about
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(stored, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def load() -> dict[str, Any]:
    """Return the stored figures, by area and release."""
    stored: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return stored


def write() -> None:
    """Write the tables of all areas into the page."""
    page = PAGE.read_text()
    for area in AREAS:
        before, _, rest = page.partition(BEGIN.format(area))
        after = rest.partition(END)[2]
        page = before + BEGIN.format(area) + tables(load(), area) + END + after
    PAGE.write_text(page)


def tables(stored: dict[str, Any], area: str) -> str:
    """Return the tables of an area, one for each release, the newest first."""
    measured = sorted(stored.get(area, {}).items(), reverse=True)
    if not measured:
        return f"Not measured yet: `python -m tools.performance --url … --only {area}`.\n\n"
    return "".join(_table(release, about) for release, about in measured)


def _table(release: str, about: dict[str, Any]) -> str:
    comparisons = [Comparison(each["task"], each["unit"], each["runs"]) for each in about["figures"]]
    peers = dict.fromkeys(peer for each in comparisons if (peer := each.peer) is not None)
    where = "Without a server" if release == WITHOUT_SERVER else f"MatrixOne {release}"
    lines = [
        f"{where}, SQLAlchemy {about['sqlalchemy']}, {about['date']}:\n",
        f"| | `matrixone` | {', '.join(f'`{peer}`' for peer in peers)} | ratio | interval |",
        "|---|--:|--:|--:|---|",
        *map(_line, comparisons),
    ]
    return "\n".join(lines) + "\n\n"


def _line(comparison: Comparison) -> str:
    ours = f"{_rounded(median(comparison.runs[OURS]))} {comparison.unit}"
    if comparison.peer is None or comparison.ratio is None or comparison.interval is None:
        return f"| {comparison.task} | {ours} | | | |"
    theirs = f"{_rounded(median(comparison.runs[comparison.peer]))} {comparison.unit}"
    low, high = map(_rounded, comparison.interval)
    return f"| {comparison.task} | {ours} | {theirs} | {_rounded(comparison.ratio)} | {low} to {high} |"


def _rounded(figure: float) -> str:
    """Return a figure with two decimals, or three digits if it is greater than 10."""
    if figure >= 10:
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if figure >= 0.095 else f"{figure:.3f}"


def main() -> None:
    """Run what the arguments ask for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", default=[], help="user:password@host:port of a server")
    parser.add_argument("--only", nargs="+", choices=AREAS, default=[], help="the areas to run")
    parser.add_argument("--again", action="store_true", help="run areas that have figures, too")
    sizes = parser.add_mutually_exclusive_group()
    for size, description in ((Size.HEAVY, "include what takes long"), (Size.TRIAL, "run all briefly; store nothing")):
        sizes.add_argument(
            f"--{size.name.lower()}",
            action="store_const",
            dest="size",
            const=size,
            default=Size.NORMAL,
            help=description,
        )
    arguments = parser.parse_args()
    for server in arguments.url:
        run(server.rpartition("://")[2].rstrip("/"), arguments.only, arguments.again, arguments.size)
    write()


if __name__ == "__main__":
    main()
