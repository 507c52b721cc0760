"""Show what can be restored: PITRs, snapshots and now on one time axis."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from .coverage import Protection
from .values import Period, Pitr, Snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Kind = Literal["pitr", "snapshot", "inactive"]

_MARKS: dict[Kind, tuple[str, str]] = {
    "pitr": ("pitr", "#3b82f6"),
    "snapshot": ("snapshot", "#d97706"),
    "inactive": ("inactive pitr", "#888888"),
}
_STEPS = [dt.timedelta(seconds=seconds) for seconds in (1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200)]
_STEPS += [dt.timedelta(days=days) for days in (1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650, 18250)]
_DAY = dt.timedelta(days=1)
_SHORTEST = dt.timedelta(seconds=10)

# Sizes of the text, in characters.
_TEXT_NAME, _TEXT_AXIS, _TEXT_TICKS = 28, 72, 5
# Sizes of the picture, in pixels.
_NAME, _AXIS, _ROW, _MARGIN, _LETTERS = 230, 600, 22, 14, 32


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A PITR or a snapshot on the time axis.

    :ivar kind: ``"pitr"``, ``"snapshot"``, or ``"inactive"`` for a PITR that no longer protects its object, or for
        which this is unknown.
    :ivar object: its object: ``cluster``, ``account``, or the name of a database or table.
    """

    name: str
    kind: Kind
    object: str
    period: Period

    @property
    def title(self) -> str:
        """Return the description that the SVG shows as a tooltip."""
        times = " to ".join(dict.fromkeys(f"{time:%Y-%m-%d %H:%M:%S}" for time in self.period))
        return f"{_MARKS[self.kind][0]} {self.name} of {self.object}: {times} UTC"


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
        span = self.now - self.start
        step = next((step for step in _STEPS if span / step <= most), _STEPS[-1])
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
        legend = f"{indent}━ PITR   ◆ snapshot   ┄ inactive PITR   │ now"
        return "\n".join([self._heading, *rows, f"{indent}{''.join(labels).rstrip()}", legend])

    def _text_row(self, entry: TimelineEntry) -> str:
        first, last = (round(self._position(time) * (_TEXT_AXIS - 1)) for time in entry.period)
        mark = {"pitr": "━", "snapshot": "◆", "inactive": "┄"}[entry.kind]
        row = " " * first + mark * (last - first + 1)
        return f"{row:{_TEXT_AXIS}}│ {entry.object}"

    # -- as a picture

    def _repr_html_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """Return the picture as SVG, in the text color of the page that contains it."""
        height = 2 * _ROW + _MARGIN + _ROW * max(1, len(self.entries))
        width = _NAME + _AXIS + 2 * _MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'role="img" font-family="sans-serif" font-size="12" fill="currentColor">',
            f"<title>{escape(_printable(self._heading))}</title>",
            _svg_text(_MARGIN, _ROW - 6, self._heading, weight="bold"),
            *self._svg_axis(height),
            *(self._svg_row(entry, number) for number, entry in enumerate(self.entries, 1)),
        ]
        if not self.entries:
            parts.append(_svg_text(_MARGIN, 2 * _ROW - 6, "no PITR and no snapshot protects it"))
        return "\n".join([*parts, "</svg>"])

    def _x(self, instant: dt.datetime) -> float:
        return round(_NAME + _MARGIN + self._position(instant) * _AXIS, 1)

    def _svg_axis(self, height: int) -> Iterator[str]:
        bottom = height - _ROW
        for instant, label in self._ticks(6) if self.entries else ():
            x = self._x(instant)
            yield f'<line x1="{x}" y1="{_ROW}" x2="{x}" y2="{bottom}" stroke="currentColor" stroke-opacity="0.15"/>'
            if x < _NAME + _AXIS - 40:
                yield _svg_text(x, bottom + 14, label, anchor="middle" if x > _NAME + 60 else "start")
        now = self._x(self.now)
        yield f'<line x1="{now}" y1="{_ROW}" x2="{now}" y2="{bottom}" stroke="#dc2626" stroke-width="2"/>'
        yield _svg_text(now, bottom + 14, "now", anchor="end")

    def _svg_row(self, entry: TimelineEntry, number: int) -> str:
        first, last = map(self._x, entry.period)
        middle = number * _ROW + _ROW // 2
        color = _MARKS[entry.kind][1]
        if entry.kind == "snapshot":
            points = f"{first - 5},{middle} {first},{middle - 5} {first + 5},{middle} {first},{middle + 5}"
            mark = f'<polygon points="{points}" fill="{color}"/>'
        else:
            opacity = "1" if entry.kind == "pitr" else "0.5"
            mark = (
                f'<rect x="{first}" y="{middle - 5}" width="{max(2.0, round(last - first, 1))}" height="10" rx="2" '
                f'fill="{color}" fill-opacity="{opacity}"/>'
            )
        name = _svg_text(_MARGIN, middle + 4, _shortened(entry.name, _LETTERS))
        return f"<g><title>{escape(_printable(entry.title))}</title>{name}{mark}</g>"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)


def _shortened(name: str, length: int) -> str:
    shown = _printable(name)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _svg_text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(_printable(text))}</text>'


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
    return TimelineEntry(source.name, "pitr" if source.active else "inactive", name, protection.period_of(source))
