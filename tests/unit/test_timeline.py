"""Timelines as text and as a picture."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree

import pytest

from sqlalchemy_matrixone import Period, Timeline
from sqlalchemy_matrixone.recovery.timeline import TimelineEntry

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
    assert len(root.findall(f".//{SVG}polygon")) == count
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
