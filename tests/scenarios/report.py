"""Count the scenarios by release, and write the counts into docs/support.md.

MATRIXONE_URLS="…" pytest tests/scenarios --junitxml=live.xml
pytest tests/scenarios --junitxml=replayed.xml
python tests/scenarios/report.py live.xml replayed.xml
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).resolve().parents[2] / "docs/support.md"
PLACE = re.compile(r"(<!-- scenarios -->\n).*?(?=<!-- end -->)", re.S)
ZONES = ("Asia-Shanghai", "America-New_York")
LABEL = re.compile(rf"\[(\d+\.\d+\.\d+(?:-(?:{'|'.join(ZONES)}))?)")

Counts = dict[str, Counter[str]]


def counts(report: Path) -> Counts:
    """How the tests of each server ended."""
    found: Counts = {}
    for case in ElementTree.parse(report).iter("testcase"):
        match = LABEL.search(case.get("name", ""))
        if match is None:
            continue
        ended = {child.tag for child in case} & {"failure", "error", "skipped"}
        found.setdefault(match[1], Counter())[ended.pop() if ended else "passed"] += 1
    return found


def table(live: Counts, replayed: Counts) -> str:
    lines = [
        "| server | live: passed | failed | not on this release | replayed: passed | failed |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for label in sorted(live.keys() | replayed.keys()):
        on, again = live.get(label, Counter()), replayed.get(label, Counter())
        lines.append(
            f"| {label} | {on['passed']} | {_failed(on)} | {on['skipped']} | {again['passed']} | {_failed(again)} |"
        )
    return "\n".join(lines) + "\n"


def _failed(ended: Counter[str]) -> int:
    return ended["failure"] + ended["error"]


if __name__ == "__main__":
    live, replayed = (counts(Path(name)) for name in sys.argv[1:3])
    PAGE.write_text(PLACE.sub(lambda found: found[1] + table(live, replayed), PAGE.read_text()))
