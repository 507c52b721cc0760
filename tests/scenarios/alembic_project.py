"""An Alembic project in a temporary directory, on a separate database."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL

import sqlalchemy_matrixone

from .client import drop_databases, make_databases
from .server import Admin, Rows, Server

DATABASE = "al_shop"

Run = Callable[[str], Rows]
"""Runs a statement: an Admin, or its unrecorded()."""

ENV = """
from alembic import context

given = context.config.attributes

if context.is_offline_mode():
    context.configure(url=given["url"], literal_binds=True, dialect_opts={"paramstyle": "named"}, **given["options"])
    with context.begin_transaction():
        context.run_migrations()
else:
    with given["engine"].connect() as connection:
        context.configure(connection=connection, target_metadata=given["metadata"], **given["options"])
        with context.begin_transaction():
            context.run_migrations()
"""

# Alembic's own template has the time of day in it.
TEMPLATE = """
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""

PLUGINS = ["alembic.autogenerate.*", "sqlalchemy_matrixone"]


class Project:
    """Revisions as a test writes them, and Alembic's commands on them."""

    def __init__(self, path: Path, server: Server, url: URL, **options: Any) -> None:
        self.path = path / "migrations"
        (self.path / "versions").mkdir(parents=True)
        (self.path / "env.py").write_text(ENV)
        (self.path / "script.py.mako").write_text(TEMPLATE)
        self.server = server
        self.engine = server.engine(url)
        self.metadata = MetaData()
        self.options = {"autogenerate_plugins": PLUGINS} | options
        self.last: str | None = None

    def config(self, **attributes: Any) -> Config:
        config = Config(output_buffer=io.StringIO(), stdout=io.StringIO())
        config.set_main_option("script_location", str(self.path))
        config.attributes.update(
            {"engine": self.engine, "url": self.engine.url, "metadata": self.metadata, "options": self.options},
            **attributes,
        )
        return config

    def env(self, text: str) -> None:
        (self.path / "env.py").write_text(textwrap.dedent(text))

    def revision(self, name: str, upgrade: str, downgrade: str = "pass") -> None:
        """Write a revision on top of the last one."""
        bodies = [textwrap.indent(textwrap.dedent(body).strip(), "    ") for body in (upgrade, downgrade)]
        (self.path / "versions" / f"{name}.py").write_text(
            "from alembic import op\nimport sqlalchemy as sa\n\n"
            f"revision = {name!r}\ndown_revision = {self.last!r}\n\n\n"
            f"def upgrade():\n{bodies[0]}\n\n\ndef downgrade():\n{bodies[1]}\n"
        )
        self.last = name

    def autogenerate(self, name: str) -> str:
        """Write a revision from the difference between metadata and server, and give its text."""
        command.revision(self.config(), autogenerate=True, rev_id=name, message=None)
        self.last = name
        script = ScriptDirectory.from_config(self.config()).get_revision(name)
        assert script is not None
        return Path(script.path).read_text()

    def upgrade(self, target: str = "head") -> None:
        command.upgrade(self.config(), target)

    def downgrade(self, target: str) -> None:
        command.downgrade(self.config(), target)

    def check(self) -> None:
        """Raise if autogenerate would have something to do."""
        command.check(self.config())

    def offline(self, target: str = "head", *, downgrade: bool = False, **attributes: Any) -> str:
        """Return what ``--sql`` prints."""
        config = self.config(**attributes)
        (command.downgrade if downgrade else command.upgrade)(config, target, sql=True)
        return config.output_buffer.getvalue()  # type: ignore[attr-defined]


def migrate(context: MigrationContext, metadata: MetaData) -> str:
    """Run the code that autogenerate renders to turn the database into the metadata, and return it."""
    source = render_python_code(produce_migrations(context, metadata).upgrade_ops, migration_context=context)
    names = {"op": Operations(context), "sa": sa, "mysql": mysql, "sqlalchemy_matrixone": sqlalchemy_matrixone}
    exec("if True:\n" + source, names)  # it is rendered as the body of a function
    return source


def statements(sql: str) -> list[str]:
    """Split what ``--sql`` prints into statements."""
    lines = [line for line in sql.splitlines() if line and not line.startswith("--")]
    return [statement.strip() for statement in ("\n".join(lines) + "\n").split(";\n") if statement.strip()]


def tables(admin: Admin, database: str = DATABASE) -> list[str]:
    return sorted(row[0] for row in admin(f"SHOW TABLES FROM {database}"))


def versions(admin: Admin, database: str = DATABASE) -> list[str]:
    if "alembic_version" not in tables(admin, database):
        return []
    return sorted(row[0] for row in admin(f"SELECT version_num FROM {database}.alembic_version"))


def pitrs(admin: Run, database: str = DATABASE) -> dict[str, tuple[str, str]]:
    """Return the object and the range of each PITR of the database and its tables, by name."""
    rows = admin(
        "SELECT pitr_name, level, table_name, pitr_length, pitr_unit FROM mo_catalog.mo_pitr "
        f"WHERE database_name = '{database}' ORDER BY pitr_name"
    )
    return {row[0]: (row[2] if row[1] == "table" else row[1], f"{row[3]}{row[4]}") for row in rows}


def snapshots(admin: Run, database: str = DATABASE) -> list[str]:
    rows = admin(f"SELECT sname FROM mo_catalog.mo_snapshots WHERE database_name = '{database}' ORDER BY ts, sname")
    return [row[0] for row in rows if not row[0].startswith("__mo_branch_")]


def make_database(admin: Admin, database: str = DATABASE) -> Iterator[str]:
    """Create an empty database, and drop it afterwards with its PITRs and snapshots."""

    def clear() -> None:
        for name in pitrs(admin.unrecorded, database):
            admin.unrecorded(f"DROP PITR `{name}`")
        for name in snapshots(admin.unrecorded, database):
            admin.unrecorded(f"DROP SNAPSHOT `{name}`")
        drop_databases(admin, database)

    clear()
    make_databases(admin, database)
    yield database
    clear()


@pytest.fixture(name="database")
def database_fixture(admin: Admin) -> Iterator[str]:
    yield from make_database(admin)


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, server: Server, database: str) -> Project:
    return Project(tmp_path, server, server.url(database=database))
