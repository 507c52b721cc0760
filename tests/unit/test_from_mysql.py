"""Options for MySQL's dialect have the same effect with MatrixOne's dialect."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import types
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateIndex, CreateTable

from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from tests.unit import compiling

DIALECT = MatrixOneDialect_pymysql()


def sql(element) -> str:
    return compiling.sql(element, compile_kwargs={"literal_binds": True})


def assert_compile(element, expected):
    compiling.assert_compile(element, expected, literal_binds=True)


def table(*items, **options):
    columns = (sa.Column("id", sa.Integer, primary_key=True), sa.Column("v", sa.String(200)))
    return sa.Table("t", sa.MetaData(), *columns, *items, **options)


class Upper(types.TypeDecorator[str]):
    impl = sa.String(5)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value.upper()


@pytest.mark.parametrize(
    ("type_", "spelling"),
    [
        (sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"), "DATETIME(6)"),
        (sa.BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql"), "BIGINT UNSIGNED"),
        (sa.JSON().with_variant(sa.Text(), "sqlite"), "JSON"),
        (sa.String(9).with_variant(sa.String(1), "mysql").with_variant(sa.String(2), "matrixone"), "VARCHAR(2)"),
    ],
)
def test_mysql_variant_of_a_type_is_used(type_, spelling):
    assert type_.compile(dialect=DIALECT) == spelling
    assert type_.dialect_impl(DIALECT).compile(dialect=DIALECT) == spelling


def test_mysql_variant_of_a_type_converts_values():
    process = sa.String(5).with_variant(Upper(), "mysql").dialect_impl(DIALECT).bind_processor(DIALECT)
    assert process("a") == "A"


def test_mysql_variant_of_a_type_is_unchanged_on_other_dialects():
    type_ = sa.String(5).with_variant(sa.Text(), "mysql")
    assert type_.compile(dialect=mysql.dialect()) == "TEXT"
    assert type_.compile() == "VARCHAR(5)"


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_row_format": "DYNAMIC"}, ")"),
        ({"mysql_auto_increment": 1000}, ")AUTO_INCREMENT=1000"),
        ({"mysql_partition_by": "KEY(id)", "mysql_partitions": 4}, ")PARTITION BY KEY(id) PARTITIONS 4"),
        ({"mysql_auto_increment": 5, "matrixone_auto_increment": 7}, ")AUTO_INCREMENT=7"),
    ],
)
def test_mysql_table_options_that_the_server_keeps_are_rendered(options, end):
    assert sql(CreateTable(table(**options))).rpartition("PRIMARY KEY (id) ")[2] == end


@pytest.mark.parametrize(
    ("options", "statement"),
    [
        ({"mysql_using": "btree"}, "CREATE INDEX ix USING btree ON t (v)"),
        ({"mysql_length": 200}, "CREATE INDEX ix ON t (v(200))"),
        ({"mysql_length": {"v": 250}}, "CREATE INDEX ix ON t (v(250))"),
        ({"mysql_length": {"other": 10}}, "CREATE INDEX ix ON t (v)"),
        ({"mysql_prefix": "UNIQUE"}, "CREATE UNIQUE INDEX ix ON t (v)"),
        (
            {"mysql_prefix": "FULLTEXT", "mysql_with_parser": "ngram"},
            "CREATE FULLTEXT INDEX ix ON t (v) WITH PARSER ngram",
        ),
        ({"unique": True, "mysql_length": 200}, "CREATE UNIQUE INDEX ix ON t (v(200))"),
    ],
)
def test_mysql_index_options_are_rendered(options, statement):
    index = sa.Index("ix", "v", **options)
    table(index)
    assert_compile(CreateIndex(index), statement)


def test_mysql_limit_of_update_and_delete_is_rendered():
    rows = table()
    assert sql(sa.update(rows).values(v="x").with_dialect_options(mysql_limit=3)).endswith(" LIMIT 3")
    assert_compile(sa.delete(rows).with_dialect_options(mysql_limit=3), "DELETE FROM t LIMIT 3")
    assert_compile(sa.delete(rows).with_dialect_options(mysql_limit=3, matrixone_limit=4), "DELETE FROM t LIMIT 4")
    assert_compile(sa.delete(rows), "DELETE FROM t")


def test_mysql_prefix_is_rendered():
    rows = table()
    assert sql(sa.insert(rows).prefix_with("IGNORE", dialect="mysql").values(id=1)).startswith("INSERT IGNORE INTO")
    assert sql(sa.select(rows.c.id).prefix_with("HIGH_PRIORITY", dialect="mysql")).startswith("SELECT HIGH_PRIORITY")
    assert sql(sa.insert(rows).prefix_with("OR IGNORE", dialect="sqlite").values(id=1)).startswith("INSERT INTO")


def test_mysql_on_duplicate_key_update_is_rendered():
    insert = mysql.insert(table()).values(id=1, v="x")
    assert sql(insert.on_duplicate_key_update(v=insert.inserted.v)).endswith("ON DUPLICATE KEY UPDATE v = VALUES(v)")
