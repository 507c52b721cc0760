"""Tables and indexes that some releases would handle wrongly, and the SQL of all others."""

from __future__ import annotations

import warnings

import pytest
from sqlalchemy import (
    JSON,
    VARBINARY,
    VARCHAR,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_mock_engine,
    extract,
    select,
)
from sqlalchemy.exc import CompileError, SAWarning
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import NullType

from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql


def compiled(element, release):
    return str(element.compile(dialect=MatrixOneDialect_pymysql(server_version=release)))


def tree(ondelete):
    columns = Column("id", Integer, primary_key=True), Column("parent", ForeignKey("nodes.id", ondelete=ondelete))
    return Table("nodes", MetaData(), *columns)


@pytest.mark.parametrize(
    ("ondelete", "release", "fault"),
    [
        ("CASCADE", "2.2.2", "leaves orphans"),
        ("CASCADE", "4.2.0", "leaves orphans"),
        ("set null", "2.2.2", "never ends before MatrixOne 4.2.0"),
        ("SET NULL", "4.1.4", "never ends before MatrixOne 4.2.0"),
    ],
)
def test_self_referencing_on_delete_warns_if_the_server_fails(ondelete, release, fault):
    with pytest.warns(SAWarning, match=fault):
        compiled(CreateTable(tree(ondelete)), release)


@pytest.mark.parametrize(("ondelete", "release"), [("SET NULL", "4.2.0"), (None, "2.2.2"), ("RESTRICT", "2.2.2")])
def test_self_referencing_on_delete_does_not_warn_if_it_works(ondelete, release):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(CreateTable(tree(ondelete)), release)


def test_add_constraint_of_a_self_referencing_table_warns():
    table = Table(
        "nodes",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("parent", ForeignKey("nodes.id", name="fk", ondelete="CASCADE", use_alter=True)),
    )
    engine = create_mock_engine("matrixone://", lambda sql, *_: str(sql.compile(dialect=engine.dialect)))
    with pytest.warns(SAWarning, match="leaves orphans"):
        table.metadata.create_all(engine, checkfirst=False)


def accounts():
    return Table(
        "accounts",
        MetaData(),
        Column("a", Integer, primary_key=True),
        Column("b", Integer, primary_key=True),
        Column("tenant", String(5)),
    )


@pytest.mark.parametrize("release", ["2.2.2", "3.0.14"])
@pytest.mark.parametrize(
    ("columns", "created", "omitted"),
    [
        (("tenant", "a", "b"), "tenant", "'a', 'b'"),
        (("b", "tenant", "a"), "tenant", "'b', 'a'"),
        (("b", "a"), "b", "'a'"),
    ],
)
def test_index_with_the_whole_primary_key_is_created_without_it_before_4_1(release, columns, created, omitted):
    table = accounts()
    index = Index("k", *(table.c[name] for name in columns))
    with pytest.warns(SAWarning, match=f"Index 'k' is created without {omitted}: before 4.1.0"):
        assert f"INDEX k ON accounts ({created})" in compiled(CreateIndex(index), release)


def test_descending_key_columns_are_left_out_of_an_index_too():
    table = accounts()
    index = Index("k", table.c.tenant.desc(), table.c.a.desc(), table.c.b)
    with pytest.warns(SAWarning, match="without 'a', 'b'"):
        assert "INDEX k ON accounts (tenant DESC)" in compiled(CreateIndex(index), "3.0.14")


def test_index_that_finds_its_rows_is_created():
    table = accounts()
    for columns, options, release in (
        (("tenant", "a", "b"), {}, "4.1.4"),
        (("tenant", "a"), {}, "2.2.2"),
        (("a", "b"), {}, "2.2.2"),
        (("tenant", "a", "b"), {"unique": True}, "2.2.2"),
    ):
        index = Index("k", *(table.c[name] for name in columns), **options)
        assert f"INDEX k ON accounts ({', '.join(columns)})" in compiled(CreateIndex(index), release)


def texts(**options):
    table = Table(
        "texts",
        MetaData(),
        Column("a", String(20)),
        Column("b", String(20).with_variant(VARCHAR(30), "mysql")),
        Column("c", Text),
        Column("d", LargeBinary),
        Column("e", NullType),
        Column("f", VARBINARY(20)),
        Column("n", Integer),
    )
    return {name: Index("k", table.c[name], **options) for name in table.c.keys()}  # noqa: SIM118


