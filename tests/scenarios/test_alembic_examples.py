"""Run the example project on servers."""

import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from .alembic_project import DATABASE, database_fixture, pitrs, snapshots, tables, versions  # noqa: F401

EXAMPLES = Path(__file__).parents[2] / "migrations_examples"


@pytest.fixture
def alembic(server, database, monkeypatch):
    """Gives a configuration of the example, sync or async, with the server in MATRIXONE_URL."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "models", raising=False)

    def configure(driver="pymysql"):
        monkeypatch.setenv("MATRIXONE_URL", server.url(driver, database=database).render_as_string(False))
        return Config(str(EXAMPLES / "alembic.ini"), ini_section="alembic" if driver == "pymysql" else "async")

    return configure


@pytest.mark.parametrize("driver", ["pymysql", "aiomysql"])
def test_example_project_upgrades_and_downgrades(alembic, server, admin, driver):
    config = alembic(driver)
    command.upgrade(config, "0002")
    admin(f"INSERT INTO {DATABASE}.orders VALUES (1, 1, '2026-03-01 12:00:00', 12.34)")

    command.upgrade(config, "head")
    assert admin(f"SELECT price_in_cents FROM {DATABASE}.orders") == [(1234,)]
    assert pitrs(admin) == {"al_shop": ("database", "3mo")}
    assert versions(admin) == ["0004"]
    if server.release[:2] != (3, 0):  # whose catalog forgets the foreign keys of an altered table
        command.check(config)

    command.downgrade(config, "0002")
    assert [str(row[0]) for row in admin(f"SELECT price FROM {DATABASE}.orders")] == ["12.34"]
    assert pitrs(admin) == {"al_shop": ("database", "7d")}
    assert snapshots(admin) == [
        "alembic_0001_al_shop_base_0002",
        "alembic_0002_al_shop_0002_0004",
        "alembic_0003_al_shop_0004_0002",
    ]

    command.downgrade(config, "base")
    assert tables(admin) == ["alembic_version"]
    assert pitrs(admin) == {}


def test_example_go_back_restores_the_safety_snapshot(alembic, admin, server):
    config = alembic()
    command.upgrade(config, "0002")
    command.upgrade(config, "0004")

    import go_back

    assert go_back.go_back(server.url(database=DATABASE)) == "alembic_0002_al_shop_0002_0004"

    assert versions(admin) == ["0002"]
    assert "price" in [row[0] for row in admin(f"DESC {DATABASE}.orders")]
    admin("DROP SNAPSHOT shop_before_cents")
