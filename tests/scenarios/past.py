"""Helpers of the time travel scenarios: a shop with a snapshot that was taken before it changed."""

from __future__ import annotations

import datetime as dt
import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import Order
from .server import Admin, Server

SHOP = "tt_shop"
SNAPSHOT = "tt_Before"  # the server folds it to lower case, like the name in a query


CREATE = [
    f"CREATE DATABASE {SHOP}",
    f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY, note VARCHAR(40))",
    f"CREATE TABLE {SHOP}.items (id INT PRIMARY KEY, order_id INT, price DECIMAL(8, 2))",
    f"INSERT INTO {SHOP}.orders VALUES (1, 'old 1'), (2, 'old 2')",
    f"INSERT INTO {SHOP}.items VALUES (11, 1, 1.50), (12, 1, 2.50), (21, 2, 3.50)",
    f"CREATE SNAPSHOT {SNAPSHOT} FOR DATABASE {SHOP}",
]
CHANGE = [
    f"UPDATE {SHOP}.orders SET note = 'new 1' WHERE id = 1",
    f"DELETE FROM {SHOP}.orders WHERE id = 2",
    f"INSERT INTO {SHOP}.orders VALUES (3, 'new 3')",
    f"UPDATE {SHOP}.items SET price = 9 WHERE id = 11",
    f"DELETE FROM {SHOP}.items WHERE id = 12",
    f"INSERT INTO {SHOP}.items VALUES (13, 1, 7), (31, 3, 8)",
]


def open_shop(admin: Admin) -> None:
    """Create the shop and its snapshot."""
    clean_up(admin)
    admin.prepare("shop before", *CREATE)


def change_shop(admin: Admin) -> None:
    admin.prepare("shop changed", *CHANGE)


def clean_up(admin: Admin) -> None:
    for snapshot in ("tt_before", "tt_after", "tt_last"):
        admin.unrecorded(f"DROP SNAPSHOT IF EXISTS {snapshot}")
    admin.unrecorded(f"DROP DATABASE IF EXISTS {SHOP}")


def moment(server: Server, admin: Admin) -> dt.datetime:
    """Return an instant, to the second, between the statements sent so far and those that follow."""
    if server.live:
        time.sleep(1.1)
    [(now,)] = admin("SELECT UTC_TIMESTAMP()")
    if server.live:
        time.sleep(1.1)
    return now.replace(tzinfo=dt.UTC)


def notes(session: Session, entity: type[Order]) -> list[str]:
    return list(session.scalars(select(entity.note).order_by(entity.id)))
