"""Timelines as text and as a picture."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from sqlalchemy_matrixone import Period, Timeline
from sqlalchemy_matrixone.recovery.timeline import TimelineEntry
from sqlalchemy_matrixone.recovery.values import WHY_UNKNOWN

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SVG = "{http://www.w3.org/2000/svg}"


def timeline(*entries: TimelineEntry) -> Timeline:
    return Timeline("database 'shop'", NOW, entries)


def pitr(name: str, hours: float, kind: str = "pitr") -> TimelineEntry:
    return TimelineEntry(name, kind, "shop", Period(NOW - dt.timedelta(hours=hours), NOW))  # type: ignore[arg-type]


def snapshot(name: str, hours: float, table: str = "shop") -> TimelineEntry:
    instant = NOW - dt.timedelta(hours=hours)
    return TimelineEntry(name, "snapshot", table, Period(instant, instant))


def test_timeline_is_shown_as_text():
    shown = str(timeline(pitr("week", 168), snapshot("before_import", 84, "shop.orders"), pitr("old", 24, "inactive")))
    heading, week, before, old, axis, legend = shown.splitlines()
    assert heading == "database 'shop', 2026-03-01 12:00:00 UTC"
    assert week == "week".ljust(29) + "━" * 72 + "│ shop"
    assert before == "before_import".ljust(29) + "◆".rjust(37).ljust(72) + "│ shop.orders"
    assert old.count("┄") == 11
    assert axis.split() == ["2026-02-24", "2026-02-26", "2026-02-28"]
    assert "snapshot" in legend


@pytest.mark.parametrize("count", [0, 1, 40])
def test_timeline_of_any_number_of_entries(count: int):
    entries = [snapshot(f"nightly_{number}", number * 24) for number in range(count)]
    shown = timeline(*entries)
    root = ElementTree.fromstring(shown.svg())
    assert len(root.findall(f".//{SVG}g/{SVG}polygon")) == count
    assert ("no PITR and no snapshot" in str(shown)) == (count == 0)
    assert ("no PITR and no snapshot" in shown.svg()) == (count == 0)
    assert len(str(shown).splitlines()) == (2 if count == 0 else count + 3)
    assert shown._repr_html_() == shown.svg()


@pytest.mark.parametrize("hours", [0, 1 / 3600, 0.5, 24, 24 * 365, 24 * 365 * 100])
def test_timeline_axis_has_few_labels_on_every_scale(hours: float):
    shown = timeline(pitr("p", hours))
    assert 1 <= len(list(shown._ticks(6))) <= 7
    assert all(len(line) <= 29 + 72 + 12 for line in str(shown).splitlines())


def test_timeline_shortens_long_names_and_keeps_them_in_the_title():
    name = "x" * 64
    shown = timeline(snapshot(name, 1))
    assert name not in str(shown)
    assert "x" * 27 + "…" in str(shown)
    [title] = ElementTree.fromstring(shown.svg()).findall(f".//{SVG}g/{SVG}title")
    assert title.text is not None
    assert title.text.startswith(f"snapshot {name} of shop: 2026-03-01 11:00:00 UTC")


def test_timeline_escapes_names():
    shown = Timeline("database '<b>&'", NOW, (snapshot('<script>"&\x1b[31m', 1),))
    assert "<script>" not in shown.svg()
    assert "\x1b" not in str(shown)
    ElementTree.fromstring(shown.svg())


def test_pitr_of_unknown_activity_is_shown_as_unknown_with_the_reason():
    entry = replace(pitr("tenants", 24, "unknown"), note=WHY_UNKNOWN)
    shown = str(timeline(entry, pitr("week", 48)))
    assert shown.splitlines()[1].count("╍") > 30
    assert "╍ unknown PITR" in shown
    assert f"tenants is unknown: {WHY_UNKNOWN}" in shown
    texts = " ".join(text.text or "" for text in ElementTree.fromstring(timeline(entry).svg()).iter(f"{SVG}text"))
    assert f"tenants is unknown: {WHY_UNKNOWN}" in texts
    assert "unknown PITR" in texts
    assert "unknown" not in timeline(pitr("week", 48)).svg()


def text_ends(root: ElementTree.Element, y: str) -> list[tuple[float, float]]:
    """Return where the texts of a line begin and end, if a letter is 6.6 pixels wide."""
    ends = []
    for text in root.iter(f"{SVG}text"):
        if text.get("y") == y:
            width = 6.6 * len(text.text or "")
            middle = float(text.get("x") or 0) + (0 if text.get("text-anchor") == "middle" else width / 2)
            ends.append((middle - width / 2, middle + width / 2))
    return sorted(ends)


@pytest.mark.parametrize("hours", [1 / 3600, 0.5, 1, 7, 24, 24 * 7, 24 * 30, 24 * 38, 24 * 365, 24 * 365 * 40])
def test_labels_of_the_axis_do_not_overlap_in_the_picture(hours: float):
    root = ElementTree.fromstring(timeline(pitr("p", hours)).svg())
    [now] = [text for text in root.iter(f"{SVG}text") if text.text == "now"]
    ends = text_ends(root, now.get("y") or "")
    assert all(end < start for (_, end), (start, _) in pairwise(ends))
    assert len(ends) > 1


@pytest.mark.parametrize("name", ["W" * 64, "漢" * 64, "nightly_backup_of_everything_before_the_big_import"])
def test_long_names_end_before_the_axis(name: str):
    wide = {"W": 11.9, "漢": 12, "…": 12}
    root = ElementTree.fromstring(timeline(snapshot(name, 1)).svg())
    [shown] = [text.text or "" for text in root.iter(f"{SVG}text") if (text.text or "").endswith("…")]
    assert len(shown) > 10
    assert sum(wide.get(letter, 6.9) for letter in shown) < 230


def test_ticks_of_a_year_are_first_days_of_months():
    ticks = [label for _, label in timeline(pitr("p", 24 * 365))._ticks(6)]
    assert ticks == ["2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01"]


def test_picture_without_entries_has_no_axis():
    assert "<line" not in timeline().svg()
