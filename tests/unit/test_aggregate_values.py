"""Subqueries that calculate with an aggregate, of which the server before 4.2 forgets what NULL becomes."""

from __future__ import annotations

import pytest
from sqlalchemy import case, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, column_property, mapped_column

from tests.unit.compiling import compiled, sql


class Base(DeclarativeBase):
    pass


class Toy(Base):
    __tablename__ = "toy"
    id: Mapped[int] = mapped_column(primary_key=True)
    child_id: Mapped[int]
    n: Mapped[int]


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    total = column_property(select(func.coalesce(func.sum(Toy.n), 0)).where(Toy.child_id == id).scalar_subquery())


TOTAL, COUNT = func.sum(Toy.n), func.count(Toy.id)


def inside(column, release):
    query = select(column).where(Toy.child_id == Child.id).scalar_subquery()
    return sql(select(query.label("v")).select_from(Child), release).partition("SELECT ")[2].rpartition(" AS v")[0]


def value(aggregate):
    return f"(SELECT {aggregate} FROM toy WHERE toy.child_id = child.id)"


@pytest.mark.parametrize(
    ("column", "rendered"),
    [
        (func.coalesce(TOTAL, 0), f"(coalesce({value('sum(toy.n) AS sum_1')}, %s))"),
        (COUNT + 1, f"({value('count(toy.id) AS count_1')} + %s)"),
        (func.coalesce(TOTAL, 0).label("x"), f"(coalesce({value('sum(toy.n) AS sum_1')}, %s))"),
        (TOTAL, value("sum(toy.n) AS sum_1")),
    ],
)
def test_calculation_with_an_aggregate_is_outside_of_the_subquery_before_4_2(column, rendered):
    assert inside(column, "3.0.14") == inside(column, "4.1.4") == rendered


def test_calculation_of_a_column_property_is_outside_of_the_subquery_before_4_2():
    total = "(coalesce((SELECT sum(toy.n) AS sum_1 FROM toy WHERE toy.child_id = {}.id), %s)) AS anon_1"
    assert total.format("child") in sql(select(Child), "3.0.14")
    assert total.format("child_1") in sql(select(aliased(Child)), "3.0.14")
    assert "coalesce(sum(toy.n), %s)" in sql(select(Child), "4.2.0")


@pytest.mark.parametrize("column", [case((COUNT > 1, 5), else_=func.coalesce(TOTAL, 7)), func.coalesce(TOTAL, 5, 7)])
def test_calculation_keeps_its_parameters(column):
    query = select(Child.id, select(column).where(Toy.child_id == Child.id).scalar_subquery())
    sent, original = (list(compiled(query, release).binds.values()) for release in ("3.0.14", "4.2.0"))
    assert {id(each) for each in sent} == {id(each) for each in original}


def test_calculation_in_exists_is_sent_unchanged():
    query = select(COUNT + 1).where(Toy.child_id == Child.id).exists()
    for release in ("3.0.14", "4.1.4"):
        assert "EXISTS (SELECT count(toy.id) + %s" in sql(select(Child.id).where(query), release)


def test_calculation_without_correlation_is_sent_unchanged():
    query = select(func.coalesce(TOTAL, 0)).scalar_subquery()
    assert "SELECT coalesce(sum(toy.n), %s)" in sql(select(Child.id, query), "3.0.14")


def test_calculation_beside_an_exists_of_the_outer_table_is_compiled():
    again = select(Child.id).where(Child.id < Toy.n).exists()
    query = select(func.coalesce(TOTAL, 0)).where(Toy.child_id == Child.id, again).scalar_subquery()
    text = sql(select(aliased(Child).id, query).select_from(Child), "3.0.14")
    assert "WHERE toy.child_id = child.id AND (EXISTS (SELECT child.id FROM child WHERE child.id < toy.n))" in text
