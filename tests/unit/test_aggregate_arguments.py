"""Arguments of aggregates in correlated subqueries, which the server would calculate for a row of NULL."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
)

from tests.unit.compiling import compiled, sql

METADATA = MetaData()
CHILD = Table("child", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer))
TOY = Table(
    "toy",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("child_id", ForeignKey(CHILD.c.id)),
    Column("n", Integer),
)
SMALLER = TOY.c.n < CHILD.c.n
DEFAULT = func.coalesce(TOY.c.n, 1)


def aggregate(element, *criteria, froms=TOY):
    """Return what an aggregate of the toys of each child is sent as."""
    query = select(element).select_from(froms).where(*(criteria or (SMALLER,))).correlate(CHILD).scalar_subquery()
    return (
        sql(select(query.label("v")).select_from(CHILD))
        .partition("(SELECT ")[2]
        .partition(" FROM ")[0]
        .rpartition(" AS ")[0]
    )


@pytest.mark.parametrize(
    ("element", "rendered"),
    [
        (func.sum(DEFAULT), "sum(CASE WHEN (toy.id IS NOT NULL) THEN coalesce(toy.n, %s) END)"),
        (func.sum(literal(1)), "sum(CASE WHEN (toy.id IS NOT NULL) THEN %s END)"),
        (func.sum(literal_column("1")), "sum(CASE WHEN (toy.id IS NOT NULL) THEN 1 END)"),
        (func.count(DEFAULT.distinct()), "count(DISTINCT CASE WHEN (toy.id IS NOT NULL) THEN coalesce(toy.n, %s) END)"),
        (
            func.sum(case((TOY.c.n > 1, 1), else_=0)),
            "sum(CASE WHEN (toy.id IS NOT NULL) THEN CASE WHEN (toy.n > %s) THEN %s ELSE %s END END)",
        ),
    ],
)
def test_aggregate_of_a_value_for_null_is_calculated_only_for_rows(element, rendered):
    assert aggregate(element) == rendered
    assert aggregate(element, or_(TOY.c.child_id == CHILD.c.id, TOY.c.n == CHILD.c.n)) == rendered
    assert aggregate(element, TOY.c.child_id == CHILD.c.id, SMALLER) == rendered


@pytest.mark.parametrize(
    ("element", "rendered"),
    [
        (func.count(), "count(*)"),
        (func.count(TOY.c.n.distinct()), "count(DISTINCT toy.n)"),
        (func.sum(-(TOY.c.n * 2)), "sum(-(toy.n * %s))"),
        (func.max(cast(TOY.c.n, Integer)), "max(CAST(toy.n AS SIGNED INTEGER))"),
    ],
)
def test_aggregate_that_is_null_for_null_is_sent_unchanged(element, rendered):
    assert aggregate(element) == rendered


def test_aggregate_of_rows_by_equality_or_without_correlation_is_sent_unchanged():
    plain = "sum(coalesce(toy.n, %s))"
    assert aggregate(func.sum(DEFAULT), TOY.c.child_id == CHILD.c.id, TOY.c.n > 1) == plain
    assert aggregate(func.sum(DEFAULT), TOY.c.n > 1) == plain
    assert sql(select(func.sum(DEFAULT))).startswith(f"SELECT {plain}")


def test_aggregate_of_rows_without_a_known_key_is_sent_unchanged():
    toy = table("toy", column("n"))
    assert aggregate(func.sum(literal(1)), toy.c.n < CHILD.c.n, froms=toy) == "sum(%s)"


def test_aggregate_of_an_outer_join_checks_the_key_that_it_does_not_set_to_null():
    other = TOY.alias("other")
    joined = other.outerjoin(TOY, TOY.c.id == other.c.n)
    assert "other.id IS NOT NULL" in aggregate(func.sum(DEFAULT), other.c.n < CHILD.c.n, froms=joined)


def test_aggregate_of_a_value_for_null_keeps_its_parameters():
    value = func.coalesce(TOY.c.n, 5)
    query = select(CHILD.c.id, select(func.sum(value)).where(SMALLER).scalar_subquery())
    parameter = value.clauses.clauses[1]
    assert any(each is parameter for each in compiled(query).binds.values())