@pytest.mark.parametrize("release", ["4.0.0", "4.1.4", "4.2.0"])
def test_index_on_the_first_characters_is_created_on_whole_values_from_4_0_on(release):
    for name in ("a", "b", "e", "f"):
        index = texts(mysql_length=19)[name]
        with pytest.warns(SAWarning, match=rf"created without mysql_length=19, on whole values: .* of '{name}'"):
            assert f"CREATE INDEX k ON texts ({name})" in compiled(CreateIndex(index), release)
        assert f"ON texts ({name}(19))" in compiled(CreateIndex(index), "3.0.18")
    several = Index("k", index.table.c.n, index.table.c.a, mysql_length={"a": 5})
    with pytest.warns(SAWarning, match="mysql_length=5"):
        assert "CREATE INDEX k ON texts (n, a)" in compiled(CreateIndex(several), release)


@pytest.mark.parametrize("release", ["4.0.0", "4.1.4", "4.2.0"])
@pytest.mark.parametrize(
    ("options", "names"), [({"mysql_length": 19}, "cd"), ({"unique": True, "matrixone_length": 5}, "abcdef")]
)
def test_index_whose_length_cannot_be_omitted_is_refused_from_4_0_on(release, options, names):
    for name, index in texts(**options).items():
        if name in names:
            with pytest.raises(CompileError, match=f"does not find rows by an index on the first .* of '{name}'"):
                compiled(CreateIndex(index), release)
            assert f"ON texts ({name}(" in compiled(CreateIndex(index), "3.0.18")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a", {"mysql_length": 20}),
        ("a", {"mysql_length": {"b": 1}}),
        ("b", {"mysql_length": 30}),
        ("f", {"mysql_length": 20}),
        ("n", {"mysql_length": 5}),
    ],
)
def test_index_with_a_length_that_cuts_no_text_is_created(name, options):
    assert "CREATE INDEX k ON texts" in compiled(CreateIndex(texts(**options)[name]), "4.2.0")


def test_generated_column_is_refused_before_4_0():
    table = Table("t", MetaData(), Column("x", Integer), Column("y", Integer, Computed("x + 1", persisted=True)))
    assert "y INTEGER GENERATED ALWAYS AS (x + 1) STORED" in compiled(CreateTable(table), "4.0.0")
    with pytest.raises(CompileError, match=r"GENERATED ALWAYS AS \(x \+ 1\) needs MatrixOne 4\.0\.0 or later"):
        compiled(CreateTable(table), "3.0.18")


def test_extract_is_cast_if_it_is_a_number():
    at = Column("at", DateTime)
    assert "CAST(EXTRACT(month FROM at) AS SIGNED)" in compiled(select(extract("month", at)), "3.0.14")
    assert "CAST" not in compiled(select(extract("epoch", at)), "3.0.14")


def test_extract_of_a_pair_is_calculated_from_its_units():
    statement = compiled(select(extract("second_microsecond", Column("at", DateTime))), "3.0.14")
    second, microsecond = (f"CAST(EXTRACT({unit} FROM at) AS SIGNED)" for unit in ("second", "microsecond"))
    assert f"(({second}) * 1000000 + {microsecond}) AS" in statement


def test_json_accessors_have_no_null_in_case_before_4_2():
    item = Column("doc", JSON)["a"]
    for value in (item.as_integer(), item.as_string(), item.as_boolean(), item.as_float(), item.as_numeric(10, 2)):
        assert "CASE" not in compiled(select(value), "4.1.4")
        assert "CASE" in compiled(select(value), "4.2.0")


def documents(first: dict[str, str], second: dict[str, str]) -> CreateTable:
    metadata = MetaData()
    Table("users", metadata, Column("id", Integer, primary_key=True))
    columns = (Column(name, ForeignKey("users.id", **kw)) for name, kw in (("author", first), ("editor", second)))
    return CreateTable(Table("documents", metadata, Column("id", Integer, primary_key=True), *columns))


@pytest.mark.parametrize("other", [{}, {"ondelete": "CASCADE"}])
def test_set_null_beside_another_key_to_the_same_table_is_warned_of(other):
    with pytest.warns(SAWarning, match=r"ON DELETE SET NULL of table 'documents', .* each DELETE of a row of 'users'"):
        compiled(documents({"ondelete": "set null"}, other), "4.2.0")


def test_two_cascading_updates_from_one_table_are_warned_of():
    keys = {"onupdate": "CASCADE"}
    with pytest.warns(SAWarning, match="ON UPDATE CASCADE of table 'documents', .* before 4.2 can duplicate rows"):
        compiled(documents(keys, keys), "3.0.14")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"ondelete": "CASCADE"}, {"ondelete": "CASCADE"}),
        ({"onupdate": "CASCADE"}, {}),
        ({"ondelete": "CASCADE"}, {}),
    ],
)
def test_two_keys_that_the_server_applies_are_not_warned_of(first, second):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(documents(first, second), "4.2.0")
