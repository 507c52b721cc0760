"""Draw docs/images/timeline.svg, the picture in the README, with the package's own timeline.

Run it as ``python -m tools.timeline_picture``.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy_matrixone import Period, Timeline
from sqlalchemy_matrixone.recovery.timeline import TimelineEntry

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "timeline.svg"
NOW = dt.datetime(2026, 11, 26, 9, 30, tzinfo=dt.UTC)


def draw() -> str:
    """Return the picture, on a background of its own: an image on a page does not know the page's colors."""
    week = TimelineEntry("shop_week", "pitr", "shop", Period(NOW - dt.timedelta(days=7), NOW))
    orders = TimelineEntry("orders_month", "inactive", "shop.orders", Period(_at(17), _at(21, 14)))
    nightly = [TimelineEntry(f"nightly_{day}", "snapshot", "shop", Period(_at(day), _at(day))) for day in (23, 24, 25)]
    before = TimelineEntry("before_import", "snapshot", "shop", Period(_at(25, 16), _at(25, 16)))
    picture = Timeline("database 'shop'", NOW, (week, *nightly, before, orders)).svg()
    return picture.replace("<svg ", '<svg style="background: #fff; color: #222" ', 1) + "\n"


def _at(day: int, hour: int = 2) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, tzinfo=dt.UTC)


if __name__ == "__main__":
    PICTURE.write_text(draw())
