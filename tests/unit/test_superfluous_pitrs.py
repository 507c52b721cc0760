"""Which automatic PITRs are dropped together with the PITRs that they replaced."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from sqlalchemy_matrixone import Pitr
from sqlalchemy_matrixone.recovery.reactivation import superfluous

CREATED = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LATER = CREATED + dt.timedelta(days=1)
OF_TABLE = Pitr("shop.orders", "table", "sys", "shop", "orders", 7, "d", CREATED, CREATED, active=False)
AUTOMATIC = Pitr("shop__auto", "database", "sys", "shop", None, 7, "d", LATER, LATER, active=True)
OF_ITEMS = replace(OF_TABLE, name="shop.items", table="items", active=True)


@pytest.mark.parametrize("name", ["shop__auto", "shop__auto__2"])
def test_automatic_pitr_is_superfluous_without_the_pitr_that_it_replaced(name: str) -> None:
    automatic = replace(AUTOMATIC, name=name)
    assert superfluous([OF_TABLE], [automatic, OF_ITEMS]) == [automatic]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "shop"},
        {"name": "shop__2"},
        {"name": "shop_auto"},
        {"name": "shop__auto2"},
        {"name": "shop__auto__x"},
        {"name": "other__auto"},
        {"level": "table", "table": "orders"},
        {"database": "other", "name": "other__auto"},
        {"length": 9},
        {"unit": "h"},
        {"modified_at": LATER + dt.timedelta(microseconds=1)},
        {"created_at": CREATED - dt.timedelta(1), "modified_at": CREATED - dt.timedelta(1)},
    ],
)
def test_pitr_that_differs_from_an_automatic_one_is_not_superfluous(change: dict[str, object]) -> None:
    assert superfluous([OF_TABLE], [replace(AUTOMATIC, **change)]) == []


@pytest.mark.parametrize("active", [False, None])
def test_automatic_pitr_is_not_superfluous_if_another_may_be_inactive(active: bool | None) -> None:
    assert superfluous([OF_TABLE], [AUTOMATIC, replace(OF_ITEMS, active=active)]) == []


@pytest.mark.parametrize("active", [True, None])
def test_automatic_pitr_is_not_superfluous_if_the_dropped_one_may_have_been_active(active: bool | None) -> None:
    assert superfluous([replace(OF_TABLE, active=active)], [AUTOMATIC]) == []
