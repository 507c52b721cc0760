"""Show what can be restored: PITRs, snapshots and now on one time axis."""

from __future__ import annotations

import datetime as dt
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from .coverage import Protection
from .values import WHY_UNKNOWN, Period, Pitr, Snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Kind = Literal["pitr", "snapshot", "inactive", "unknown"]

_MARKS: dict[Kind, tuple[str, str]] = {
    "pitr": ("pitr", "#3b82f6"),
    "snapshot": ("snapshot", "#d97706"),
    "inactive": ("inactive pitr", "#888888"),
    "unknown": ("unknown pitr", "#888888"),
}
_TEXT_MARKS: dict[Kind, str] = {"pitr": "━", "snapshot": "◆", "inactive": "┄", "unknown": "╍"}
_STEPS = [dt.timedelta(seconds=seconds) for seconds in (1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200)]
_STEPS += [dt.timedelta(days=days) for days in (1, 2, 7, 14)]
_STEPS_IN_MONTHS = (1, 3, 6, 12, 24, 60, 120, 600)
_DAY = dt.timedelta(days=1)
_MONTH = dt.timedelta(days=30)
_SHORTEST = dt.timedelta(seconds=10)

# Sizes of the text, in characters.
_TEXT_NAME, _TEXT_AXIS, _TEXT_TICKS = 28, 72, 5
# Sizes of the picture, in pixels.
_NAME, _AXIS, _OBJECT, _ROW, _MARGIN = 230, 600, 170, 22, 14
_NOTE_LETTERS = 150
_LABEL = 36
"""Half the width of the longest label of a tick."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A PITR or a snapshot on the time axis.

    :ivar kind: ``"pitr"``, ``"snapshot"``, ``"inactive"`` for a PITR that no longer protects its object, or
        ``"unknown"`` for one of which this account cannot see whether it does.
    :ivar object: its object: ``cluster``, ``account``, or the name of a database or table.
    :ivar note: why that is unknown.
    """

    name: str
    kind: Kind
    object: str
    period: Period
    note: str = ""

    @property
    def title(self) -> str:
        """Return the description that the SVG shows as a tooltip."""
        times = " to ".join(dict.fromkeys(f"{time:%Y-%m-%d %H:%M:%S}" for time in self.period))
        note = f"; {self.note}" if self.note else ""
        return f"{_MARKS[self.kind][0]} {self.name} of {self.object}: {times} UTC{note}"


