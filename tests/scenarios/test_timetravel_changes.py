"""List the rows that are new, changed or gone since a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import changes_since

from ..models import Item, Order
from .past import SHOP, SNAPSHOT, change_shop, clean_up, open_shop
from .server import Admin, Server


@pytest.fixture
def session(server: Server, admin: Admin) -> Iterator[Session]:
    open_shop(admin)
    change_shop(admin)
    with Session(server.engine(server.url(database=SHOP))) as session:
        yield session
    clean_up(admin)


def test_changes_since_returns_changed_new_and_deleted_rows(session: Session) -> None:
    orders = {tuple(row) for row in session.execute(changes_since(Order, snapshot=SNAPSHOT))}
    assert orders == {
        ("changed", 1, "old 1", 1, "new 1"),
        ("new", None, None, 3, "new 3"),
        ("gone", 2, "old 2", None, None),
    }
    changes = changes_since(Item, snapshot=SNAPSHOT).subquery()
    dearer = select(changes.c.new_id, changes.c.new_price - changes.c.old_price).where(
        changes.c.new_price > changes.c.old_price
    )
    assert session.execute(dearer).all() == [(11, 7.5)]
    session.get(Order, 3).note = "not committed"
    session.flush()
    seen = select(changes_since(Order, snapshot=SNAPSHOT).subquery().c.new_note)
    assert "not committed" in session.scalars(seen).all()
