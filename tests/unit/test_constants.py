"""Comparisons with constants, which the server evaluates wrongly in some orders."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, and_, func, literal, not_, or_, select, text, tuple_

from tests.unit.compiling import compiled, sql

GOODS = Table(
    "goods", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer), Column("s", String(9))
)
ID, N = GOODS.c.id, GOODS.c.n
ALL = literal("all") == "all"


def where(criterion):
    return sql(select(ID).where(criterion)).partition("WHERE ")[2]


@pytest.mark.parametrize(
    ("criterion", "rendered"),
    [
        (literal(6) < ID, "goods.id > %s"),
        (literal(6) <= ID, "goods.id >= %s"),
        (literal(6) > ID, "goods.id < %s"),
        (literal(6) >= ID, "goods.id <= %s"),
        (func.abs(6) < ID, "goods.id > abs(%s)"),
        (literal(6) == ID, "%s = goods.id"),
        (N < ID, "goods.n < goods.id"),
        (literal(6) < ID + 1, "%s < goods.id + %s"),
    ],
)
def test_comparison_of_a_constant_with_a_column_begins_with_the_column(criterion, rendered):
    assert where(criterion) == rendered


@pytest.mark.parametrize(
    ("criterion", "rendered"),
    [
        (or_(N > 1, ALL), "%s = %s OR goods.n > %s"),
        (or_(N > 1, N < 0, ALL), "%s = %s OR goods.n > %s OR goods.n < %s"),
        (not_(and_(N > 1, ALL)), "NOT (%s = %s AND goods.n > %s)"),
        (or_(ALL, N > 1), "%s = %s OR goods.n > %s"),
        (or_(N > 1, ID < 3), "goods.n > %s OR goods.id < %s"),
        (or_(N > 1, text("1 = 1")), "goods.n > %s OR 1 = 1"),
        (or_(N > 1, select(func.count()).scalar_subquery() > 1), "goods.n > %s OR (SELECT count(*) AS count_1) > %s"),
    ],
)
def test_constant_in_an_or_precedes_other_criteria(criterion, rendered):
    assert where(criterion) == rendered


def test_constants_in_front_keep_their_parameters():
    statement = select(ID).where(or_(N > 7, literal("a") == "b"))
    assert list(compiled(statement).params.values()) == ["a", "b", 7]


@pytest.mark.parametrize("release", ["2.2.2", "3.0.14", "4.2.0"])
def test_empty_list_of_in_and_not_in_renders_no_constant_after_null(release):
    for criterion, rendered in (
        (N.in_([]), "goods.n IN (NULL) IS NOT NULL AND (1 = 1)"),
        (N.not_in([]), "(goods.n NOT IN (NULL) IS NULL AND (1 = 1))"),
        (not_(N.in_([])), "(goods.n NOT IN (NULL) IS NULL AND (1 = 1))"),
        (tuple_(ID, N).in_([]), "(goods.id, goods.n) IN ((NULL, NULL)) IS NOT NULL AND (1 = 1)"),
    ):
        assert sql(select(ID).where(criterion), release).endswith(f"WHERE {rendered}")