@dataclass(frozen=True)
class Timeline:
    """PITRs, snapshots and now on one time axis.

    ``print()`` shows it as text, a notebook as a picture, which :meth:`svg` returns.

    :ivar subject: what can be restored: ``database 'shop'``, or ``account 'sys'``.
    :ivar now: the server's time.
    """

    subject: str
    now: dt.datetime
    entries: tuple[TimelineEntry, ...]

    @property
    def start(self) -> dt.datetime:
        """The beginning of the axis: the earliest instant that is kept."""
        earliest = min((entry.period.start for entry in self.entries), default=self.now)
        return min(earliest, self.now - _SHORTEST)

    def _position(self, instant: dt.datetime) -> float:
        """Return the position of an instant on the axis, from 0 to 1."""
        return min(1.0, max(0.0, (instant - self.start) / (self.now - self.start)))

    def _ticks(self, most: int) -> Iterator[tuple[dt.datetime, str]]:
        """Yield about ``most`` instants on the axis, each with its label."""
        span = self.now - self.start
        step = next((step for step in _STEPS if span / step <= most), None)
        if step is None:
            months = next((each for each in _STEPS_IN_MONTHS if span / (each * _MONTH) <= most), _STEPS_IN_MONTHS[-1])
            yield from ((instant, f"{instant:%Y-%m-%d}") for instant in _firsts(self.start, self.now, months))
            return
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        number = -((midnight - self.start) // step)
        while (instant := midnight + number * step) <= self.now:
            if step >= _DAY:
                label = f"{instant:%Y-%m-%d}"
            else:
                label = f"{instant:%H:%M:%S}" if step < dt.timedelta(minutes=1) else f"{instant:%m-%d %H:%M}"
            yield instant, label
            number += 1

    @property
    def _heading(self) -> str:
        return f"{self.subject}, {self.now:%Y-%m-%d %H:%M:%S} UTC"

    # -- as text

    def __str__(self) -> str:
        if not self.entries:
            return f"{self._heading}\nno PITR and no snapshot protects it"
        labels = [" "] * (_TEXT_AXIS + 12)
        free = 0
        for instant, label in self._ticks(_TEXT_TICKS):
            place = round(self._position(instant) * (_TEXT_AXIS - 1))
            if place >= free:
                labels[place : place + len(label)] = label
                free = place + len(label) + 1
        indent = " " * (_TEXT_NAME + 1)
        rows = [f"{_shortened(entry.name, _TEXT_NAME):{_TEXT_NAME}} {self._text_row(entry)}" for entry in self.entries]
        unknown = "   ╍ unknown PITR" if self._notes else ""
        legend = f"{indent}━ PITR   ◆ snapshot   ┄ inactive PITR{unknown}   │ now"
        return "\n".join([self._heading, *rows, f"{indent}{''.join(labels).rstrip()}", legend, *self._notes])

    @property
    def _notes(self) -> list[str]:
        return [f"{_printable(entry.name)} is unknown: {entry.note}" for entry in self.entries if entry.note]

    def _text_row(self, entry: TimelineEntry) -> str:
        first, last = (round(self._position(time) * (_TEXT_AXIS - 1)) for time in entry.period)
        row = " " * first + _TEXT_MARKS[entry.kind] * (last - first + 1)
        return f"{row:{_TEXT_AXIS}}│ {entry.object}"

    # -- as a picture

    def _repr_html_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """Return the picture as SVG, in the text color of the page that contains it."""
        rows = len(self.entries)
        notes = [line for note in self._notes for line in textwrap.wrap(note, _NOTE_LETTERS)]
        height = _ROW * (rows + 3 + len(notes) if rows else 2) + _MARGIN
        width = _NAME + _AXIS + _OBJECT + 2 * _MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'role="img" font-family="sans-serif" font-size="12" fill="currentColor">',
            f"<title>{escape(_printable(self._heading))}</title>",
            _svg_text(_MARGIN, _ROW - 6, self._heading, weight="bold"),
        ]
        if not rows:
            return "\n".join(
                [*parts, _svg_text(_MARGIN, 2 * _ROW - 6, "no PITR and no snapshot protects it"), "</svg>"]
            )
        bottom = _ROW * (rows + 1) + 4
        parts += [
            *self._svg_axis(bottom),
            *(self._svg_row(entry, number) for number, entry in enumerate(self.entries, 1)),
            *self._svg_legend(bottom + _ROW + 14),
        ]
        parts += [
            _svg_text(_MARGIN, bottom + _ROW * number + 14, line, size=11) for number, line in enumerate(notes, 2)
        ]
        return "\n".join([*parts, "</svg>"])

    def _x(self, instant: dt.datetime) -> float:
        return round(_NAME + _MARGIN + self._position(instant) * _AXIS, 1)

    def _svg_axis(self, bottom: int) -> Iterator[str]:
        now = self._x(self.now)
        for instant, label in self._ticks(6):
            x = self._x(instant)
            yield f'<line x1="{x}" y1="{_ROW}" x2="{x}" y2="{bottom}" stroke="currentColor" stroke-opacity="0.15"/>'
            if x < now - 2 * _LABEL:
                yield _svg_text(x, bottom + 14, label, anchor="middle")
        yield f'<line x1="{now}" y1="{_ROW}" x2="{now}" y2="{bottom}" stroke="#dc2626" stroke-width="2"/>'
        yield _svg_text(now, bottom + 14, "now", anchor="middle")

    def _svg_row(self, entry: TimelineEntry, number: int) -> str:
        first, last = map(self._x, entry.period)
        middle = number * _ROW + _ROW // 2
        name = _svg_text(_MARGIN, middle + 4, _fitting(entry.name, _NAME - 10))
        shown = _svg_text(_NAME + _AXIS + 2 * _MARGIN, middle + 4, _fitting(entry.object, _OBJECT), opacity=0.75)
        mark = _svg_mark(entry.kind, first, last, middle)
        return f"<g><title>{escape(_printable(entry.title))}</title>{name}{mark}{shown}</g>"

    def _svg_legend(self, y: int) -> Iterator[str]:
        x = float(_NAME + _MARGIN)
        for kind in dict.fromkeys(entry.kind for entry in self.entries):
            label = _MARKS[kind][0].replace("pitr", "PITR")
            yield _svg_mark(kind, x + 6 * (kind == "snapshot"), x + 24, y - 4)
            width = 16 if kind == "snapshot" else 30
            yield _svg_text(x + width, y, label, opacity=0.75)
            x += width + 30 + 7 * len(label)


