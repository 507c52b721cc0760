"""Count the scenarios by server, and write the counts into docs/support.md.

    pytest tests/scenarios --junitxml=replayed.xml
    python tests/scenarios/report.py replayed.xml

A tape is saved when its test has passed on the live server, so there are as many tapes as passes.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

SERVERS = Path(__file__).parent / "tapes/servers"
PAGE = Path(__file__).resolve().parents[2] / "docs/support.md"
PLACE = re.compile(r"(<!-- scenarios -->\n).*?(?=<!-- end -->)", re.S)
ZONES = ("Asia-Shanghai", "America-New_York")
LABEL = re.compile(rf"\[(\d+\.\d+\.\d+(?:-(?:{'|'.join(ZONES)}))?)")

HEAD = """\
| server | passed live | on | replayed: passed | failed | skipped, not on this release |
|---|--:|---|--:|--:|--:|
"""


def recorded(server: Path) -> tuple[int, str]:
    """How many scenarios have passed on a live server, and the day of the last."""
    days = json.loads(server.read_bytes())["recorded"].values()
    return len(days), max(days)


def replayed(report: Path) -> dict[str, Counter[str]]:
    """How the replayed tests of each server ended."""
    found: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if match := LABEL.search(case.get("name", "")):
            ended = {child.tag for child in case} & {"failure", "error", "skipped"}
            found.setdefault(match[1], Counter())[ended.pop() if ended else "passed"] += 1
    return found


def table(again: dict[str, Counter[str]]) -> str:
    rows = ""
    for server in sorted(SERVERS.glob("*.json")):
        passed, day = recorded(server)
        ended = again.get(server.stem, Counter())
        failed = ended["failure"] + ended["error"]
        rows += f"| {server.stem} | {passed} | {day} | {ended['passed']} | {failed} | {ended['skipped']} |\n"
    return HEAD + rows


if __name__ == "__main__":
    counts = table(replayed(Path(sys.argv[1])))
    PAGE.write_text(PLACE.sub(lambda place: place[1] + counts, PAGE.read_text()))
