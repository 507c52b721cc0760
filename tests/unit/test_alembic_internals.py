"""The effect of each use of Alembic's private API and undocumented state."""

from __future__ import annotations

from io import StringIO

import pytest
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import MetaData, Table, create_engine, text
from sqlalchemy.dialects import mysql

from sqlalchemy_matrixone.alembic._internals import (
    ExecutingImpl,
    owns_transaction,
    planned_migrations,
    running_context,
)

ENV = """
from alembic import context
from sqlalchemy import MetaData, Table, create_engine, text
from sqlalchemy.dialects import mysql
from sqlalchemy_matrixone.alembic._internals import planned_migrations, running_context

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection)
    seen = context.config.attributes["seen"]
    with context.begin_transaction():
        planned = planned_migrations(context.get_context())
        seen.append(None if planned is None else (planned.heads, [step.info.up_revision_id for step in planned.steps]))
        context.run_migrations()
"""

REVISION = """
revision, down_revision = {revision!r}, {before!r}

def upgrade():
    from alembic import op
    from sqlalchemy_matrixone.alembic._internals import running_context
    assert running_context() is op.get_context()

def downgrade():
    pass
"""


@pytest.fixture
def config(tmp_path):
    """Provide a project with two revisions on SQLite."""
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{tmp_path}/db")
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    for revision, before in (("a", None), ("b", "a")):
        path = tmp_path / "versions" / f"{revision}.py"
        path.write_text(REVISION.format(revision=revision, before=before))
    config.attributes["seen"] = []
    return config


def test_planned_migrations_are_those_of_an_upgrade_or_downgrade(config):
    command.upgrade(config, "head")
    command.upgrade(config, "head")
    command.downgrade(config, "-1")
    assert config.attributes["seen"] == [((), ["a", "b"]), (("b",), []), (("b",), ["b"])]


def test_planned_migrations_of_other_commands_are_none(config):
    command.stamp(config, "a")
    command.current(config)
    assert config.attributes["seen"] == [((), []), None]


def test_running_context_is_the_context_of_the_migrations():
    context = MigrationContext.configure(create_engine("sqlite://").connect())
    with Operations.context(context):
        assert running_context() is context


def test_running_context_without_one_is_refused():
    with pytest.raises(CommandError, match=r"nothing was migrated.*Operations\.context"):
        running_context()


def test_owns_transaction_only_if_alembic_has_begun_it():
    with create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection, opts={"transactional_ddl": True})
        assert not owns_transaction(context)
        with context.begin_transaction():
            assert owns_transaction(context)
        connection.begin()
        context = MigrationContext.configure(connection, opts={"transactional_ddl": True})
        with context.begin_transaction():
            assert not owns_transaction(context)


def test_planned_migrations_of_no_command_are_none():
    assert planned_migrations(MigrationContext.configure(create_engine("sqlite://").connect())) is None


def test_executing_impl_replaces_what_is_executed():
    class Louder(ExecutingImpl):
        def to_execute(self, construct):
            return text(str(construct).upper())

    printed = StringIO()
    implementation = Louder(mysql.dialect(), None, True, False, printed, {})
    implementation.execute(text("select 1"))
    implementation.drop_table(Table("t", MetaData()))
    assert printed.getvalue().split(";\n\n") == ["SELECT 1", "DROP TABLE T", ""]
