"""The effect of each use of SQLAlchemy's private API.

If SQLAlchemy renames one, at least one of these tests fails; ``tools/rename_internals.py`` verifies that.
"""

from __future__ import annotations

from unittest.mock import Mock

import pytest
import sqlalchemy
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    CompoundSelect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    column,
    create_engine,
    func,
    insert,
    lambda_stmt,
    literal,
    literal_column,
    select,
    text,
    union_all,
    values,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, ResourceClosedError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    joinedload,
    mapped_column,
    relationship,
    scoped_session,
    selectin_polymorphic,
    selectinload,
    sessionmaker,
)
from sqlalchemy.sql.visitors import iterate

import sqlalchemy_matrixone
from sqlalchemy_matrixone import DiffBranch, MatrixOneArgumentError, as_of
from sqlalchemy_matrixone.core import sqlalchemy_internals
from sqlalchemy_matrixone.core.sqlalchemy_internals import (
    CachedStatementOption,
    CompiledSelect,
    ConnectionAwareDDL,
    affinity_of,
    attach,
    detach,
    forget,
    in_cache_key,
    is_in_begin_block,
    new_identity_map,
    options_of,
    percent_sign,
    replace_identity_map,
    union_all_as,
    variants_of,
    with_selects,
    without_rows,
)
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from tests.unit.compiling import compiled, sql

S = {"snapshot": "s"}


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    children: Mapped[list[Child]] = relationship(cascade="all, delete-orphan")
    friends: Mapped[list[Friend]] = relationship(secondary="friendships")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "parent"}  # noqa: RUF012


class Grandparent(Parent):
    __tablename__ = "grandparents"
    id: Mapped[int] = mapped_column(ForeignKey("parents.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "grandparent"}  # noqa: RUF012


class Child(Base):
    __tablename__ = "children"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))
    toys: Mapped[list[Toy]] = relationship()


class Toy(Base):
    __tablename__ = "toys"
    id: Mapped[int] = mapped_column(primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("children.id"))


class Friend(Base):
    __tablename__ = "friends"
    id: Mapped[int] = mapped_column(primary_key=True)


Table("friendships", Base.metadata, Column("p", ForeignKey(Parent.id)), Column("f", ForeignKey(Friend.id)))


def compiled_select(statement) -> CompiledSelect:
    found = CompiledSelect.of(compiled(statement).compile_state)
    assert found is not None
    return found


@pytest.fixture
def session():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Parent(id=1, kind="parent", children=[Child(id=1)]), Parent(id=2, kind="parent")])
        session.commit()
        yield session


# -- constructs


class Prepared(ConnectionAwareDDL):
    """``SELECT`` of what was prepared."""

    __visit_name__ = "prepared"

    def __init__(self, number):
        self.number = number

    def execute_on(self, connection, options, execute):
        return execute(Prepared(options["number"]))

    def _compiler_dispatch(self, visitor, **kw):
        return f"SELECT {self.number}"


def test_connection_aware_ddl_sends_another_element_with_all_execution_options():
    with create_engine("sqlite://").connect() as connection:
        assert connection.execute(Prepared(0), execution_options={"number": 1}).scalar() == 1
        assert connection.execution_options(number=2).execute(Prepared(0)).scalar() == 2
        assert connection.scalar(Prepared(0)) == 2


def test_in_cache_key_distinguishes_a_snapshot_from_a_time():
    whens = {"snapshot": "s"}, {"snapshot": "t"}, {"mo_ts": 1}
    keys = [select(as_of(Parent.__table__, **when))._generate_cache_key() for when in whens]
    assert all(key is not None for key in keys)
    assert keys[0] == keys[1] != keys[2]


def test_in_cache_key_extends_the_key_of_the_base_class():
    tables = Table("a", MetaData(), Column("x", Integer)), Table("b", MetaData(), Column("x", Integer))
    first, second = (select(as_of(table, **S).c.x)._generate_cache_key() for table in tables)
    assert first is not None
    assert first != second


