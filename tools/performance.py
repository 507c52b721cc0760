"""Run the benchmarks, and write their figures to docs/performance.md.

    python -m tools.performance --url dump:111@127.0.0.1:6001 [--url …] [--only AREA …] [--again] [--heavy]
    python -m tools.performance                                       the page, from the stored figures

The figures of each area are stored as soon as it has run, by the release of the server. An area that has figures of a
release is not run again, unless with ``--again``: a run that was interrupted is continued by the same command. The
benchmarks create their own databases and drop them. That takes about ten minutes for a release. With ``--heavy``, a
table of 1,000,000 rows and a database of 1,000 tables are measured as well, which takes much longer. For the figures of
the vendor's SDK, install matrixone-python-sdk.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy
from sqlalchemy import create_engine

from benchmarks import connect, inserts, reflection, restore_rows, results, statements, timetravel
from benchmarks.measuring import OURS, Comparison, show, url
from sqlalchemy_matrixone.core.release import parse_greeting

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_suffix("") / "results.json"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: {} -->\n", "<!-- end -->"

WITHOUT_SERVER = "any"
"""Stands for the release in the figures of an area that needs no server."""

AREAS: dict[str, Callable[[str, bool], Iterable[Comparison]]] = {
    "statements": lambda server, heavy: statements.measure(server, ("pymysql", "asyncmy"), rounds=200),
    "connect": lambda server, heavy: connect.measure(server),
    "inserts": lambda server, heavy: inserts.measure(server, rounds=2),
    "reflection": lambda server, heavy: reflection.measure(server, (200, 1000) if heavy else (50, 200)),
    "timetravel": lambda server, heavy: timetravel.measure(),
    "restore_rows": lambda server, heavy: restore_rows.measure(server, (100_000, 1_000_000) if heavy else (100_000,)),
    "results": lambda server, heavy: results.measure(server),
}
"""The benchmark of each area, of a server, and whether to include what takes long."""


def release_of(server: str) -> str:
    """Return the release in the greeting of a server."""
    engine = create_engine(url(OURS, server))
    with engine.connect() as connection:
        driver_connection: Any = connection.connection.driver_connection
        release = parse_greeting(driver_connection.get_server_info())
    engine.dispose()
    return ".".join(map(str, release or ("unknown",)))


def run(server: str, only: list[str], again: bool, heavy: bool) -> None:
    """Run the benchmarks of each area, and store their figures."""
    release = release_of(server)
    for area, measure in AREAS.items():
        key = WITHOUT_SERVER if area == "timetravel" else release
        stored = load()
        if (only and area not in only) or (key in stored.get(area, {}) and not again):
            continue
        measured = []
        for comparison in measure(server, heavy):
            show(comparison)
            measured.append(comparison._asdict())
        about = {"date": str(dt.date.today()), "sqlalchemy": sqlalchemy.__version__, "figures": measured}
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
    parser.add_argument("--heavy", action="store_true", help="include what takes long")
    arguments = parser.parse_args()
    for server in arguments.url:
        run(server.rpartition("://")[2].rstrip("/"), arguments.only, arguments.again, arguments.heavy)
    write()


if __name__ == "__main__":
    main()
