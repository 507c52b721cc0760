"""Historical objects with subclasses, loader options and relationships of every kind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import CompileError, InvalidRequestError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    column_property,
    contains_eager,
    defer,
    joinedload,
    mapped_column,
    relationship,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    with_polymorphic,
)
from sqlalchemy.orm.exc import DetachedInstanceError

from sqlalchemy_matrixone import as_of, time_travel

from .client import drop_databases, make_databases
from .past import moment
from .server import Admin, Server

DATABASE, SNAPSHOT, LATER = "tt_staff", "tt_staff_before", "tt_staff_later"


class Base(DeclarativeBase):
    pass


member = Table(
    "member",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("team_id", ForeignKey("team.id"), primary_key=True),
)


class Person(Base):
    __tablename__ = "person"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(20))
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    boss: Mapped[Person | None] = relationship(remote_side=id, back_populates="reports")
    reports: Mapped[list[Person]] = relationship(back_populates="boss", order_by=id)
    teams: Mapped[list[Team]] = relationship(secondary=member)


class Manager(Person):
    __tablename__ = "manager"
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    grade: Mapped[int]


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(20))


class Counted(Base):
    __table__ = Team.__table__
    size = column_property(select(func.count()).where(member.c.team_id == __table__.c.id).scalar_subquery())


CHANGES = (
    "UPDATE person SET name = REPLACE(name, 'then', 'now')",
    "UPDATE manager SET grade = 2",
    "UPDATE team SET title = REPLACE(title, 'then', 'now')",
    "DELETE FROM member WHERE team_id = 2",
)


@pytest.fixture
def staff(server: Server, admin: Admin) -> Iterator[Any]:
    """Provide an engine, and a time before and a time after everything was changed."""
    _clean_up(admin)
    make_databases(admin, DATABASE)
    engine = server.engine(server.url(database=DATABASE))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        red, blue = Team(id=1, title="red then"), Team(id=2, title="blue then")
        ann = Manager(id=1, name="ann then", grade=1, teams=[red, blue])
        session.add_all([ann, Person(id=2, name="bob then", boss=ann, teams=[red])])
        session.commit()
    admin(f"CREATE SNAPSHOT {SNAPSHOT} FOR DATABASE {DATABASE}")
    before = moment(server, admin)
    with engine.begin() as connection:
        for change in CHANGES:
            connection.exec_driver_sql(change)
    yield engine, before, moment(server, admin)
    _clean_up(admin)


def _clean_up(admin: Admin) -> None:
    for snapshot in (SNAPSHOT, LATER):
        admin.unrecorded(f"DROP SNAPSHOT IF EXISTS {snapshot}")
    drop_databases(admin, DATABASE)


@pytest.fixture
def session(staff: Any) -> Iterator[Session]:
    with Session(staff[0]) as session:
        yield session


def then(entity: Any) -> Any:
    return as_of(entity, snapshot=SNAPSHOT)


# -- subclasses


def test_as_of_subclass_objects_are_detached_and_historical(session: Session):
    present = session.get(Manager, 1)
    for entity in (then(Manager), then(with_polymorphic(Person, [Manager], flat=True))):
        was = session.scalars(select(entity).where(entity.id == 1)).one()
        assert (type(was), was.name, was.grade) == (Manager, "ann then", 1)
        assert inspect(was).detached
    old = then(Person)
    was, other = session.scalars(select(old).order_by(old.id)).all()
    assert (type(was), was.name, type(other)) == (Manager, "ann then", Person)
    assert inspect(was).detached
    with pytest.raises(DetachedInstanceError):
        _ = was.grade
    assert (present.name, present.grade) == ("ann now", 2)
    assert session.get(Person, 1) is present


def test_as_of_selectin_polymorphic_is_refused(session: Session):
    old = then(Person)
    with pytest.raises(CompileError, match="with_polymorphic"):
        session.scalars(select(old).options(selectin_polymorphic(old, [Manager]))).all()


# -- what is loaded along


@pytest.mark.parametrize("load", [joinedload, selectinload, subqueryload])
def test_eager_loaded_relationships_are_historical(session: Session, load: Any):
    old, old_reports = then(Person), then(Person)
    statement = select(old).options(load(old.reports.of_type(old_reports))).order_by(old.id)
    ann, bob = session.scalars(statement).unique().all()
    assert [person.name for person in ann.reports] == ["bob then"]
    assert bob.reports == []
    assert inspect(ann.reports[0]).detached
    assert session.get(Person, 2).name == "bob now"


def read_graph(session: Session, load: Any, **when: Any) -> list[str]:
    """Return the names of Ann, of her reports, and of the reports' boss, each loaded along by an option."""
    old, reports, boss = (as_of(Person, **when) for _ in range(3))
    along = load(old.reports.of_type(reports))
    nested = getattr(along, load.__name__)(reports.boss.of_type(boss))
    ann = session.scalars(select(old).options(nested).where(old.id == 1)).unique().one()
    return [ann.name, *(name for report in ann.reports for name in (report.name, report.boss.name))]


