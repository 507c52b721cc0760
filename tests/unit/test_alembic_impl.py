"""The implementation: found in every order of imports, transactional, and no concern of other dialects."""

import io
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.dialects import mysql, registry
from sqlalchemy.schema import CreateTable

FOUND = """
from alembic import op
from alembic.ddl.impl import DefaultImpl
from alembic.runtime.plugins import Plugin
from sqlalchemy.engine import make_url
from alembic.util.langhelpers import PriorityDispatcher
import sqlalchemy_matrixone.alembic.plugin
dialect = make_url("matrixone+pymysql://h/d").get_dialect()()
assert DefaultImpl.get_by_dialect(dialect).__module__ == "sqlalchemy_matrixone.alembic.impl"
assert op.create_pitr
Plugin.populate_autogenerate_priority_dispatch(PriorityDispatcher(), ["sqlalchemy_matrixone"])
"""


@pytest.mark.parametrize(
    "first",
    [
        "import alembic",
        "import sqlalchemy_matrixone, alembic",
        "import sqlalchemy_matrixone.alembic.op",
        "import sqlalchemy_matrixone.alembic.compare",
        "from alembic.autogenerate import renderers",
    ],
)
def test_it_is_found_in_every_order_of_imports(first):
    subprocess.run([sys.executable, "-W", "error", "-c", first + FOUND], check=True)


def test_the_package_does_not_need_alembic():
    """Nor does it import it where nobody asks for it."""
    code = "import sys, sqlalchemy_matrixone.pymysql; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_plugin_can_be_iterated_as_older_alembics_do():
    from sqlalchemy_matrixone.alembic import plugin

    assert list(plugin) == [plugin]


def printed(call, dialect_name="matrixone"):
    buffer = io.StringIO()
    dialect = registry.load(dialect_name)(paramstyle="named") if dialect_name == "matrixone" else None
    context = MigrationContext.configure(
        dialect=dialect,
        dialect_name=None if dialect else dialect_name,
        opts={"as_sql": True, "output_buffer": buffer},
    )
    call(Operations(context))
    return buffer.getvalue().strip()


ALTERS = [
    (
        lambda op: op.alter_column("t", "c", server_default=sa.text("'5'"), existing_type=sa.Integer),
        "ALTER TABLE t ALTER COLUMN c SET DEFAULT '5';",
    ),
    (
        lambda op: op.alter_column("t", "c", server_default=None, existing_type=sa.Integer),
        "ALTER TABLE t ALTER COLUMN c DROP DEFAULT;",
    ),
    (
        lambda op: op.alter_column("t", "c", type_=sa.String(9), nullable=False, comment="it's", server_default="x"),
        "ALTER TABLE t MODIFY c VARCHAR(9) NOT NULL DEFAULT 'x' COMMENT 'it''s';",
    ),
    (
        lambda op: op.alter_column("t", "c", existing_type=sa.Integer, autoincrement=True, schema="s"),
        "ALTER TABLE s.t MODIFY c INTEGER NULL AUTO_INCREMENT;",
    ),
    (
        lambda op: op.alter_column("t", "c", new_column_name="d", existing_type=sa.Integer),
        "ALTER TABLE t CHANGE c d INTEGER NULL;",
    ),
    (lambda op: op.drop_constraint("f", "t", type_="foreignkey"), "ALTER TABLE t DROP FOREIGN KEY f;"),
    (lambda op: op.drop_constraint("u", "t", type_="unique"), "ALTER TABLE t DROP INDEX u;"),
    (lambda op: op.rename_table("t", "u"), "ALTER TABLE t RENAME TO u;"),
    (lambda op: op.create_table_comment("t", "c"), "ALTER TABLE t COMMENT 'c';"),
]


@pytest.mark.parametrize(("call", "sql"), ALTERS, ids=[sql for _, sql in ALTERS])
def test_alters_are_those_of_mysql(call, sql):
    assert printed(call) == sql
    assert printed(call, "mysql") == sql


def test_transactional_on_matrixone_alone():
    assert DefaultImpl.get_by_dialect(registry.load("matrixone")()).transactional_ddl is True
    assert DefaultImpl.get_by_dialect(mysql.dialect()).transactional_ddl is False


@pytest.mark.parametrize("declared", ["7d", (7, "d"), None])
def test_a_declared_pitr_is_not_in_create_table(declared):
    table = Table("t", MetaData(), Column("id", Integer), matrixone_pitr=declared, comment="c")
    sql = str(CreateTable(table).compile(dialect=registry.load("matrixone")()))
    assert "PITR" not in sql
    assert "COMMENT='c'" in sql
    assert "PITR" not in str(CreateTable(table).compile(dialect=mysql.dialect()))
