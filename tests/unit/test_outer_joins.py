"""Joins by a key that an outer join can have set to NULL, for which the server returns wrong rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, exists, func, select, union
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, with_polymorphic

from tests.unit.compiling import sql

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
        select(TOY).select_from(OUTER.join(TOY, func.abs(CHILD.c.id) == TOY.c.child_id)),
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
