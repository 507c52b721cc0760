"""Dialects that are named mysql, for applications that look for MySQL by its name."""

from __future__ import annotations

import tomllib
from io import StringIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.mysql import MySQLImpl
from alembic.operations import Operations
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.util import PriorityDispatchResult
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from sqlalchemy_matrixone import CreateSnapshot, as_of
from sqlalchemy_matrixone.alembic.compare.names import refuse_capitals, rename_columns
from sqlalchemy_matrixone.alembic.impl import MatrixOneImpl
from sqlalchemy_matrixone.alembic.pitrs import compare_pitrs
from sqlalchemy_matrixone.base import MatrixOneDialect
from sqlalchemy_matrixone.types import VECF32
from tests.models import Order
from tests.unit.compiling import sql as sql_of

URLS = ["mysql+matrixone://", "mysql+matrixone_aiomysql://", "mysql+matrixone_asyncmy://"]
DIALECT = make_url(URLS[0]).get_dialect()()
OTHER_NAME = make_url("matrixone://").get_dialect()()


def sql(element, dialect=DIALECT):
    text = str(element.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return " ".join(text.split())


@pytest.mark.parametrize("url", URLS)
def test_mysql_named_dialect_has_the_name_mysql(url):
    dialect = make_url(f"{url}account%3Auser@h/shop?server_version=3.0.14").get_dialect()()
    assert dialect.name == "mysql"
    assert dialect.server_release == (3, 0, 14)
    assert (dialect.default_account_name, dialect.default_schema_name) == ("account", "shop")
    assert isinstance(dialect, MatrixOneDialect)
    assert dialect.supports_statement_cache


def test_mysql_named_url_without_a_driver_uses_aiomysql_if_async():
    assert create_async_engine("mysql+matrixone://h").dialect.driver == "aiomysql"
    assert create_async_engine("mysql+matrixone_asyncmy://h").dialect.driver == "asyncmy"
    assert create_async_engine("mysql+matrixone://h").dialect.name == "mysql"


def test_entry_points_are_those_that_the_import_registers():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for name, target in project["entry-points"]["sqlalchemy.dialects"].items():
        module, _, cls = target.partition(":")
        registered = make_url(name.replace(".", "+") + "://").get_dialect()
        assert (registered.__module__, registered.__name__) == (module, cls)


def test_mysql_dialect_of_sqlalchemy_is_unchanged():
    assert make_url("mysql+pymysql://").get_dialect() is mysql.pymysql.dialect


def table(**options):
    columns = (sa.Column("id", sa.Integer, primary_key=True), sa.Column("v", VECF32(3)))
    return sa.Table("t", sa.MetaData(), *columns, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"mysql_auto_increment": 5, "matrixone_cluster_by": ["v"]},
        {"mysql_engine": "InnoDB", "matrixone_partition_by": "KEY(id)", "comment": "c"},
    ],
)
def test_mysql_named_dialect_reads_table_options_of_both_prefixes(options):
    assert sql(CreateTable(table(**options))) == sql(CreateTable(table(**options)), OTHER_NAME)


@pytest.mark.parametrize(
    "options",
    [{"matrixone_using": "ivfflat", "matrixone_lists": 3}, {"mysql_using": "btree"}, {"mysql_length": {"v": 3}}],
)
def test_mysql_named_dialect_reads_index_options_of_both_prefixes(options):
    index = sa.Index("ix", table().c.v, **options)
    assert sql(CreateIndex(index)) == sql(CreateIndex(index), OTHER_NAME)


@pytest.mark.parametrize("prefix", ["mysql", "matrixone"])
@pytest.mark.parametrize("dialect", [DIALECT, OTHER_NAME])
def test_mysql_named_dialect_reads_limit_and_prefixes_for_either_name(prefix, dialect):
    delete = sa.delete(table()).with_dialect_options(**{f"{prefix}_limit": 3})
    assert sql(delete, dialect) == "DELETE FROM t LIMIT 3"
    insert = sa.insert(table()).prefix_with("IGNORE", dialect=prefix).values(id=1)
    assert sql(insert, dialect) == "INSERT IGNORE INTO t (id) VALUES (1)"


