"""docs/limitations.md lists each behavior once, with its release."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "limitations.md").read_text()
ROWS = [
    re.split(r"(?<!\\)\|", row.strip().strip("|"))
    for row in PAGE.splitlines()
    if row.startswith("| ") and not row.startswith(("| ---", "| Behavior"))
]


def test_limitations_page_lists_each_behavior_once():
    assert len(ROWS) > 50
    assert not [behavior for behavior, count in Counter(row[0].strip() for row in ROWS).items() if count > 1]


def test_limitations_page_row_names_releases():
    assert all(len(row) == 3 for row in ROWS)
    unnamed = [row[0] for row in ROWS if not re.search(r"\ball\b|\d\.\w", row[1])]
    assert not unnamed
