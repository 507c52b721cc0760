"""Column defaults in the form that ALTER TABLE keeps, which differs between releases."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, DateTime, Enum, Integer, MetaData, String, Table, func, text
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateTable

from sqlalchemy_matrixone.alembic.compare.defaults import canonical_default
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

HEXADECIMAL = "concat(0x61, 0x62)"
ALL = ["2.2.2", "3.0.14", "4.0.0", "4.1.4", "4.2.0"]


def rendered(default, release, type_=String):
    dialect = MatrixOneDialect_pymysql(server_version=release)
    table = Table("t", MetaData(), Column("c", type_, server_default=default))
    return dialect.ddl_compiler(dialect, CreateTable(table)).get_column_default_string(table.c.c)


@pytest.mark.parametrize(
    ("release", "quoted", "expression"),
    [
        ("2.2.2", "'it''s'", HEXADECIMAL),
        ("3.0.14", "'it''s'", "concat('a', 'b')"),
        ("4.0.0", "0x69742773", HEXADECIMAL),
        ("4.1.4", "0x69742773", HEXADECIMAL),
        ("4.2.0", "('it''s')", "concat('a', 'b')"),
    ],
)
def test_default_with_quotes_by_release(release, quoted, expression):
    assert rendered("it's", release) == quoted
    assert rendered(func.concat("a", "b"), release) == expression
    assert rendered(text(expression), release) == expression


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize(
    ("default", "type_"),
    [
        ("'x'", String),
        ("''", String),
        ("b'101'", Integer),
        ("x'41'", String),
        ("CURRENT_TIMESTAMP", DateTime),
        ("'2026-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP", DateTime),
        ("'a'", Enum("a", "b")),
    ],
)
def test_default_without_quotes_in_it_is_the_same_on_every_release(release, default, type_):
    assert rendered(text(default), release, type_) == default


@pytest.mark.parametrize(
    ("default", "value"),
    [
        (r"'\\\'\n\%'", "\\'\n\\%"),
        ("'漢'''", "漢'"),
        ("'100 %'''", "100 %'"),
    ],
)
def test_default_in_hexadecimal_is_the_text_that_was_written(default, value):
    assert rendered(text(default), "4.1.4") == f"0x{value.encode().hex()}"


def test_empty_text_default_expression_has_no_quotes():
    assert rendered(text("concat('', \"a\")"), "4.1.4") == "concat(space(0), 0x61)"


def test_default_with_quotes_of_an_enum_is_refused_if_alter_table_would_spoil_it():
    assert rendered("a'b", "3.0.14", Enum("a'b", "c")) == "'a''b'"
    with pytest.raises(CompileError, match=r"of an ENUM or SET needs MatrixOne 4\.2\.0 or later; this is 4\.1\.4"):
        rendered("a'b", "4.1.4", Enum("a'b", "c"))


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("default", ["it's", func.concat("A", "B")])
def test_default_compares_equal_to_what_was_created(release, default):
    dialect = MatrixOneDialect_pymysql(server_version=release)
    declared = Column("c", String, server_default=default)
    reflected = Column("c", String, server_default=text(rendered(default, release)))
    compiler = dialect.ddl_compiler(dialect, None)
    assert canonical_default(compiler, declared, String()) == canonical_default(compiler, reflected, String())
