"""Joins, groups and comparisons by keys that an outer join can set to NULL, for which the server returns wrong rows."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    delete,
    exists,
    func,
    select,
    text,
    union,
    union_all,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, with_polymorphic

from tests.unit.compiling import compiled, sql

METADATA = MetaData()
PARENT = Table("parent", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer))
CHILD = Table("child", METADATA, Column("id", ForeignKey("parent.id"), primary_key=True), Column("n", Integer))
TOY = Table("toy", METADATA, Column("id", Integer, primary_key=True), Column("child_id", ForeignKey("child.id")))
OUTER = PARENT.outerjoin(CHILD, CHILD.c.id == PARENT.c.id)
BY_KEY = CHILD.c.id == TOY.c.child_id
NESTED = select(PARENT.c.id, CHILD.c.id.label("child_id")).select_from(OUTER).subquery("nested")
CHECK = "child.id IS NOT NULL"


@pytest.mark.parametrize(
    "statement",
    [
        select(TOY).select_from(OUTER.join(TOY, BY_KEY)),
        select(TOY).select_from(TOY.join(OUTER, BY_KEY)),
        select(TOY).select_from(OUTER.outerjoin(TOY, BY_KEY)),
        select(TOY).select_from(TOY.outerjoin(OUTER, BY_KEY)),
        select(TOY).select_from(OUTER.join(TOY, (TOY.c.id > 1) & BY_KEY)),
        select(TOY).select_from(OUTER, TOY).where(BY_KEY),
        select(TOY).select_from(OUTER, TOY).where(TOY.c.id > 1, BY_KEY),
        select(PARENT).select_from(OUTER).where(CHILD.c.id.in_(select(TOY.c.child_id))),
        select(TOY).select_from(PARENT.join(CHILD, CHILD.c.id == PARENT.c.id, full=True).join(TOY, BY_KEY)),
    ],
)
def test_join_by_a_key_of_an_outer_join_excludes_null(statement):
    assert sql(statement).endswith(f" AND {CHECK}")


def test_join_by_a_key_of_a_subquery_with_an_outer_join_excludes_null():
    joined = NESTED.join(TOY, NESTED.c.child_id == TOY.c.child_id)
    assert sql(select(TOY).select_from(joined)).endswith(" AND nested.child_id IS NOT NULL")
    outer = TOY.outerjoin(NESTED, NESTED.c.child_id == TOY.c.child_id)
    assert sql(select(TOY).select_from(outer)).endswith(" AND nested.child_id IS NOT NULL")
    other = NESTED.alias("other")
    assert sql(select(TOY).join(other, other.c.child_id == TOY.c.child_id)).endswith(" AND other.child_id IS NOT NULL")
    cte = select(NESTED).cte("again")
    assert sql(select(TOY).join(cte, cte.c.child_id == TOY.c.child_id)).endswith(" AND again.child_id IS NOT NULL")


@pytest.mark.parametrize(
    "statement",
    [
        select(TOY).select_from(TOY.outerjoin(CHILD, BY_KEY)),
        select(TOY).select_from(PARENT.join(CHILD, CHILD.c.id == PARENT.c.id).join(TOY, BY_KEY)),
        select(TOY).select_from(OUTER.join(TOY, PARENT.c.id == TOY.c.child_id)),
        select(TOY).select_from(OUTER.join(TOY, CHILD.c.n == TOY.c.child_id)),
        select(TOY).select_from(OUTER.join(TOY, BY_KEY | (TOY.c.id == 1))),
        select(CHILD).select_from(OUTER).where(CHILD.c.id == 5),
        select(CHILD).select_from(OUTER).where(CHILD.c.id.in_([5, 6])),
        select(CHILD).select_from(OUTER),
        select(CHILD.join(TOY, BY_KEY)),
        select(OUTER).where(exists().where(BY_KEY)),
        select(TOY).join(union(select(CHILD.c.id), select(TOY.c.id)).subquery("u"), TOY.c.id == 1),
    ],
)
def test_other_joins_are_rendered_unchanged(statement):
    assert "IS NOT NULL" not in sql(statement)


WIDE = Table(
    "wide",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("n", BigInteger),
    Column("m", BigInteger, nullable=False),
    Column("price", Numeric(10, 2)),
    Column("name", String(20)),
)
OTHER = Table(
    "other",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("n", Integer),
    Column("price", Numeric(12, 3), nullable=False),
    Column("name", String(30)),
)
SAME = WIDE.c.id == OTHER.c.n


@pytest.mark.parametrize(
    ("criterion", "checks"),
    [
        (WIDE.c.n == OTHER.c.n, "wide.n IS NOT NULL AND other.n IS NOT NULL"),
        (WIDE.c.m == OTHER.c.n, "other.n IS NOT NULL"),
        (WIDE.c.price == OTHER.c.price, "wide.price IS NOT NULL"),
        (func.lower(WIDE.c.name) == OTHER.c.name, "lower(wide.name) IS NOT NULL AND other.name IS NOT NULL"),
        (SAME & (WIDE.c.n == OTHER.c.n), "wide.n IS NOT NULL AND other.n IS NOT NULL"),
    ],
)
def test_join_by_a_cast_or_an_expression_excludes_null(criterion, checks):
    assert sql(select(WIDE).join(OTHER, criterion)).endswith(f" AND {checks}")
    assert sql(select(WIDE).outerjoin(OTHER, criterion)).endswith(f" AND {checks}")
    assert sql(select(WIDE, OTHER).where(criterion)).endswith(f" AND {checks}")


@pytest.mark.parametrize(
    "criterion",
    [
        SAME,
        WIDE.c.name == OTHER.c.name,
        WIDE.c.m == OTHER.c.price,
        WIDE.c.n == 5,
        func.lower(WIDE.c.name) == "a",
        WIDE.c.n == WIDE.c.id,
        SAME | (WIDE.c.n == OTHER.c.n),
        WIDE.c.n > OTHER.c.n,
    ],
)
def test_join_by_columns_of_one_type_is_rendered_unchanged(criterion):
    assert "NULL" not in sql(select(WIDE, OTHER).where(criterion))


PARTS = Table("parts", MetaData(), Column("p", Integer, primary_key=True), Column("q", Integer, primary_key=True))
PARTS.append_column(Column("n", Integer))
NULLABLE = "wide.name IS NOT NULL"


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        (select(WIDE).join(OTHER, SAME & (WIDE.c.name == OTHER.c.name)), NULLABLE),
        (select(WIDE).outerjoin(OTHER, SAME & (WIDE.c.name == OTHER.c.name)), NULLABLE),
        (select(WIDE).join(OTHER, SAME).where(WIDE.c.name == OTHER.c.name), NULLABLE),
        (select(WIDE).join(OTHER, WIDE.c.name == OTHER.c.name).where(SAME), NULLABLE),
        (update(WIDE).where(SAME, WIDE.c.name == OTHER.c.name).values(n=1), NULLABLE),
        (
            select(PARTS).join(OTHER, (PARTS.c.p == OTHER.c.id) & (PARTS.c.q == OTHER.c.n) & (PARTS.c.n == OTHER.c.n)),
            "parts.n IS NOT NULL",
        ),
    ],
)
def test_join_by_the_key_and_a_nullable_column_excludes_null_before_4_0(statement, check):
    assert check in sql(statement, "3.0.14")
    assert check not in sql(statement, "4.0.0")


@pytest.mark.parametrize(
    "statement",
    [
        select(WIDE).join(OTHER, WIDE.c.name == OTHER.c.name),
        select(WIDE).join(OTHER, SAME),
        select(PARTS).join(OTHER, (PARTS.c.p == OTHER.c.n) & (PARTS.c.n == OTHER.c.n)),
        select(WIDE).join(OTHER, SAME | (WIDE.c.name == OTHER.c.name)),
    ],
)
def test_join_without_the_whole_key_is_rendered_unchanged(statement):
    assert "NULL" not in sql(statement, "3.0.14")


def test_union_with_an_outer_join_is_considered():
    united = union_all(select(CHILD.c.id), LISTED.limit(5), LISTED).subquery("united")
    assert sql(select(united.c.id).distinct(), "4.1.4").endswith("GROUP BY united.id, CAST(1 AS SIGNED)")
    joined = select(TOY).join(united, united.c.id == TOY.c.child_id)
    assert sql(joined).endswith(" AND united.id IS NOT NULL")
    without = union_all(select(CHILD.c.id), select(TOY.c.id)).subquery()
    assert "DISTINCT" in sql(select(without.c.id).distinct(), "4.1.4")


def test_update_and_delete_by_a_cast_exclude_null():
    criterion = SAME & (WIDE.c.m == OTHER.c.n)
    for statement in (update(WIDE).where(criterion).values(n=1), delete(WIDE).where(criterion)):
        assert "wide.m = other.n AND other.n IS NOT NULL" in sql(statement)
    by_key = update(TOY).where(TOY.c.child_id == NESTED.c.child_id).values(id=NESTED.c.id)
    assert "IS NOT NULL" not in sql(by_key)
    assert "NULL" not in sql(update(WIDE).where(WIDE.c.n == 1, WIDE.c.n == WIDE.c.id).values(m=1))


def test_expression_of_an_enclosing_select_is_not_checked():
    counted = select(func.count()).where(WIDE.c.n == OTHER.c.n).correlate(OTHER).scalar_subquery()
    assert "other.n IS NOT NULL" not in sql(select(OTHER, counted))


def test_join_by_an_expression_of_a_key_of_an_outer_join_excludes_null():
    joined = OUTER.join(TOY, func.abs(CHILD.c.id) == TOY.c.child_id)
    assert sql(select(TOY).select_from(joined)).endswith(" AND abs(child.id) IS NOT NULL AND toy.child_id IS NOT NULL")


LISTED = select(CHILD.c.id).select_from(OUTER)
LABELED = select(CHILD.c.id.label("key"), func.count()).select_from(OUTER)


@pytest.mark.parametrize(
    ("statement", "end"),
    [
        (LISTED.group_by(CHILD.c.id), "GROUP BY child.id, CAST(1 AS SIGNED)"),
        (LABELED.group_by("key"), "GROUP BY `key`, CAST(1 AS SIGNED)"),
        (LABELED.group_by(func.abs(CHILD.c.id)), "GROUP BY abs(child.id), CAST(1 AS SIGNED)"),
        (LISTED.group_by(CHILD.c.id, CHILD.c.n), "GROUP BY child.id, child.n"),
        (LISTED.group_by(PARENT.c.id), "GROUP BY parent.id"),
        (LISTED.group_by(text("child.id WITH ROLLUP")), "GROUP BY child.id WITH ROLLUP"),
        (LISTED.group_by(func.rollup(CHILD.c.id)), sql(select(CHILD).group_by(func.rollup(CHILD.c.id)))[-20:]),
        (select(CHILD.c.id).group_by(CHILD.c.id), "GROUP BY child.id"),
    ],
)
def test_group_by_a_key_of_an_outer_join_has_a_nullable_key(statement, end):
    assert sql(statement, "4.1.4").endswith(end)
    assert "CAST" not in sql(statement)


def test_distinct_key_of_an_outer_join_is_grouped_before_4_2():
    grouped = "SELECT child.id FROM parent LEFT OUTER JOIN child ON child.id = parent.id GROUP BY child.id, CAST(1 AS "
    assert sql(LISTED.distinct(), "4.1.4").startswith(grouped)
    assert sql(LISTED.distinct()).startswith("SELECT DISTINCT")
    for other in (
        LISTED.add_columns(CHILD.c.n).distinct(),
        LISTED.add_columns(CHILD.c.id + 1).distinct(),
        LISTED.distinct().group_by(CHILD.c.id),
        select(PARENT.c.id).select_from(OUTER).distinct(),
        select(CHILD.c.id).distinct(),
    ):
        assert sql(other, "4.1.4").startswith("SELECT DISTINCT")


def test_distinct_key_keeps_its_place_in_the_result():
    result = compiled(LISTED.distinct(), "4.1.4")._result_columns
    assert [column.keyname for column in result] == ["id"]
    assert CHILD.c.id in result[0].objects


def test_key_of_an_outer_join_before_not_in_is_nullable():
    others = select(TOY.c.child_id)
    assert "(nullif(child.id, NULL) NOT IN (SELECT" in sql(LISTED.where(CHILD.c.id.not_in(others)))
    assert "NOT IN (SELECT nullif(child.id, NULL) AS" in sql(select(TOY).where(TOY.c.id.not_in(LISTED)))
    assert "NOT IN (SELECT nullif(nested.child_id, NULL) AS" in sql(
        select(TOY).where(TOY.c.id.not_in(select(NESTED.c.child_id)))
    )
    for other in (
        LISTED.where(PARENT.c.id.not_in(others)),
        LISTED.where(CHILD.c.n.not_in(others)),
        select(CHILD).where(CHILD.c.id.not_in(others)),
        select(TOY).where(TOY.c.id.not_in(select(CHILD.c.id))),
        delete(TOY).where(TOY.c.id.not_in(others)),
    ):
        assert "nullif" not in sql(other)


def test_key_of_an_outer_join_in_exists_is_nullable_before_4_1():
    missing = LISTED.where(~exists().where(TOY.c.child_id == CHILD.c.id))
    assert sql(missing, "3.0.14").endswith("WHERE toy.child_id = nullif(child.id, NULL)))")
    assert "nullif" not in sql(missing, "4.1.4")
    counted = select(func.count()).where(TOY.c.child_id == CHILD.c.id).scalar_subquery()
    assert "nullif" not in sql(select(counted).select_from(OUTER), "3.0.14")
    assert "nullif" not in sql(select(PARENT).where(~exists().where(CHILD.c.id == PARENT.c.id)), "3.0.14")


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Engineer(Person):
    __tablename__ = "engineer"
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    machines: Mapped[list[Machine]] = relationship()


class Machine(Base):
    __tablename__ = "machine"
    id: Mapped[int] = mapped_column(primary_key=True)
    engineer_id: Mapped[int] = mapped_column(ForeignKey("engineer.id"))


def test_join_to_a_polymorphic_subclass_excludes_null():
    people = with_polymorphic(Person, [Engineer])
    assert sql(select(people).join(people.Engineer.machines)).endswith(" AND engineer.id IS NOT NULL")
    flat = with_polymorphic(Person, [Engineer], flat=True)
    assert sql(select(flat).join(flat.Engineer.machines)).endswith(" AND engineer_1.id IS NOT NULL")


def test_or_with_a_column_of_an_outer_join_before_3_0_is_the_argument_of_a_function():
    either = (CHILD.c.n == 1) | (PARENT.c.n == 2)
    for statement in (
        select(PARENT.c.id).select_from(OUTER).where(PARENT.c.id > 3, either),
        select(PARENT.c.id).where(exists().select_from(OUTER).where(PARENT.c.id > 3, either)),
    ):
        assert "AND (coalesce(child.n = %s OR parent.n = %s))" in sql(statement, "2.2.2")
        assert "coalesce" not in sql(statement, "3.0.0")
    inner = select(PARENT.c.id).join(CHILD, CHILD.c.id == PARENT.c.id)
    assert "coalesce" not in sql(inner.where(either), "2.2.2")


def test_subquery_of_not_in_beside_an_exists_of_the_outer_table_is_compiled():
    again = select(PARENT.c.id).where(PARENT.c.id < TOY.c.id).exists()
    listed = select(TOY.c.child_id).where(TOY.c.id == PARENT.c.n, again)
    assert "NOT IN (SELECT toy.child_id" in sql(select(PARENT.c.id).where(PARENT.c.id.not_in(listed)))