def test_in_cache_key_has_statements_traversed():
    bound = as_of(Parent.__table__, mo_ts=7)
    assert bound.moment in list(iterate(select(bound)))


@in_cache_key(strings=("colour",))
class Paint(CachedStatementOption):
    def __init__(self, colour):
        self.colour = colour


def test_cached_statement_option_is_part_of_the_cache_key():
    red, again, blue = (select(1).options(Paint(colour))._generate_cache_key() for colour in ("red", "red", "blue"))
    assert red == again != blue


def test_options_of_finds_options_of_every_kind_of_statement():
    paint = Paint("red")
    for statement in (select(Parent.id), select(Parent), lambda_stmt(lambda: select(Parent.id)), text("SELECT 1")):
        assert options_of(statement.options(paint)) == (paint,)
    assert options_of(Paint("blue")) == ()


def test_new_alias_has_the_name_that_it_is_given_or_a_generated_one():
    parents = Parent.__table__
    assert "AS p" in sql(select(as_of(parents, **S, name="p")))
    assert "AS parents_1" in sql(select(as_of(parents, **S)))


def test_given_name_keeps_the_name_of_an_alias_and_no_generated_one():
    parents = Parent.__table__
    assert "AS p" in sql(select(as_of(parents.alias("p"), **S)))
    old = as_of(parents.alias(), **S)
    assert "AS parents_1" in sql(select(old))


def test_joins_of_finds_the_relationships_that_are_joined():
    old = as_of(Parent, **S)
    for statement in (select(old).join(old.friends), select(old).join(Friend, old.friends)):
        with pytest.raises(CompileError, match="uses an association table"):
            compiled(statement)


def test_lock_of_has_what_with_for_update_was_given():
    assert sql(select(Parent.id).with_for_update(read=True)).endswith("FOR SHARE")
    assert sql(select(Parent.id).with_for_update()).endswith("FOR UPDATE")
    assert sql(select(Parent.id)).endswith("FROM parents")
    with pytest.raises(CompileError, match="NOWAIT"):
        sql(select(Parent.id).with_for_update(nowait=True))


def test_limits_rows_keeps_a_limit_and_an_offset():
    ordered = select(Parent.id).order_by(Parent.id, (Parent.id + 1).desc())
    assert sql(ordered).endswith(f"DESC LIMIT {2**63 - 1}")
    assert sql(ordered.limit(5)).endswith("DESC LIMIT %s")
    assert sql(ordered.offset(5)).endswith("DESC LIMIT %s, 18446744073709551615")


def test_is_plain_distinct_excludes_group_by():
    outer = select(Child.id).select_from(Parent).outerjoin(Child, Child.id == Parent.id)
    assert "DISTINCT" not in sql(outer.distinct(), "4.1.4")
    assert "SELECT DISTINCT" in sql(outer.distinct().group_by(Child.id), "4.1.4")
    assert "DISTINCT" not in sql(outer, "4.1.4")


def test_group_by_of_finds_labels_by_their_names():
    outer = select(Child.id.label("key")).select_from(Parent).outerjoin(Child, Child.id == Parent.id)
    for key in ("key", Child.id, Child.id.label("key")):
        assert sql(outer.group_by(key), "4.1.4").endswith(", CAST(1 AS SIGNED)")


def test_order_by_of_tells_keys_that_can_be_null_from_others():
    assert sql(select(Parent.id).order_by(Parent.kind, Parent.id.desc())).endswith("parents.id DESC")
    assert "LIMIT" in sql(select(Parent.id).order_by(Parent.kind, (Parent.id + 1).desc()))
    outer = select(Parent.id).outerjoin(Child, Child.parent_id == Parent.id)
    assert "LIMIT" in sql(outer.order_by(Parent.kind, Child.id.desc()))


# -- INSERT

ARTICLES = Table(
    "articles",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("body", String(9)),
    Column("kind", mysql.ENUM("a", "b"), server_default="a"),
    Column("size", Integer, server_default="1"),
    sqlalchemy.Index("ix", "body", matrixone_using="fulltext"),
)
FETCHES_ID = "INSERT INTO articles (body) VALUES (%s) RETURNING articles.id"