def _firsts(start: dt.datetime, end: dt.datetime, step: int) -> Iterator[dt.datetime]:
    """Yield the first days of months, whose number since the year 0 is a multiple of ``step``."""
    number = -(-(start.year * 12 + start.month - 1) // step) * step
    while (first := dt.datetime(number // 12, number % 12 + 1, 1, tzinfo=dt.UTC)) <= end:
        if first >= start:
            yield first
        number += step


def _svg_mark(kind: Kind, first: float, last: float, middle: int) -> str:
    color = _MARKS[kind][1]
    if kind == "snapshot":
        points = f"{first - 5},{middle} {first},{middle - 5} {first + 5},{middle} {first},{middle + 5}"
        return f'<polygon points="{points}" fill="{color}"/>'
    height = 10 if kind == "pitr" else 6
    style = f'fill="none" stroke="{color}" stroke-dasharray="4 3"' if kind == "unknown" else f'fill="{color}"'
    return (
        f'<rect x="{first}" y="{middle - height // 2}" width="{max(2.0, round(last - first, 1))}" height="{height}" '
        f'rx="2" {style}/>'
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)


def _shortened(name: str, length: int) -> str:
    shown = _printable(name)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _fitting(name: str, width: int) -> str:
    """Return a name, shortened to a width in pixels, with a generous estimate of the width of each character."""
    shown = _printable(name)
    if sum(map(_width, shown)) <= width:
        return shown
    free = width - _width("…")
    end = next((end for end in range(len(shown)) if sum(map(_width, shown[: end + 1])) > free), len(shown))
    return shown[:end] + "…"


def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 12.5
    return 12.0 if character in "MW@%…" else 9.0 if character.isupper() or character == "m" else 7.2


def _svg_text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 12, opacity: float = 1
) -> str:
    style = "" if opacity == 1 else f' fill-opacity="{opacity}"'
    style += "" if size == 12 else f' font-size="{size}"'
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}"{style}>{escape(_printable(text))}</text>'
    )


def get_timeline(connection: Connection, database: str | None) -> Timeline:
    """Return the timeline of a database or of the account; see ``Recovery.timeline()``."""
    protection = Protection(connection)
    account = connection.dialect.default_account_name  # type: ignore[attr-defined]
    subject = f"database {database!r}" if database is not None else f"account {account!r}"
    entries = [_entry(source, protection) for source in protection.of_database(database)]
    entries.sort(key=lambda entry: (entry.kind == "inactive", entry.period, entry.name))
    return Timeline(subject, protection.now, tuple(entries))


def _entry(source: Pitr | Snapshot, protection: Protection) -> TimelineEntry:
    parts = [part for part in (source.database, source.table) if part is not None]
    name = ".".join(parts) or source.level
    if isinstance(source, Snapshot):
        return TimelineEntry(source.name, "snapshot", name, Period(source.created_at, source.created_at))
    kind: Kind = "unknown" if source.active is None else "pitr" if source.active else "inactive"
    note = WHY_UNKNOWN if source.active is None else ""
    return TimelineEntry(source.name, kind, name, protection.period_of(source), note)
