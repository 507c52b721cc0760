"""Write docs/conformance.md from the JUnit files of the test suites.

::

    pytest tests/suite -n 1 --dburi matrixone+pymysql://dump:111@127.0.0.1:6001/ --junitxml=4.2.0-pymysql.xml
    python tools/conformance.py *.xml > docs/conformance.md

A file is named after the release, the driver and, if it is not the newest, the release of SQLAlchemy:
``3.0.14-pymysql.xml``, ``4.2.0-pymysql-sqlalchemy2.0.xml``. A build between releases is named ``development``.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

HEAD = """\
# Conformance

SQLAlchemy's own dialect suite (`sqlalchemy.testing.suite`) and Alembic's (`alembic.testing.suite`), run on servers.
Tests are skipped if they require features that MatrixOne or SQLAlchemy's MySQL family lacks. The reasons are listed
below, and in `sqlalchemy_matrixone/requirements.py` and `tests/suite`. A test that is skipped for several reasons
counts for one of them, and not always for the same one. `development` is a build after 4.2.0.

    pytest tests/suite -n 1 --dburi matrixone+pymysql://dump:111@127.0.0.1:6001/ --junitxml=4.2.0-pymysql.xml
    python tools/conformance.py *.xml > docs/conformance.md
"""

CLOSED = "disabled by SQLAlchemy's suite itself, for features that the MySQL family lacks"
OUTCOMES = ("passed", "failure", "error", "skipped")
SUITES = {"test_suite": "SQLAlchemy's", "test_alembic_suite": "Alembic's"}


@dataclass
class Run:
    """The outcomes of one run of both suites."""

    name: str
    day: str = ""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, path: Path) -> Run:
        """Read the JUnit report of a run."""
        run = cls(path.stem)
        report = ElementTree.parse(path)
        run.day = next((suite.get("timestamp", "") for suite in report.iter("testsuite")), "").partition("T")[0]
        for case in report.iter("testcase"):
            outcome = next((name for name in ("error", "failure", "skipped") if case.find(name) is not None), "passed")
            run.outcomes[_suite(case), outcome] += 1
            if outcome == "skipped":
                run.reasons[_reason(case)] += 1
        return run


def _suite(case: ElementTree.Element) -> str:
    """Return the name of the suite of a class such as ``tests.suite.test_suite.CastTest``."""
    return next(suite for module, suite in SUITES.items() if module in case.get("classname", "").split("."))


def _reason(case: ElementTree.Element) -> str:
    """Return the last part of a message such as ``'…test' : skipping: the reason``."""
    skipped = case.find("skipped")
    message = skipped.get("message", "") if skipped is not None else ""
    return message.rpartition(" : ")[2].strip().replace("marked as skip", CLOSED) or CLOSED


def table(rows: list[list[object]]) -> str:
    """Return rows as a Markdown table; the first is its head."""
    head, *body = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def report(runs: list[Run]) -> str:
    """Return the page."""
    counts = [["server, driver", "run on", "suite", "passed", "failed", "errors", "skipped"]]
    counts += [
        [run.name, run.day, suite, *(run.outcomes[suite, outcome] for outcome in OUTCOMES)]
        for run in runs
        for suite in SUITES.values()
    ]
    reasons = sorted({reason for run in runs for reason in run.reasons})
    skips = [["reason", *(run.name for run in runs)]]
    skips += [[reason, *(run.reasons[reason] or "" for run in runs)] for reason in reasons]
    return "\n\n".join([HEAD.strip(), table(counts), "## Skipped, and why", table(skips)]) + "\n"


if __name__ == "__main__":
    print(report([Run.read(Path(name)) for name in sys.argv[1:]]), end="")
