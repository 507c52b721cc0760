"""The binary search through the history, without a server."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from sqlalchemy import column, func, literal_column, select, table, text

from sqlalchemy_matrixone import MatrixOneArgumentError, NoValue, Period
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery.clock import from_microseconds, microseconds
from sqlalchemy_matrixone.recovery.coverage import Readable, common, gaps_between, merged
from sqlalchemy_matrixone.recovery.find_change import _check_only_reads, _is_same, _Searched, find_change, tables_of

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def at(hours: float) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def period(start: float, end: float | None = None) -> Period:
    return Period(at(start), at(start if end is None else end))


def readable(now: float, *periods: Period) -> Readable:
    return Readable(list(periods), [each.start for each in periods], at(now))


def test_find_change_tries_only_kept_instants_and_landmarks():
    searched = _Searched.of(readable(16, period(0), period(7.5), period(10, 16)), None, None)
    probes = [from_microseconds(each) for each in searched.probes()]
    assert probes == [at(hours) for hours in (15, 14, 13, 12, 11, 10, 7.5)]


def test_merged_periods_are_joined_and_sorted():
    assert merged([period(5), period(1, 3), period(3, 4), period(2, 2.5)]) == [period(1, 4), period(5)]
    assert merged([]) == []


def test_common_periods_of_a_snapshot_and_a_pitr():
    assert common([period(1), period(4)], [period(3, 6)]) == [period(4)]
    assert common([period(1, 5)], [period(0, 2), period(4, 9)]) == [period(1, 2), period(4, 5)]


def test_gaps_are_between_periods_and_until_now():
    assert list(gaps_between([period(1), period(3, 5)], at(6))) == [period(1, 3), period(5, 6)]
    assert list(gaps_between([period(1, 6)], at(6))) == []
    assert list(gaps_between([], at(6))) == []


@pytest.mark.filterwarnings("error")
def test_find_change_search_begins_at_the_earliest_kept_instant():
    searched = _Searched.of(readable(6, period(2), period(4, 6)), None, None)
    assert (from_microseconds(searched.start), from_microseconds(searched.end)) == (at(2), at(6))


def test_find_change_search_reads_only_kept_instants():
    searched = _Searched.of(readable(24, period(0), period(9), period(20, 24)), None, None)
    assert searched.between(microseconds(at(0)), microseconds(at(24))) == microseconds(at(9))
    assert searched.between(microseconds(at(9)), microseconds(at(24))) == microseconds(at(20))
    assert searched.between(microseconds(at(0)), microseconds(at(9))) is None
    assert searched.between(microseconds(at(20)), microseconds(at(24))) == microseconds(at(22))


def test_find_change_until_in_the_future_is_now():
    assert _Searched.of(readable(6, period(0, 6)), None, at(9)).end == microseconds(at(6))


def test_find_change_until_before_the_earliest_kept_instant_is_refused():
    with pytest.raises(MatrixOneArgumentError, match=r"until=.* is too early: without since=, the search begins at"):
        _Searched.of(readable(6, period(2, 6)), None, at(1))


def test_find_change_since_without_an_offset_is_refused_under_its_own_name():
    connection = SimpleNamespace(dialect=MatrixOneDialect_pymysql())
    for keyword in ("since", "until"):
        times = {"since": None, "until": None, keyword: "2026-03-01 12:00:00"}
        with pytest.raises(MatrixOneArgumentError, match=f"^{keyword}=.* has no UTC offset"):
            find_change(connection, select(column("a")), precision=dt.timedelta(seconds=1), **times)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, None, True),
        (None, NoValue.NO_ROW, False),
        (NoValue.NO_ROW, NoValue.DOES_NOT_EXIST, False),
        (float("nan"), float("nan"), True),
        (0, NoValue.DOES_NOT_EXIST, False),
        (1, 1.0, True),
    ],
)
def test_find_change_compares_values(one, other, same):
    assert _is_same(one, other) is same


def test_find_change_finds_tables_through_aliases_and_subqueries():
    orders, items = table("orders", column("id"), schema="shop"), table("items", column("order_id"))
    alias = orders.alias()
    statement = select(func.count(alias.c.id)).where(alias.c.id.in_(select(items.c.order_id)))
    assert set(tables_of(statement)) == {orders, items}


ORDERS = table("orders", column("id"))


@pytest.mark.parametrize(
    "statement",
    [
        select(ORDERS.c.id).where(text("1; DROP TABLE orders")),
        select(literal_column("1; DELETE FROM orders; SELECT id")).select_from(ORDERS),
        select(ORDERS.c.id).where(text("1 /*! ; DROP TABLE orders */")),
        select(ORDERS.c.id).with_for_update(),
    ],
    ids=["where", "value", "executed_comment", "for_update"],
)
def test_find_change_refuses_a_statement_that_may_change_something(statement):
    with pytest.raises(MatrixOneArgumentError, match="Nothing was sent"):
        _check_only_reads(statement, MatrixOneDialect_pymysql(server_version="4.2.0"))


@pytest.mark.parametrize("criterion", ["note = ';'", "id = 1;", "note = 'it''s -- \\'; x'", "id = 1 -- last"])
def test_find_change_accepts_text_that_only_reads(criterion):
    statement = select(ORDERS.c.id).where(text(criterion))
    _check_only_reads(statement, MatrixOneDialect_pymysql(server_version="4.2.0"))