def inserted(statement, **kw) -> str:
    return sql(statement, column_keys=["body"], **kw)


def test_asks_for_generated_key_adds_returning_of_the_key():
    assert inserted(insert(ARTICLES)) == FETCHES_ID


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (insert(ARTICLES).inline(), "INSERT INTO articles (body) VALUES (%s)"),
        (
            insert(ARTICLES).returning(ARTICLES.c.size),
            "INSERT INTO articles (body) VALUES (%s) RETURNING articles.size",
        ),
        (
            insert(ARTICLES).return_defaults(ARTICLES.c.size),
            "INSERT INTO articles (body) VALUES (%s) RETURNING articles.id, articles.size",
        ),
        (
            insert(ARTICLES).from_select(["body"], select(text("'x'"))),
            "INSERT INTO articles (body) SELECT 'x'",
        ),
    ],
    ids=["inline", "returning", "return_defaults", "from_select"],
)
def test_asks_for_generated_key_leaves_other_inserts_as_they_are(statement, expected):
    assert inserted(statement) == expected


def test_upsert_refuses_wrong_last_insert_id_and_returning():
    upsert = mysql.insert(ARTICLES).on_duplicate_key_update(body="x")
    with pytest.raises(CompileError, match=r"LAST_INSERT_ID\(\) is wrong"):
        inserted(upsert)
    with pytest.raises(CompileError, match="RETURNING with ON DUPLICATE KEY UPDATE"):
        inserted(upsert.returning(ARTICLES.c.size))
    assert "RETURNING" in sql(sqlalchemy.delete(Parent).returning(Parent.id))


def test_defaults_to_return_leaves_out_an_enum():
    statement = insert(ARTICLES).return_defaults(ARTICLES.c.kind, ARTICLES.c.size)
    assert inserted(statement) == "INSERT INTO articles (body) VALUES (%s) RETURNING articles.id, articles.size"
    every = inserted(insert(ARTICLES).return_defaults())
    assert "articles.kind" not in every
    assert "articles.size" in every


def test_returning_defaults_changes_a_copy():
    statement = insert(ARTICLES).return_defaults(ARTICLES.c.kind)
    assert "articles.kind" not in inserted(statement)
    assert statement._return_defaults_columns == (ARTICLES.c.kind,)


# -- types and columns


def test_variants_of_finds_the_variant_of_another_dialect():
    type_ = String(9).with_variant(mysql.VARCHAR(5), "mysql")
    assert set(variants_of(type_)) == {"mysql"}
    table = Table("t", MetaData(), Column("a", type_))
    assert "a VARCHAR(5)" in sql(sqlalchemy.schema.CreateTable(table))


class Switch(TypeDecorator):
    impl = Boolean
    cache_ok = True


def test_affinity_of_a_decorated_type_is_that_of_its_impl():
    assert affinity_of(Switch()) is Boolean
    assert affinity_of(mysql.TINYINT()) is Integer


def test_reflected_default_is_rendered_without_bind_parameters():
    def created(reflected):
        default = sqlalchemy.DefaultClause(text("' :b'"), _reflected=reflected)
        return sql(sqlalchemy.schema.CreateTable(Table("t", MetaData(), Column("a", String(9), default))))

    assert "DEFAULT ' :b'" in created(reflected=True)
    assert ":b" not in created(reflected=False)


# -- compilers


def test_isolation_level_is_checked_before_sqlalchemy_does():
    connection = Mock(driver_connection=None, _charset="utf8mb4")
    connection.get_server_info.return_value = "8.0.30-MatrixOne-v4.2.0"
    engine = create_engine("matrixone+pymysql://", isolation_level="repeatable_read", creator=lambda: connection)
    with pytest.raises(MatrixOneArgumentError, match="'REPEATABLE READ' was not set"):
        engine.connect()


