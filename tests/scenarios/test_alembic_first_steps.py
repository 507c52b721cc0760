"""Run the first steps of docs/alembic.md as they are printed there."""

from __future__ import annotations

import logging.config
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest
from alembic.config import CommandLine

from .alembic_project import DATABASE, database_fixture, pitrs, tables, versions  # noqa: F401
from .server import Admin, Server

PAGE = (Path(__file__).parents[2] / "docs/alembic.md").read_text()
[SECTION] = re.findall(r"^## First steps in a new project\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
CONFIGURE = re.compile(r" +context\.configure\(\s*connection=connection, target_metadata=target_metadata\s*\)\n")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


def replace(path: Path, pattern: str | re.Pattern[str], text: str) -> None:
    replaced, number = re.subn(pattern, lambda _: text, path.read_text())
    assert number == 1, pattern
    path.write_text(replaced)


@pytest.fixture
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "models", raising=False)
    # It would disable the loggers of the other tests.
    monkeypatch.setattr(logging.config, "fileConfig", lambda *args, **kw: None)
    return tmp_path


def run(commands: str) -> None:
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "alembic"
        CommandLine().main(argv=arguments)  # exits if a command fails, as check does if it finds a difference


def test_first_steps_of_the_documentation(empty_directory: Path, server: Server, database: str, admin: Admin) -> None:
    init, first_migration = blocks("shell")
    [url] = blocks("ini")
    models, metadata, configure = blocks("python")

    run(init)
    ours = server.url(database=database).render_as_string(False)
    assert re.fullmatch(r"sqlalchemy\.url = matrixone\+pymysql://\S+\n", url)
    replace(empty_directory / "alembic.ini", r"sqlalchemy\.url = .*\n", f"sqlalchemy.url = {ours}\n")
    (empty_directory / "models.py").write_text(models)
    env = empty_directory / "migrations/env.py"
    replace(env, r"(?m)^target_metadata = None\n", metadata)
    replace(env, CONFIGURE, textwrap.indent(textwrap.dedent(configure), " " * 8))
    run(first_migration)

    [script] = (empty_directory / "migrations/versions").glob("*.py")
    upgrade, downgrade = script.read_text().split("def downgrade()")
    assert upgrade.index("op.create_table('customers'") < upgrade.index("op.create_pitr(range='7d', database=True)")
    assert downgrade.index("op.drop_pitr(database=True)") < downgrade.index("op.drop_table('customers')")
    assert tables(admin) == ["alembic_version", "customers"]
    assert pitrs(admin) == {DATABASE: ("database", "7d")}
    assert versions(admin) == ["0001"]
