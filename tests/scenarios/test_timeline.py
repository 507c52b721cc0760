"""Draw what can be restored on a time axis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import DRIVERS, Client, clean_up
from .server import Admin, Server

SHOP = "sc_timed"


@pytest.fixture
def shop(admin: Admin) -> Iterator[None]:
    clean_up(admin, SHOP)
    yield
    clean_up(admin)
    admin(f"DROP DATABASE {SHOP}")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("driver", DRIVERS)
async def test_timeline_lists_snapshots_and_pitrs_by_each_driver(server: Server, admin: Admin, driver: str):
    async with Client.connected(server, driver) as client:
        await client.create_pitr("sc_timed_day", range="1d", database=SHOP)
        await client.create_pitr("sc_timed_table", range="1d", table="orders", database=SHOP)
        await client.create_snapshot("sc_timed_snap", table="orders", database=SHOP)
        admin(f"TRUNCATE TABLE {SHOP}.orders")
        timeline = await client.timeline(database=SHOP)
        kinds = {entry.name: (entry.kind, entry.object) for entry in timeline.entries}
        assert kinds == {
            "sc_timed_day": ("pitr", SHOP),
            "sc_timed_table": ("inactive", f"{SHOP}.orders"),
            "sc_timed_snap": ("snapshot", f"{SHOP}.orders"),
        }
        assert "sc_timed_snap" in str(timeline)
        assert set(kinds) <= {entry.name for entry in (await client.timeline()).entries}