def test_percent_sign_is_doubled_as_in_a_literal():
    for dialect in (MatrixOneDialect_pymysql(), mysql.dialect(paramstyle="named")):
        written = str(literal("%").compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        assert written == f"'{percent_sign(dialect.identifier_preparer)}'"


def test_applicable_prefixes_include_those_of_mysql():
    assert sql(insert(ARTICLES).inline().prefix_with("IGNORE", dialect="mysql")).startswith("INSERT IGNORE INTO")
    assert "IGNORE" not in sql(insert(ARTICLES).inline().prefix_with("IGNORE", dialect="sqlite"))


def test_render_values_writes_each_row_as_row():
    two = values(column("a", Integer), column("b", String), name="v").data([(1, "x"), (2, "y")])
    assert "(VALUES ROW(%s, %s), ROW(%s, %s)) AS v" in sql(select(two))
    assert "ROW(1, 'x'), ROW(2, 'y')" in sql(select(two), compile_kwargs={"literal_binds": True})


def test_json_comparison_of_a_boolean_is_written_for_matrixone():
    documents = Table("d", MetaData(), Column("j", JSON))
    for element in (documents.c.j["a"], documents.c.j["a", "b"]):
        assert "WHEN 'true' THEN true" in sql(select(element.as_boolean()))


def test_generated_alias_of_a_namesake_follows_the_point_in_time():
    other = Table("parents", MetaData(), Column("id", Integer), schema="billing")
    statement = select(other.c.id, Parent.id).join(Parent.__table__, Parent.id == other.c.id)
    moment = as_of(Parent.__table__, **S).moment
    assert "parents {SNAPSHOT = `s`} AS parents_1" in sql(
        statement.options(sqlalchemy_matrixone.timetravel.point_in_time.AsOfOption(moment))
    )


def test_enclosing_froms_finds_the_past_around_a_subquery():
    old = as_of(Parent, **S)
    statement = select(old.id).where(~select(Parent.id).where(Parent.id == old.id).exists())
    with pytest.raises(CompileError, match="an older server reads 'parents' as historical as well"):
        compiled(statement, "2.2.2")


def test_visible_froms_include_those_around_a_subquery():
    outer = select(Parent.id).outerjoin(Child, Child.id == Parent.id)
    nested = select(Parent.kind).where(Child.id.not_in([1])).correlate(Child).scalar_subquery()
    for statement in (outer.where(Child.id.not_in([1])), outer.add_columns(nested)):
        assert "(nullif(children.id, NULL) NOT IN" in sql(statement)


def test_selectable_of_finds_the_criteria_of_where():
    nodes = Table("nodes", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
    joined = select(Child.id).join(nodes, nodes.c.id == Child.id)
    assert sql(joined.where(nodes.c.n == Child.parent_id), "3.0.14").endswith("nodes.n IS NOT NULL")
    assert "NULL" not in sql(joined, "3.0.14")


def test_add_result_column_names_and_types_the_columns():
    result_columns = compiled(DiffBranch("dev", ARTICLES))._result_columns
    assert [entry.keyname for entry in result_columns] == ["source", "flag", "id", "body", "kind", "size"]
    assert ARTICLES.c.body in result_columns[3].objects
    assert isinstance(result_columns[2].type, Integer)


def test_execute_scalar_fires_a_sequence():
    class Context(sqlalchemy_matrixone.pymysql.MatrixOneDialect_pymysql.execution_ctx_cls):
        def __init__(self):
            self.dialect = MatrixOneDialect_pymysql()
            self.root_connection = create_engine("sqlite://").connect()
            self.cursor = self.root_connection.connection.cursor()
            self.execution_options = {}

    context = Context()
    context.dialect.statement_compiler.visit_sequence, original = (
        lambda *_: "41 + 1",
        context.dialect.statement_compiler.visit_sequence,
    )
    try:
        assert context.fire_sequence(sqlalchemy.Sequence("s"), Integer()) == 42
    finally:
        context.dialect.statement_compiler.visit_sequence = original


def test_without_rows_is_like_the_result_of_ddl():
    with create_engine("sqlite://").connect() as connection:
        found = connection.execute(select(1))
        assert found.first() == (1,)
        nothing, ddl = without_rows(found), connection.execute(sqlalchemy.schema.CreateTable(Parent.__table__))
        for result in (nothing, ddl):
            assert not result.returns_rows
            with pytest.raises(ResourceClosedError, match="does not return rows"):
                result.all()
        assert nothing.connection is connection


def test_forget_makes_the_dialect_compute_its_flags_again():
    dialect = MatrixOneDialect_pymysql(server_version="3.0.14")
    assert not dialect.insert_executemany_returning
    dialect.insert_returning = True
    assert not dialect.insert_executemany_returning
    forget(dialect, "insert_executemany_returning")
    assert dialect.insert_executemany_returning


# -- what the ORM has compiled a SELECT to


def test_compiled_select_is_none_of_a_core_select():
    assert CompiledSelect.of(compiled(select(ARTICLES)).compile_state) is None
    assert CompiledSelect.of(compiled(insert(ARTICLES).inline()).compile_state) is None


def test_compiled_select_has_the_statement_and_its_entities():
    found = compiled_select(select(Parent, Child.id, Friend))
    assert [entity.mapper.class_ for entity in found.entities] == [Parent, Friend]
    assert found.entities[0].selectable is Parent.__mapper__.selectable
    assert found.statement.is_select
    from_statement = compiled_select(select(Parent).from_statement(select(Parent.__table__)))
    assert [entity.mapper.class_ for entity in from_statement.entities] == [Parent]
    assert from_statement.statement.element.is_select


def test_compiled_select_has_what_the_sent_statement_selects_from():
    [joined] = compiled_select(select(Parent).options(joinedload(Parent.children))).final_froms
    assert joined.left is Parent.__table__


def test_loader_options_have_strategy_and_path():
    old, items = as_of(Parent, **S), as_of(Child, **S)
    options = compiled_select(select(old).options(selectinload(old.children.of_type(items)))).loader_options
    [(strategy, path)] = options
    assert strategy == ("lazy", "selectin")
    assert path[-3].class_ is Parent
    assert path[-2] is Parent.children.property
    assert path[-1] is sqlalchemy.inspect(items)


def test_loader_options_of_the_present_are_refused_for_the_past():
    old = as_of(Parent, **S)
    for option in (selectinload(old.children), joinedload(old.children), selectin_polymorphic(old, [Grandparent])):
        with pytest.raises(CompileError, match="current"):
            compiled(select(old).options(option))


def test_loaded_columns_have_path_and_expressions_of_joined_eager_loads_too():
    found = compiled_select(select(Parent).options(joinedload(Parent.children))).loaded_columns
    expressions = {columns.path[-1].class_: columns.expressions for columns in found}
    assert set(expressions) == {Parent, Child}
    assert len(expressions[Child]) == 2


def test_loaded_columns_of_the_present_are_refused_for_the_past():
    class Own(DeclarativeBase):
        pass

    class Counted(Own):
        __tablename__ = "counted"
        id: Mapped[int] = mapped_column(primary_key=True)
        others = column_property(select(func.count(Child.id)).scalar_subquery())

    with pytest.raises(CompileError, match="current"):
        compiled(select(as_of(Counted, **S)))


def test_loaded_columns_are_missed_with_an_error(monkeypatch):
    found = compiled_select(select(Parent))
    monkeypatch.setattr(found._state, "attributes", {("renamed", key[1]): {} for key in found._state.attributes})
    with pytest.raises(NotImplementedError, match="keeps what a SELECT loads elsewhere"):
        _ = found.loaded_columns


def test_eager_joins_of_the_present_are_refused_for_the_past():
    found = compiled_select(select(Parent).options(joinedload(Parent.children)))
    assert [join.left for join in found.eager_joins] == [Parent.__table__]

    class Own(DeclarativeBase):
        pass

    class Eager(Own):
        __tablename__ = "eager"
        id: Mapped[int] = mapped_column(primary_key=True)
        parts = relationship("Part", lazy="joined")

    class Part(Own):
        __tablename__ = "parts"
        id: Mapped[int] = mapped_column(primary_key=True)
        eager_id: Mapped[int] = mapped_column(ForeignKey("eager.id"))

    with pytest.raises(CompileError, match="current"):
        compiled(select(as_of(Eager, **S)))


def test_loaded_for_is_the_path_of_a_second_select():
    class Own(DeclarativeBase):
        pass

    class Shelf(Own):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)
        books = relationship("Book")

    class Book(Own):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"))

    seen = []
    engine = create_engine("sqlite://")
    Own.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Shelf(id=1, books=[Book(id=1)]))
        session.commit()

        @sqlalchemy.event.listens_for(engine, "before_execute")
        def look(connection, statement, *_):
            found = CompiledSelect.of(statement.compile(engine).compile_state)
            seen.append([] if found is None else list(found.loaded_for))

        session.scalars(select(Shelf).options(selectinload(Shelf.books))).all()
    assert [len(path) for path in seen] == [0, 2]
    assert seen[1][1] is Shelf.books.property


