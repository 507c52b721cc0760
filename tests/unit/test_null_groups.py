"""GROUP BY of expressions that can be NULL, which the server treats as a BOOL before 4.1."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Date, DateTime, Integer, MetaData, Numeric, String, Table, case, func, null, select

from tests.unit.compiling import sql

GOODS = Table(
    "goods",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("size", Integer),
    Column("name", String(20)),
    Column("price", Numeric(10, 2)),
    Column("day", Date),
    Column("at", DateTime),
)
BIG = GOODS.c.size > 9
TEXT = "CAST(MOD(1, 0) AS CHAR)"


@pytest.mark.parametrize(
    ("key", "rendered"),
    [
        (case((BIG, GOODS.c.size)), f"THEN goods.size ELSE CAST({TEXT} AS SIGNED INTEGER) END"),
        (case((BIG, GOODS.c.name), else_=null()), f"THEN goods.name ELSE {TEXT} END"),
        (case((BIG, null()), else_=GOODS.c.name), f"THEN {TEXT} ELSE goods.name END"),
        (case((BIG, GOODS.c.price)), f"ELSE CAST({TEXT} AS DECIMAL(10, 2)) END"),
        (case((BIG, GOODS.c.day)), f"ELSE CAST({TEXT} AS DATE) END"),
        (case((BIG, GOODS.c.at)), f"ELSE CAST({TEXT} AS DATETIME) END"),
        (case({1: GOODS.c.name}, value=GOODS.c.size), f"CASE goods.size WHEN %s THEN goods.name ELSE {TEXT} END"),
        (case((BIG, func.abs(GOODS.c.size))), "THEN abs(goods.size) ELSE MOD(1, 0) END"),
        (func.nullif(GOODS.c.name, "x"), f"CASE WHEN (goods.name = %s) THEN {TEXT} ELSE goods.name END"),
        (
            func.lower(func.nullif(GOODS.c.name, "x")),
            f"lower(CASE WHEN (goods.name = %s) THEN {TEXT} ELSE goods.name END)",
        ),
    ],
)
def test_null_in_a_key_of_group_by_is_calculated_before_4_1(key, rendered):
    statement = select(key.label("k"), func.count()).order_by(key)
    for grouped in (statement.group_by(key), statement.group_by("k"), statement.group_by(key.label("k"))):
        text = sql(grouped, "3.0.14")
        assert rendered in text.partition("FROM")[0]
        assert ", CAST(1 AS SIGNED)" in text
        assert "MOD" not in sql(grouped, "4.1.4")


def test_null_in_other_places_than_the_key_is_kept():
    statement = select(GOODS.c.name, func.sum(case((BIG, 1)))).group_by(GOODS.c.name)
    assert "MOD" not in sql(statement, "3.0.14")
    assert "MOD" not in sql(select(case((BIG, 1))), "3.0.14")
    key = case((BIG, "big"))
    nested = select(case((BIG, 1)).label("n")).subquery()
    assert sql(select(key, func.max(nested.c.n)).group_by(key), "3.0.14").count("MOD") == 2
    assert "ELSE" not in sql(select(nested.c.n).group_by(nested.c.n), "3.0.14")
    assert "MOD" not in sql(
        select(case((BIG, "big"), else_="small")).group_by(case((BIG, "big"), else_="small")), "3.0.14"
    )
