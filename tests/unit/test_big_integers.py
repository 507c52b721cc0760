"""Comparisons of a BIGINT with numbers, which the server merges incorrectly."""

from __future__ import annotations

import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, TypeDecorator, delete, literal, or_, select, update
from sqlalchemy.dialects import mysql

from tests.unit.compiling import compiled, sql


class Amount(TypeDecorator[int]):
    impl = BigInteger
    cache_ok = True


METADATA = MetaData()
ORDERS = Table(
    "orders",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("tenant", Integer().with_variant(BigInteger, "mysql")),
    Column("amount", Amount),
    Column("n", Integer),
    Column("u", mysql.BIGINT(unsigned=True)),
)
ITEMS = Table("items", METADATA, Column("id", Integer, primary_key=True), Column("order_id", BigInteger))
ID = ORDERS.c.id
SOME = select(ORDERS).where(ID.in_([2, 3]))
NESTED = SOME.subquery()
CTE = SOME.cte()


@pytest.mark.parametrize(
    "statement",
    [
        SOME.where(ID == 2),
        SOME.where(ID != 2),
        SOME.where(literal(2, BigInteger) == ID),
        select(ORDERS).where(ID == 2, ID.not_in([2, 3])),
        select(ORDERS).where(ID == 2, or_(ID == 2, ID == 3)),
        select(ORDERS).where(ORDERS.c.tenant == 2, ORDERS.c.tenant.in_([2, 3])),
        select(ORDERS).where(ORDERS.c.amount == 2, ORDERS.c.amount.in_([2, 3])),
        select(ITEMS).join(ORDERS, ITEMS.c.order_id == ID).where(ID == 2, ITEMS.c.order_id.in_([2, 3])),
        select(NESTED).where(NESTED.c.id == 2),
        select(CTE).where(CTE.c.id == 2),
        select(ITEMS).where(ITEMS.c.order_id == 2, ITEMS.c.order_id.in_(select(NESTED.c.id))),
        update(ORDERS).where(ID == 2, ID.in_([2, 3])).values(n=1),
        delete(ORDERS).where(ID == 2, ID.in_([2, 3])),
    ],
)
def test_equality_beside_a_list_casts_the_number(statement):
    assert "CAST(%s AS SIGNED INTEGER)" in sql(statement, "3.0.14")
    assert "CAST" not in sql(statement, "2.2.2")


@pytest.mark.parametrize(
    "statement",
    [
        SOME,
        select(ORDERS).where(ID == 2),
        select(ORDERS).where(ID == 2, ORDERS.c.n.in_([2, 3])),
        select(ORDERS).where(ORDERS.c.n == 2, ORDERS.c.n.in_([2, 3])),
        select(ORDERS).where(ORDERS.c.u == 2, ORDERS.c.u.in_([2, 3])),
        select(ORDERS).where(ID == 2, ID.in_(select(ITEMS.c.order_id))),
        select(ORDERS).where(or_(ORDERS.c.n == 2, ORDERS.c.n == 3), ID == 2),
        select(ITEMS).join(ORDERS, ITEMS.c.order_id == ID).where(ID.in_([2, 3])),
    ],
)
def test_other_comparisons_are_rendered_unchanged(statement):
    assert "CAST" not in sql(statement)


def test_cast_number_is_still_a_parameter():
    statement = SOME.where(ID == 2)
    assert compiled(statement).params == {"id_1": [2, 3], "id_2": 2}
    assert statement._generate_cache_key() == select(ORDERS).where(ID.in_([4]), ID == 5)._generate_cache_key()
