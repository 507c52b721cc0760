"""Correlated subqueries with LIMIT, which the server would apply to all their rows together."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, desc, func, literal, select, update
from sqlalchemy.exc import CompileError

from tests.unit.compiling import sql

METADATA = MetaData()
CHILD = Table("child", METADATA, Column("id", Integer, primary_key=True), Column("name", String(9)))
TOY = Table(
    "toy",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("child_id", ForeignKey(CHILD.c.id)),
    Column("n", Integer),
)
OF_CHILD = TOY.c.child_id == CHILD.c.id
FIRST = select(TOY.c.n).where(OF_CHILD).order_by(TOY.c.n.desc()).limit(1)


FRAME = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


def numbered(columns, where="", keys=f"PARTITION BY toy.child_id ORDER BY toy.n DESC {FRAME}"):
    return f"(SELECT {columns}, toy.child_id AS k0, row_number() OVER ({keys}) AS position FROM toy{where}) AS anon_1"


def in_columns(subquery):
    """Return what a subquery is sent as among the columns of a SELECT of ``child``."""
    return sql(select(subquery.scalar_subquery().label("v")).select_from(CHILD))


@pytest.mark.parametrize(
    ("subquery", "rendered"),
    [
        (
            FIRST,
            f"SELECT anon_1.c0 FROM {numbered('toy.n AS c0')} WHERE anon_1.k0 = child.id AND anon_1.position <= %s",
        ),
        (
            FIRST.where(TOY.c.n > 3).offset(2),
            f"SELECT anon_1.c0 FROM {numbered('toy.n AS c0', ' WHERE toy.n > %s')} "
            "WHERE anon_1.k0 = child.id AND anon_1.position > %s AND anon_1.position <= %s + %s",
        ),
        (
            select(func.coalesce(TOY.c.n, 0)).where(CHILD.c.id == TOY.c.child_id).limit(1),
            "SELECT CASE WHEN (anon_2.k0 IS NOT NULL) THEN anon_2.c0 END AS anon_1 FROM "
            + numbered("coalesce(toy.n, %s) AS c0", keys="PARTITION BY toy.child_id").replace("anon_1", "anon_2")
            + " WHERE anon_2.k0 = child.id AND anon_2.position <= %s",
        ),
    ],
)
def test_correlated_limit_selects_rows_by_their_numbers(subquery, rendered):
    assert in_columns(subquery) == f"SELECT ({rendered}) AS v FROM child"


@pytest.mark.parametrize("key", ["n", TOY.c.n.label("z"), desc(TOY.c.n)])
def test_correlated_limit_keeps_the_order_of_names_and_labels(key):
    order = {"n": "toy.n"}.get(key if isinstance(key, str) else "", "toy.n DESC" if "DESC" in str(key) else "toy.n")
    assert f"ORDER BY {order} {FRAME}) AS position" in in_columns(FIRST.order_by(None).order_by(key))


def test_correlated_limit_of_exists_and_update_is_replaced():
    assert "LIMIT" not in sql(select(CHILD.c.id).where(~FIRST.exists()))
    assert "LIMIT" not in sql(update(CHILD).values(name=FIRST.scalar_subquery()))


@pytest.mark.parametrize(
    "statement",
    [
        select(TOY.c.n).limit(1),
        select(CHILD.c.id).where(CHILD.c.id.in_(select(TOY.c.child_id).limit(3).subquery().select())),
        select(CHILD.c.id, select(CHILD.c.name).limit(1).correlate(None).scalar_subquery()),
        select(CHILD.c.id).join(select(TOY).limit(3).subquery(), literal(1) == 1),
    ],
)
def test_limit_without_correlation_is_sent_unchanged(statement):
    assert "LIMIT" in sql(statement)
    assert "row_number" not in sql(statement)


@pytest.mark.parametrize(
    "subquery",
    [
        FIRST.distinct(),
        FIRST.group_by(TOY.c.n),
        FIRST.with_only_columns(func.max(TOY.c.n)),
        FIRST.with_only_columns(TOY.c.n + CHILD.c.id),
        FIRST.with_only_columns(func.sum(TOY.c.n).over(order_by=TOY.c.id)),
        FIRST.order_by(CHILD.c.name),
        FIRST.where(TOY.c.n > CHILD.c.id),
        FIRST.where(TOY.c.n.in_(select(TOY.c.id).where(TOY.c.n == CHILD.c.id))),
    ],
)
def test_correlated_limit_that_cannot_be_replaced_is_refused(subquery):
    with pytest.raises(CompileError, match="applies the LIMIT of a correlated subquery to all its rows"):
        in_columns(subquery)


@pytest.mark.parametrize("subquery", [FIRST.where(TOY.c.n > CHILD.c.id), FIRST.distinct().order_by(CHILD.c.name)])
def test_correlated_limit_of_exists_that_cannot_be_replaced_is_compared_with_zero(subquery):
    text = sql(select(CHILD.c.id).where(~subquery.exists()))
    assert "LIMIT" not in text
    assert "ORDER BY" not in text
    assert text.endswith(" AND %s > %s))")


@pytest.mark.parametrize("subquery", [FIRST.with_only_columns(func.max(TOY.c.n)), FIRST.offset(1).distinct()])
def test_correlated_limit_of_exists_with_an_aggregate_or_offset_is_refused(subquery):
    with pytest.raises(CompileError, match="applies the LIMIT of a correlated subquery to all its rows"):
        sql(select(CHILD.c.id).where(subquery.exists()))


@pytest.mark.parametrize(
    ("key", "rendered"), [(desc("z"), "toy.n DESC"), (desc("z").nulls_last(), "toy.n DESC NULLS LAST")]
)
def test_correlated_limit_keeps_the_descending_order_of_a_name(key, rendered):
    named = FIRST.with_only_columns(TOY.c.n.label("z")).order_by(None).order_by(key)
    assert f"ORDER BY {rendered} {FRAME}) AS position" in in_columns(named)