def test_mysql_named_dialect_reads_variants_for_either_name():
    assert sa.String(9).with_variant(VECF32(3), "matrixone").compile(dialect=DIALECT) == "VECF32(3)"
    assert sa.String(9).with_variant(sa.Text(), "mysql").compile(dialect=DIALECT) == "TEXT"
    both = sa.String(9).with_variant(sa.String(1), "mysql").with_variant(sa.String(2), "matrixone")
    assert both.compile(dialect=DIALECT) == "VARCHAR(1)"
    assert both.dialect_impl(DIALECT).length == 1
    assert both.compile(dialect=OTHER_NAME) == "VARCHAR(2)"


def test_mysql_named_dialect_compiles_matrixone_constructs():
    assert sql(CreateSnapshot("s", table="t", database="d")) == "CREATE SNAPSHOT `s` FOR TABLE `d` `t`"
    assert "{SNAPSHOT = `s`}" in sql(sa.select(as_of(Order, snapshot="s").id))
    assert sql_of(sa.select(as_of(Order.__table__, snapshot="s")))


def migration(dialect, change):
    buffer = StringIO()
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": buffer})
    change(Operations(context))
    return context.impl, buffer.getvalue().strip()


def change_default(op):
    op.alter_column("t", "c", server_default=sa.text("concat('a', 'b')"), existing_type=sa.String(9))


@pytest.mark.parametrize("name", ["matrixone", "mysql+matrixone"])
def test_mysql_named_dialect_uses_the_alembic_impl_of_matrixone(name):
    impl, printed = migration(make_url(f"{name}://").get_dialect()(), change_default)
    assert type(impl) is MatrixOneImpl
    assert impl.transactional_ddl
    assert printed == "ALTER TABLE t ALTER COLUMN c SET DEFAULT (concat('a', 'b'));"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ({"nullable": False}, "ALTER TABLE t MODIFY c VARCHAR(9) NOT NULL;"),
        ({"new_column_name": "d"}, "ALTER TABLE t CHANGE c d VARCHAR(9) NULL;"),
        ({"server_default": None}, "ALTER TABLE t ALTER COLUMN c DROP DEFAULT;"),
    ],
)
def test_mysql_named_dialect_renders_alter_column_for_matrixone(arguments, printed):
    arguments["existing_type"] = sa.String(9)
    assert migration(DIALECT, lambda op: op.alter_column("t", "c", **arguments))[1] == printed


def test_alembic_on_mysql_is_unchanged():
    impl, printed = migration(mysql.dialect(), change_default)
    assert type(impl) is MySQLImpl
    assert not impl.transactional_ddl
    assert printed == "ALTER TABLE t ALTER COLUMN c SET DEFAULT concat('a', 'b');"


def test_alembic_impl_of_mysql_that_a_project_replaced_is_kept():
    """This is Alembic's own recipe; it applies to our dialects of that name as well."""
    registered = DefaultImpl.get_by_dialect(mysql.dialect())
    try:

        class OfAProject(MySQLImpl):
            __dialect__ = "mysql"

        assert type(migration(mysql.dialect(), change_default)[0]) is OfAProject
    finally:
        type(MySQLImpl).__init__(registered, "", (), {"__dialect__": "mysql"})
    assert type(migration(mysql.dialect(), change_default)[0]) is MySQLImpl


@pytest.mark.parametrize("compare", [compare_pitrs, refuse_capitals, rename_columns])
def test_autogenerate_of_mysql_is_unchanged(compare):
    migrated = MigrationContext.configure(dialect=mysql.dialect())
    sa.Table("T", metadata := sa.MetaData(), sa.Column("id", sa.Integer), matrixone_pitr="1d")
    operations = UpgradeOps([])
    context = AutogenContext(migrated, metadata)
    assert compare(context, operations, [None]) is PriorityDispatchResult.CONTINUE
    assert operations.is_empty()
