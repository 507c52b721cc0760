"""Comparisons in a correlated subquery with an aggregate that the server would mistake for keys of a group."""

from __future__ import annotations

import pytest
from sqlalchemy import and_, column, func, not_, or_, select, table

from tests.unit.compiling import sql

CHILD, TOY = table("child", column("id"), column("n")), table("toy", column("child_id"), column("n"))
COUNT = func.count()
SAME_CHILD, SAME_N = TOY.c.child_id == CHILD.c.id, TOY.c.n == CHILD.c.n


def criterion(condition, release="4.2.0", of=COUNT):
    count = select(of).select_from(TOY).where(condition).correlate(CHILD).scalar_subquery()
    return sql(select(CHILD.c.id, count), release).partition(" WHERE ")[2].rpartition(") AS anon_1")[0]


@pytest.mark.parametrize(
    ("condition", "rendered"),
    [
        (or_(SAME_CHILD, SAME_N), "(NOT (toy.child_id != child.id)) OR (NOT (toy.n != child.n))"),
        (
            and_(SAME_CHILD, or_(SAME_N, TOY.c.n == 1)),
            "toy.child_id = child.id AND ((NOT (toy.n != child.n)) OR toy.n = %s)",
        ),
        (not_(and_(SAME_CHILD, TOY.c.n == 1)), "NOT ((NOT (toy.child_id != child.id)) AND toy.n = %s)"),
        (CHILD.c.id.in_([TOY.c.n, 7]), "((NOT (child.id != toy.n)) OR (NOT (child.id != %s)))"),
        (and_(SAME_CHILD, TOY.c.n.in_([TOY.c.child_id])), "toy.child_id = child.id AND toy.n IN (toy.child_id)"),
        (and_(SAME_CHILD, SAME_N), "toy.child_id = child.id AND toy.n = child.n"),
    ],
)
def test_equality_that_not_all_rows_fulfil_is_no_key_of_the_groups(condition, rendered):
    assert criterion(condition) == criterion(condition, "4.1.4") == rendered


def test_equality_in_or_stays_without_an_aggregate_and_before_4_0():
    plain = "toy.child_id = child.id OR toy.n = child.n"
    assert criterion(or_(SAME_CHILD, SAME_N), of=TOY.c.n) == plain
    assert criterion(or_(SAME_CHILD, SAME_N), "3.0.14") == plain
    assert sql(select(func.count()).where(or_(SAME_CHILD, SAME_N)), "4.2.0").endswith(plain)


def test_calculation_with_other_comparisons_is_outside_of_the_subquery_on_4_2():
    of_smaller = select(func.coalesce(func.sum(TOY.c.n), 0)).where(TOY.c.n < CHILD.c.n).scalar_subquery()
    text = sql(select(CHILD.c.id, of_smaller), "4.2.0")
    assert "(coalesce((SELECT sum(toy.n) AS sum_1 FROM toy WHERE toy.n < child.n), %s))" in text