@pytest.mark.parametrize("load", [joinedload, selectinload, subqueryload])
def test_loader_options_read_the_time_of_each_execution(session: Session, staff: Any, load: Any):
    engine, before, after = staff
    then, now = ["ann then", "bob then", "ann then"], ["ann now", "bob now", "ann now"]
    for when, names in ((before, then), (after, now), (before, then)):
        assert read_graph(session, load, timestamp=when) == names
    compiled = len(engine._compiled_cache)
    for when, names in ((after, now), (before, then)):
        assert read_graph(session, load, timestamp=when) == names
    assert len(engine._compiled_cache) == compiled


def test_loader_options_read_the_snapshot_of_each_execution(session: Session, staff: Any, admin: Admin):
    engine = staff[0]
    admin(f"CREATE SNAPSHOT {LATER} FOR DATABASE {DATABASE}")
    for snapshot, name in ((SNAPSHOT, "bob then"), (LATER, "bob now"), (SNAPSHOT.upper(), "bob then")):
        assert read_graph(session, selectinload, snapshot=snapshot)[1] == name
    compiled = len(engine._compiled_cache)
    with time_travel(session, snapshot=LATER):
        [ann] = session.scalars(select(Person).options(selectinload(Person.reports)).where(Person.id == 1))
        assert [person.name for person in ann.reports] == ["bob now"]
    with time_travel(session, snapshot=SNAPSHOT):
        [ann] = session.scalars(select(Person).options(selectinload(Person.reports)).where(Person.id == 1))
        assert [person.name for person in ann.reports] == ["bob then"]
    assert len(engine._compiled_cache) <= compiled + 2


def test_as_of_bindparam_with_selectinload_is_refused(session: Session, staff: Any):
    old, reports = (as_of(Person, timestamp=bindparam("when")) for _ in range(2))
    with pytest.raises(CompileError, match="bindparam"):
        session.scalars(select(old).options(selectinload(old.reports.of_type(reports))), {"when": staff[1]})
    statement = select(old).options(joinedload(old.reports.of_type(reports))).where(old.id == 1)
    ann = session.scalars(statement, {"when": staff[1]}).unique().one()
    assert [person.name for person in ann.reports] == ["bob then"]


MIXED = {
    "the present, eagerly": lambda old: select(old).options(selectinload(old.reports)),
    "the present, joined": lambda old: select(old).options(joinedload(old.reports)),
    "the present, out of a join": lambda old: select(old).join(old.reports).options(contains_eager(old.reports)),
    "the past, eagerly": lambda old: select(Person).options(selectinload(Person.reports.of_type(old))),
    "the past, joined": lambda old: select(Person).options(joinedload(Person.reports.of_type(old))),
    "the past, out of a join": lambda old: (
        select(Person).join(Person.reports.of_type(old)).options(contains_eager(Person.reports.of_type(old)))
    ),
    "through a table of the present": lambda old: select(old).options(selectinload(old.teams.of_type(then(Team)))),
    "joined through a table of the present": lambda old: select(old).join(old.teams.of_type(then(Team))),
    "a column that counts the present": lambda old: select(then(Counted)),
    "another class's rows": lambda old: select(Person).from_statement(select(then(Person.__table__))),
}


@pytest.mark.parametrize("mixed", MIXED)
def test_as_of_options_that_mix_past_and_present_are_refused(session: Session, mixed: str):
    with pytest.raises(CompileError, match="current"):
        session.execute(MIXED[mixed](then(Person))).all()


def test_as_of_alternatives_to_refused_options_work(session: Session):
    old = then(Counted)
    assert session.scalars(select(old).options(defer(old.size)).order_by(old.id)).first().title == "red then"
    was = aliased(Team, select(then(Team.__table__)).subquery())
    red = session.scalars(select(was).order_by(was.id)).first()
    assert (red.title, inspect(red).detached) == ("red then", True)
    old, between, teams = then(Person), then(member), then(Team)
    joined = select(old.name, teams.title).join(between, between.c.person_id == old.id)
    joined = joined.join(teams, teams.id == between.c.team_id).order_by(old.id, teams.id)
    assert session.execute(joined).all() == [
        ("ann then", "red then"),
        ("ann then", "blue then"),
        ("bob then", "red then"),
    ]
    with time_travel(session, snapshot=SNAPSHOT):
        assert [team.title for team in session.get(Person, 1).teams] == ["red then", "blue then"]
        assert session.scalars(select(Counted).order_by(Counted.id)).first().size == 2
    assert [team.title for team in session.get(Person, 1).teams] == ["red now"]


