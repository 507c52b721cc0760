"""docs/kept.md contains the results from live servers."""

from __future__ import annotations

import json

from tools import kept

RESULTS = json.loads(kept.RESULTS.read_text())


def test_page_is_written_from_the_results():
    assert kept.page(RESULTS) in kept.PAGE.read_text()


def test_each_kind_that_is_lost_or_refused_has_a_note():
    notes = json.loads(kept.NOTES.read_text())
    found = {
        name
        for levels in RESULTS.values()
        for kinds in levels.values()
        for name, result in kinds.items()
        if result in ("lost", "refused")
    }
    assert found <= notes.keys()


def test_each_kind_says_what_it_makes_and_asks_for():
    kinds = kept.kinds()
    assert len({kind.name for kind in kinds}) == len(kinds)
    assert all(kind.make and kind.ask and kind.answer and kind.tell for kind in kinds)
