"""Count the scenarios for each server, and write the counts to docs/support.md.

    pytest tests/scenarios --junitxml=replayed.xml
    python -m tools.scenario_counts replayed.xml

A tape is saved when its test has passed on the live server, so the number of tapes is the number of passed tests.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from tests.scenarios.archive import Archive

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = Archive(ROOT / "tests/scenarios/tapes")
PAGE = ROOT / "docs/support.md"
PLACE = re.compile(r"(<!-- scenarios -->\n).*?(?=<!-- end -->)", re.S)

HEAD = """\
| server | passed live | on | replayed: passed | failed | skipped, not on this release |
|---|--:|---|--:|--:|--:|
"""


def replayed(report: Path) -> dict[str, Counter[str]]:
    """Return the outcomes of the replayed tests for each server."""
    found: dict[str, Counter[str]] = {label: Counter() for label in ARCHIVE.labels()}
    labels = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
    of_server = re.compile(rf"\[({labels})[-\]]")
    for case in ElementTree.parse(report).iter("testcase"):
        if match := of_server.search(case.get("name", "")):
            ended = {child.tag for child in case} & {"failure", "error", "skipped"}
            found[match[1]][ended.pop() if ended else "passed"] += 1
    return found


def table(again: dict[str, Counter[str]]) -> str:
    """Return the table of the page, with one row for each server."""
    rows = ""
    for label, ended in again.items():
        days = ARCHIVE.days(label)
        failed = ended["failure"] + ended["error"]
        rows += f"| {label} | {len(days)} | {max(days)} | {ended['passed']} | {failed} | {ended['skipped']} |\n"
    return HEAD + rows


if __name__ == "__main__":
    counts = table(replayed(Path(sys.argv[1])))
    PAGE.write_text(PLACE.sub(lambda place: place[1] + counts, PAGE.read_text()))