# -- a Session in the past


def test_time_travel_leaves_current_objects_unchanged(session: Session):
    bob = session.get(Person, 2)
    with time_travel(session, snapshot=SNAPSHOT):
        assert session.get(Person, 1).name == "ann then"
        assert bob not in session
        with pytest.raises(DetachedInstanceError):
            _ = bob.boss
        with pytest.raises(InvalidRequestError, match="only historical objects"):
            session.add(bob)
        with pytest.raises(InvalidRequestError):
            session.expunge(bob)
        bob.name = "bob soon"
        session.delete(session.get(Person, 2))
    assert bob in session
    assert bob.boss.name == "ann now"
    session.commit()
    assert session.get(Person, 2) is bob
    assert session.scalars(select(Person.name).where(Person.id == 2)).one() == "bob soon"


def test_time_travel_keeps_a_pending_change_to_an_unreferenced_object(session: Session):
    bob = session.get(Person, 2)
    with time_travel(session, snapshot=SNAPSHOT):
        bob.name = "bob soon"
        del bob
    gc.collect()
    session.commit()
    assert session.scalars(select(Person.name).where(Person.id == 2)).one() == "bob soon"


def test_time_travel_blocks_that_end_in_another_order(session: Session, admin: Admin):
    def reading(**moment: Any) -> Iterator[str]:
        with time_travel(session, **moment):
            while True:
                yield session.get(Person, 1).name

    present = session.get(Person, 1)
    outer, inner = reading(snapshot=SNAPSHOT), reading(snapshot=SNAPSHOT.upper())
    assert [next(outer), next(inner)] == ["ann then", "ann then"]
    outer.close()
    session.expire_all()
    assert next(inner) == "ann then"
    inner.close()
    assert session.get(Person, 1) is present
    assert present.name == "ann now"
    assert not session.info


def test_time_travel_refuses_bulk_writes(session: Session):
    with time_travel(session, snapshot=SNAPSHOT):
        for write in (session.bulk_insert_mappings, session.bulk_update_mappings):
            with pytest.raises(InvalidRequestError, match="nothing can be written"):
                write(Team, [{"id": 9, "title": "new"}])
        assert session.get(Team, 1).title == "red then"
    session.execute(insert(Team).values(id=9, title="new"))
    session.commit()
    assert session.get(Team, 9).title == "new"


def test_time_travel_refuses_text(session: Session):
    rows = text("SELECT id, title FROM team").columns(Team.id, Team.title)
    with time_travel(session, snapshot=SNAPSHOT):
        for statement in (rows, select(Team).from_statement(rows)):
            with pytest.raises((InvalidRequestError, CompileError), match="tables are unknown"):
                session.execute(statement)
        with pytest.raises(CompileError, match="tables are unknown"):
            session.execute(select(rows.subquery()))


def test_do_orm_execute_listener_sees_the_time_travel_option(session: Session):
    asked = []
    event.listen(session, "do_orm_execute", lambda state: asked.append(len(state.statement._with_options)))
    with time_travel(session, snapshot=SNAPSHOT):
        session.scalars(select(Team)).all()
    assert asked == [1]


def test_time_travel_of_a_session_of_another_database_is_refused():
    session = Session(create_engine("sqlite://"))
    with time_travel(session, snapshot=SNAPSHOT), pytest.raises(InvalidRequestError, match="not of sqlite"):
        session.scalars(select(Team)).all()


def test_as_of_join_by_a_secondary_table_is_refused(staff) -> None:
    engine, *_ = staff
    old, team = (as_of(entity, snapshot=SNAPSHOT) for entity in (Person, Team))
    with Session(engine) as session:
        for joined in (select(old.id, team.title).join(old.teams.of_type(team)), select(old.id).join(team, old.teams)):
            with pytest.raises(CompileError, match="uses an association table"):
                session.execute(joined)


def test_rows_filtered_by_an_as_of_join_are_current_objects(staff) -> None:
    engine, *_ = staff
    old = as_of(Team, snapshot=SNAPSHOT)
    filtered = select(Team).join(old, old.id == Team.id).where(old.title == "red then").subquery()
    with Session(engine) as session:
        team = session.scalars(select(aliased(Team, filtered))).one()
        team.title = "edited"
        session.commit()
        assert session.scalars(select(Team.title).where(Team.id == 1)).all() == ["edited"]
