"""Take a snapshot before migrations, and go back to it with one call."""

import logging

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from sqlalchemy_matrixone import SnapshotError
from sqlalchemy_matrixone.alembic.snapshots import restore_latest_snapshot

from .alembic_project import (
    DATABASE,
    Project,
    database_fixture,  # noqa: F401
    project_fixture,  # noqa: F401
    snapshots,
    tables,
    versions,
)

USERS = 'users = op.create_table("users", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))\n'


def restore(project):
    with project.engine.connect() as connection:
        return restore_latest_snapshot(connection)


def test_safety_snapshot_restores_a_failed_migration_with_committed_changes(project, admin, caplog):
    project.options["matrixone_keep_snapshots"] = 3
    project.revision("one", USERS + 'op.bulk_insert(users, [{"id": 1}, {"id": 2}])')
    project.upgrade()
    project.revision(
        "two",
        """
        op.execute("DELETE FROM users WHERE id = 2")
        with op.get_context().autocommit_block():
            op.execute("UPDATE users SET id = 7")
        op.add_column("users", sa.Column("name", sa.String(10)))
        op.create_pitr("al_p", range="1d", database=True)
        op.execute("INSERT INTO users (id) VALUES (7)")
        """,
    )
    with caplog.at_level(logging.INFO, "alembic.matrixone"), pytest.raises(DBAPIError, match=r"[Dd]uplicate"):
        project.upgrade()
    assert admin(f"SELECT * FROM {DATABASE}.users") == [(7, None)]
    assert "snapshot alembic_0002_al_shop_one_two keeps database al_shop" in caplog.text
    assert "restore_latest_snapshot(connection)" in caplog.text

    assert restore(project).name == "alembic_0002_al_shop_one_two"

    assert admin(f"SELECT * FROM {DATABASE}.users ORDER BY id") == [(1,), (2,)]
    assert versions(admin) == ["one"]


def test_safety_snapshots_keep_the_newest_and_spare_other_snapshots(project, admin):
    for name, last in (("one", None), ("two", "one"), ("three", "two")):
        assert project.last == last
        project.revision(
            name, f'op.create_table("t_{name}", sa.Column("id", sa.Integer))', f'op.drop_table("t_{name}")'
        )
    admin(f"CREATE SNAPSHOT al_mine FOR DATABASE {DATABASE}")
    admin(f"CREATE SNAPSHOT alembic_by_hand FOR DATABASE {DATABASE}")
    project.options["matrixone_keep_snapshots"] = 2

    project.upgrade("two")
    project.upgrade()
    project.downgrade("one")

    mine = ["al_mine", "alembic_by_hand"]
    assert snapshots(admin) == [*mine, "alembic_0002_al_shop_two_three", "alembic_0003_al_shop_three_one"]
    restore(project)
    assert versions(admin) == ["three"]
    assert tables(admin) == ["alembic_version", "t_one", "t_three", "t_two"]
    project.downgrade("base")
    assert snapshots(admin) == [*mine, "alembic_0003_al_shop_three_one", "alembic_0004_al_shop_three_base"]


def test_safety_snapshot_is_not_taken_if_nothing_is_migrated(project, admin):
    project.revision("one", USERS)
    project.upgrade()
    assert snapshots(admin) == []

    project.options["matrixone_keep_snapshots"] = 3
    project.upgrade()
    command.current(project.config())
    command.stamp(project.config(), "base")
    project.offline()
    assert snapshots(admin) == []

    with pytest.raises(SnapshotError) as caught:
        restore(project)
    assert caught.value.reason == "not_found"


def test_safety_snapshot_leaves_the_upgrade_atomic(project, admin):
    project.options["matrixone_keep_snapshots"] = 1
    project.revision("one", USERS)
    project.revision("two", 'op.drop_table("no_such_table")')

    with pytest.raises(DBAPIError):
        project.upgrade()

    assert tables(admin) == []
    assert snapshots(admin) == ["alembic_0001_al_shop_base_two"]


def test_safety_snapshot_name_is_shortened_and_sanitized(project, admin):
    project.options["matrixone_keep_snapshots"] = 1
    project.revision("2026_01_create_the_table", USERS)
    project.upgrade()
    assert snapshots(admin) == ["alembic_0001_al_shop_base_2026_01_create"]


OUTER_TRANSACTION = """
    from alembic import context

    given = context.config.attributes
    with given["engine"].begin() as connection:
        {before}
        context.configure(connection=connection, **given["options"])
        with context.begin_transaction():
            context.run_migrations()
"""


def test_safety_snapshot_in_a_transaction_of_env_py_needs_no_prior_statement(project, admin):
    project.options["matrixone_keep_snapshots"] = 1
    project.revision("one", USERS)
    project.env(OUTER_TRANSACTION.format(before="connection.exec_driver_sql('SELECT 1')"))
    with pytest.raises(CommandError, match="the snapshot before the migrations was not run"):
        project.upgrade()

    project.env(OUTER_TRANSACTION.format(before=""))
    project.upgrade()
    assert snapshots(admin) == ["alembic_0001_al_shop_base_one"]
    assert versions(admin) == ["one"]


@pytest.mark.parametrize("keep", [True, "3", -1])
def test_keep_snapshots_option_that_is_no_number_is_refused(project, keep):
    project.options["matrixone_keep_snapshots"] = keep
    project.revision("one", USERS)
    with pytest.raises(CommandError, match="pass the number of snapshots to keep"):
        project.upgrade()


def test_safety_snapshot_without_a_database_is_refused(tmp_path, server, admin):
    project = Project(tmp_path, server, server.url(), matrixone_keep_snapshots=1)
    project.revision("one", "pass")
    with pytest.raises(CommandError, match="requires a URL that names the database"):
        project.upgrade()