class LoadsDetached:
    """Compiles an ORM SELECT of SQLite with detached entities."""

    def load(self, session, statement):
        engine = session.get_bind()
        original = engine.dialect.statement_compiler

        class Compiler(original):
            def __init__(self, *args, **kw):
                super().__init__(*args, **kw)
                if (found := CompiledSelect.of(self.compile_state)) is not None:
                    for entity in found.entities:
                        sqlalchemy_internals.load_detached(entity)

        engine.dialect.statement_compiler = Compiler
        try:
            return session.scalars(statement).unique().all()
        finally:
            engine.dialect.statement_compiler = original


def test_load_detached_loads_objects_into_no_session(session):
    present = session.get(Parent, 1)
    statement = select(Parent).options(joinedload(Parent.children)).order_by(Parent.id)
    loaded = LoadsDetached().load(session, statement)
    assert [parent.id for parent in loaded] == [1, 2]
    assert loaded[0] is not present
    assert [child.id for child in loaded[0].children] == [1]
    for each in (*loaded, *loaded[0].children):
        assert sqlalchemy.inspect(each).detached
        assert each not in session
    assert list(session) == [present]
    assert LoadsDetached().load(session, statement)[0] is not loaded[0]


# -- Sessions


def test_replace_identity_map_sets_objects_aside_and_attach_brings_them_back(session):
    present = session.get(Parent, 1)
    aside = session.identity_map
    attach(aside, None)
    replace_identity_map(session, new_identity_map(session))
    assert present not in session
    assert sqlalchemy.inspect(present).detached
    other = session.get(Parent, 1)
    assert other is not present
    detach(session.identity_map, session)
    replace_identity_map(session, aside)
    attach(aside, session)
    assert session.get(Parent, 1) is present
    assert sqlalchemy.inspect(present).persistent
    assert sqlalchemy.inspect(other).detached


def test_detach_tells_the_listeners_of_the_session(session):
    detached = []
    sqlalchemy.event.listen(session, "persistent_to_detached", lambda _, instance: detached.append(instance))
    parent = session.get(Parent, 1)
    detach(session.identity_map, session)
    assert detached == [parent]


def test_is_in_begin_block_of_sessions_and_connections(session):
    connection = session.get_bind().connect()
    scoped = scoped_session(sessionmaker(session.get_bind()))
    for target in (session, connection, scoped):
        target.rollback()
        assert not is_in_begin_block(target)
        with target.begin():
            assert is_in_begin_block(target)
        assert not is_in_begin_block(target)


def test_unions_of_a_subclass_with_other_selects():
    class Union(CompoundSelect):
        inherit_cache = True

    first = union_all_as(Union, select(literal_column("1").label("x")), select(literal_column("2")))
    ordered = first.order_by("x").limit(3)
    other = union_all(select(literal_column("3").label("x")), select(literal_column("4")))
    changed = with_selects(ordered, other)
    assert type(changed) is Union
    assert str(changed) == str(ordered).replace("1 AS", "3 AS").replace("SELECT 2", "SELECT 4")
    assert "1 AS x" in str(ordered)
