"""Migrations protect again what they have left unprotected, and nothing else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import CommandError
from sqlalchemy import Column, Connection, Integer, Table
from sqlalchemy.exc import OperationalError

from sqlalchemy_matrixone import PitrError, Recovery, RecoveryWarning, RestoreSnapshot

from .alembic_project import (
    DATABASE,
    database_fixture,  # noqa: F401
    make_database,
    pitrs,
    project_fixture,  # noqa: F401
    tables,
)
from .client import drop_accounts, make_account
from .relay import Cut, relayed

ORDERS = 'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))'
ALTER = 'op.add_column("orders", sa.Column("{0}", sa.Integer))'
ALTERED_BY_OTHERS = f"ALTER TABLE {DATABASE}.orders ADD COLUMN theirs INT"
PITR_OF_TABLE = 'op.create_pitr(range="7d", table="orders")'
PITR_OF_DATABASE = 'op.create_pitr(range="7d", database=True)'


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="alembic.matrixone")


def activity(project: Any, database: str = DATABASE) -> dict[str, tuple[str, str, bool | None]]:
    """Return the object, the range and the activity of each PITR of the database and its tables, by name."""
    with project.engine.connect() as connection:
        found = Recovery(connection).list_pitrs(database=database)
    return {pitr.name: (pitr.table or pitr.level, pitr.range, pitr.active) for pitr in found}


def with_pitr(project: Any, *revisions: str) -> None:
    """Create a table and its PITR in one run, and then run the revisions in another one."""
    project.revision("one", ORDERS)
    project.revision("two", PITR_OF_TABLE)
    project.upgrade()
    for number, revision in enumerate(revisions):
        project.revision(f"then_{number}", revision)
    project.upgrade()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    own = [record for record in caplog.records if record.name.startswith(("alembic", "sqlalchemy_matrixone."))]
    return [record.getMessage() for record in own if record.levelno >= logging.WARNING]


# -- what a run has made inactive


def test_drop_pitr_of_an_altered_table_in_the_same_revision_leaves_none(project, admin) -> None:
    with_pitr(project, ALTER.format("v") + '\nop.drop_pitr(table="orders")')
    assert pitrs(admin) == {}


def test_drop_pitr_of_a_database_is_not_undone_by_its_tables(project, admin, caplog) -> None:
    with_pitr(project, PITR_OF_DATABASE, ALTER.format("v") + "\nop.drop_pitr(database=True)")
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False)}
    assert any("al_shop.orders" in message and "nothing protects" in message for message in warnings_of(caplog))


DROP_PITR_OF_TABLE = 'op.drop_pitr(table="orders")'
AUTOCOMMIT_BLOCK = "with op.get_context().autocommit_block():\n    "


@pytest.mark.parametrize("drop", [DROP_PITR_OF_TABLE, 'op.drop_pitr("al_shop.orders")'])
def test_drop_pitr_after_an_alter_in_autocommit_leaves_none(project, admin, caplog, drop: str) -> None:
    project.engine = project.engine.execution_options(isolation_level="AUTOCOMMIT")
    with_pitr(project, ALTER.format("v") + "\n" + drop)
    assert pitrs(admin) == {}
    assert "dropped PITR al_shop__auto as well, which was created in place of PITR al_shop.orders" in caplog.messages


def test_drop_pitr_after_an_alter_in_an_autocommit_block_leaves_none(project, admin) -> None:
    with_pitr(project, AUTOCOMMIT_BLOCK + ALTER.format("v") + "\n" + DROP_PITR_OF_TABLE)
    assert pitrs(admin) == {}


def test_drop_pitr_in_a_later_revision_of_the_run_leaves_none(project, admin) -> None:
    project.options["transaction_per_migration"] = True
    with_pitr(project, ALTER.format("v"), DROP_PITR_OF_TABLE)
    assert pitrs(admin) == {}


def test_drop_pitr_in_a_later_run_leaves_none(project, admin, caplog) -> None:
    with_pitr(project, ALTER.format("v"))
    assert pitrs(admin) == {"al_shop.orders": ("orders", "7d"), "al_shop__auto": ("database", "7d")}
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {}
    assert warnings_of(caplog) == []


def test_drop_pitr_in_a_later_run_keeps_the_declared_pitr_of_the_database(project, admin, caplog) -> None:
    with_pitr(project, ALTER.format("v"))
    project.revision("adopt", PITR_OF_DATABASE)
    project.upgrade()
    assert "PITR al_shop__auto was created in place of inactive ones, and is kept" in "".join(caplog.messages)
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d")}
    [message] = warnings_of(caplog)
    assert "PITR al_shop__auto of database al_shop still protects table al_shop.orders" in message
    assert "op.drop_pitr('al_shop__auto')" in message


@pytest.mark.parametrize(
    ("name", "days"),
    [("al_shop__auto", 30), ("al_shop__auto__2", 9), ("al_shop__2", 7), ("al_shop_auto", 7), ("al_shop.auto", 7)],
)
def test_drop_pitr_in_a_later_run_keeps_a_pitr_that_others_created(project, admin, name: str, days: int) -> None:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    admin(f"CREATE PITR `{name}` FOR DATABASE {DATABASE} RANGE {days} 'd'")
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {name: ("database", f"{days}d")}


def test_drop_pitr_in_a_later_run_keeps_a_pitr_that_a_migration_created_by_name(project, admin) -> None:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    project.revision("own", 'op.create_pitr("al_shop__auto", range="7d", database=True)')
    project.upgrade()
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d")}


def test_drop_pitr_in_a_later_run_keeps_what_the_models_declare(project, admin, caplog) -> None:
    with_pitr(project, ALTER.format("v"))
    project.metadata.info["matrixone_pitr"] = "7d"
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d")}
    assert warnings_of(caplog) == []


def test_drop_pitr_in_a_later_run_keeps_the_history_of_a_dropped_table(project, admin) -> None:
    items = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
    alter_items = 'op.add_column("items", sa.Column("v", sa.Integer))'
    with_pitr(project, items + '\nop.create_pitr(range="7d", table="items")', ALTER.format("v"), alter_items)
    project.revision("drop", 'op.drop_table("items")')
    project.upgrade()
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d"), "al_shop.items": ("items", "7d")}


def test_drop_pitr_of_a_name_that_was_adopted_differently_names_the_adopted_one(project, admin) -> None:
    with_pitr(project, ALTER.format("v"))
    adopted = 'op.create_pitr("al_shop__2", range="7d", database=True)'
    project.revision("adopt", adopted, 'op.drop_pitr("al_shop__2")')
    project.upgrade()
    with pytest.raises(PitrError) as refused:
        project.downgrade("-1")
    assert "has used PITR 'al_shop__auto' instead" in refused.value.__notes__[0]
    assert "al_shop__auto" in pitrs(admin)


def test_drop_pitr_in_a_later_run_keeps_what_another_table_needs(project, admin) -> None:
    items = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
    alter_items = 'op.add_column("items", sa.Column("v", sa.Integer))'
    with_pitr(project, items + '\nop.create_pitr(range="3d", table="items")', ALTER.format("v"), alter_items)
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d"), "al_shop.items": ("items", "3d")}


def test_drop_pitr_keeps_what_is_in_place_of_the_pitr_of_another_table(project, admin) -> None:
    project.engine = project.engine.execution_options(isolation_level="AUTOCOMMIT")
    items = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
    own_pitr = 'op.create_pitr(range="3d", table="items")'
    alter_items = 'op.add_column("items", sa.Column("v", sa.Integer))'
    with_pitr(project, "\n".join((items, own_pitr, ALTER.format("v"), alter_items, DROP_PITR_OF_TABLE)))
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d"), "al_shop.items": ("items", "3d")}


def test_create_pitr_operation_that_exists_with_another_range_warns(project, admin) -> None:
    with_pitr(project)
    project.revision("again", 'op.create_pitr(range="9d", table="orders", if_not_exists=True)')
    with pytest.warns(RecoveryWarning, match=r"keeps its range of 7d; '9d' was not set.*op\.alter_pitr") as told:
        project.upgrade()
    assert [Path(warning.filename).name for warning in told] == ["again.py"]
    assert pitrs(admin) == {"al_shop.orders": ("orders", "7d")}


def with_second_pitr_of_database(project: Any, admin: Any) -> None:
    """Create the PITR of the database, replace the database, and create another PITR of it."""
    project.revision("one", ORDERS + "\n" + PITR_OF_DATABASE)
    project.upgrade()
    admin(f"CREATE SNAPSHOT al_then FOR DATABASE {DATABASE}")
    with project.engine.connect() as connection:
        connection.execute(RestoreSnapshot("al_then", database=DATABASE))
    admin("DROP SNAPSHOT al_then")
    admin(f"CREATE PITR al_shop__2 FOR DATABASE {DATABASE} RANGE 7 'd'")


def test_create_pitr_if_not_exists_beside_an_inactive_one_warns_of_another_range(project, admin) -> None:
    with_second_pitr_of_database(project, admin)
    project.revision("again", 'op.create_pitr(range="9d", database=True, if_not_exists=True)')
    with pytest.warns(RecoveryWarning, match=r"'al_shop__2' existed already, and keeps its range of 7d; '9d' was not"):
        project.upgrade()
    assert pitrs(admin) == {"al_shop": ("database", "7d"), "al_shop__2": ("database", "7d")}


def test_create_pitr_beside_an_inactive_one_names_the_active_one(project, admin) -> None:
    with_second_pitr_of_database(project, admin)
    project.revision("again", 'op.create_pitr(range="9d", database=True)')
    with pytest.raises(PitrError, match=r"change its range with alter_pitr\('al_shop__2', range=…\)"):
        project.upgrade()
    assert pitrs(admin) == {"al_shop": ("database", "7d"), "al_shop__2": ("database", "7d")}


def test_create_pitr_if_not_exists_of_an_automatic_name_adopts_the_pitr(project, admin) -> None:
    with_pitr(project, ALTER.format("v"))
    project.revision("own", 'op.create_pitr("al_shop__auto", range="7d", database=True, if_not_exists=True)')
    project.upgrade()
    project.revision("later", DROP_PITR_OF_TABLE)
    project.upgrade()
    assert pitrs(admin) == {"al_shop__auto": ("database", "7d")}


def test_create_pitr_adopts_what_the_run_created_in_place_of_another(project, admin) -> None:
    project.engine = project.engine.execution_options(isolation_level="AUTOCOMMIT")
    longer = 'op.create_pitr(range="9d", database=True)'
    with_pitr(project, "\n".join((ALTER.format("v"), longer, DROP_PITR_OF_TABLE)))
    assert pitrs(admin) == {"al_shop__auto": ("database", "9d")}


def test_drop_pitr_before_a_commit_of_the_same_run_is_not_undone(project, admin) -> None:
    project.options["transaction_per_migration"] = True
    with_pitr(
        project, ALTER.format("v"), 'op.drop_pitr(table="orders")\nop.drop_pitr(database=True)', ALTER.format("w")
    )
    assert pitrs(admin) == {}


def test_pitr_that_others_made_inactive_stays_so_and_is_reported(project, admin, caplog) -> None:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    project.revision("three", ALTER.format("v"))
    project.upgrade()
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False)}
    [message] = warnings_of(caplog)
    assert f"Recovery.reactivate_pitrs(database='{DATABASE}')" in message


@pytest.mark.parametrize("has_revision", [False, True], ids=["at head", "with a revision"])
def test_declared_pitr_that_is_inactive_before_a_run_is_active_after_it(project, caplog, admin, has_revision) -> None:
    # So it is if an earlier run was killed between its COMMIT and the reactivation.
    with_pitr(project)
    columns = Column("id", Integer, primary_key=True), Column("theirs", Integer)
    orders = Table("orders", project.metadata, *columns, matrixone_pitr="7d")
    admin(ALTERED_BY_OTHERS)
    with pytest.raises(CommandError, match="create_pitr"):
        project.check()
    assert set(activity(project)) == {"al_shop.orders"}
    caplog.clear()
    if has_revision:
        project.revision("three", ALTER.format("v"))
        orders.append_column(Column("v", Integer))
    project.upgrade()
    assert activity(project)["al_shop__auto"] == ("database", "7d", True)
    assert "PITR al_shop__auto protects database al_shop after the migration" in caplog.messages
    assert warnings_of(caplog) == []
    project.check()


@pytest.mark.parametrize("isolation_level", ["READ COMMITTED", "AUTOCOMMIT"])
def test_declared_table_whose_protection_a_downgrade_drops_is_protected_again(
    project, caplog, admin, isolation_level: str
) -> None:
    project.engine = project.engine.execution_options(isolation_level=isolation_level)
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    project.revision("again", PITR_OF_DATABASE, "op.drop_pitr(database=True)")
    project.upgrade()
    columns = Column("id", Integer, primary_key=True), Column("theirs", Integer)
    Table("orders", project.metadata, *columns, matrixone_pitr="7d")
    caplog.clear()
    project.downgrade("-1")
    assert activity(project) == {
        "al_shop.orders": ("orders", "7d", False),
        "al_shop__auto": ("database", "7d", True),
    }
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("isolation_level", ["READ COMMITTED", "AUTOCOMMIT"])
def test_declared_table_that_a_downgrade_creates_again_is_protected(project, caplog, isolation_level: str) -> None:
    project.engine = project.engine.execution_options(isolation_level=isolation_level)
    with_pitr(project)
    project.revision("drop", 'op.drop_table("orders")', ORDERS)
    project.upgrade()
    Table("orders", project.metadata, Column("id", Integer, primary_key=True), matrixone_pitr="7d")
    project.downgrade("-1")
    assert activity(project) == {
        "al_shop.orders": ("orders", "7d", False),
        "al_shop__auto": ("database", "7d", True),
    }
    assert warnings_of(caplog) == []


def test_alter_pitr_that_the_run_protects_again_does_not_warn(project) -> None:
    alter_pitr = 'op.alter_pitr(table="orders", range="9d")'
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecoveryWarning)
        with_pitr(project, ALTER.format("v") + "\n" + alter_pitr)
    assert activity(project) == {
        "al_shop.orders": ("orders", "9d", False),
        "al_shop__auto": ("database", "9d", True),
    }


def test_alter_pitr_that_others_made_inactive_warns(project, admin) -> None:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    project.revision("alter", 'op.alter_pitr(table="orders", range="9d")')
    with pytest.warns(RecoveryWarning, match="To protect the object that replaced it, call"):
        project.upgrade()


def test_net_before_migrations_reports_a_pitr_that_others_made_inactive(project, admin, caplog) -> None:
    project.options["matrixone_keep_snapshots"] = 1
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    project.revision("three", "pass")
    project.upgrade()
    [message] = warnings_of(caplog)
    assert "PITR al_shop.orders of table al_shop.orders is inactive" in message


def test_inactive_pitr_of_another_database_is_neither_reported_nor_reactivated(project, admin, caplog) -> None:
    other = make_database(admin, "al_other")
    next(other)
    admin("CREATE TABLE al_other.orders (id INT PRIMARY KEY)")
    admin("CREATE PITR al_others FOR TABLE al_other orders RANGE 2 'd'")
    admin("ALTER TABLE al_other.orders ADD COLUMN v INT")
    with_pitr(project, ALTER.format("v"))
    assert activity(project, "al_other") == {"al_others": ("orders", "2d", False)}
    assert warnings_of(caplog) == []
    next(other, None)


def test_pitr_of_a_migrated_table_in_another_database_is_active_after_the_migration(project, admin) -> None:
    other = make_database(admin, "al_other")
    next(other)
    admin("CREATE TABLE al_other.orders (id INT PRIMARY KEY)")
    admin("CREATE PITR al_others FOR TABLE al_other orders RANGE 2 'd'")
    project.revision("one", 'op.add_column("orders", sa.Column("v", sa.Integer), schema="al_other")')
    project.upgrade()
    assert activity(project, "al_other") == {
        "al_others": ("orders", "2d", False),
        "al_other__auto": ("database", "2d", True),
    }
    next(other, None)


def test_pitr_is_created_in_the_revision_that_altered_its_table(project, admin) -> None:
    with_pitr(project, ALTER.format("v") + '\nop.create_pitr("al_own", range="3d", database=True)')
    # The operation protects the table again, and is lengthened to the range of the table's PITR.
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False), "al_own": ("database", "7d", True)}


def test_restore_in_a_migration_leaves_what_others_made_inactive(project, admin) -> None:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    admin(f"CREATE SNAPSHOT al_then FOR DATABASE {DATABASE}")
    project.revision("three", 'op.restore_snapshot("al_then", table="orders")')
    project.upgrade()
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False)}


@pytest.fixture(name="tenant")
def tenant_fixture(project, admin, server) -> Iterator[Any]:
    """Let the project migrate a database of an account that cannot see which ids PITRs hold."""
    make_account(admin, "al_acc")
    url = server.url(user="al_acc:admin", password="111")
    with server.engine(url).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
        connection.commit()
    project.engine = server.engine(url.set(database=DATABASE))
    yield project
    drop_accounts(admin, "al_acc")


def with_pitr_of_unknown_activity(project: Any) -> None:
    """Create a table and its PITR in the same second."""
    with project.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while True:
            connection.exec_driver_sql("CREATE TABLE orders (id INT PRIMARY KEY)")
            connection.exec_driver_sql(f"CREATE PITR `al_shop.orders` FOR TABLE {DATABASE} orders RANGE 7 'd'")
            if [pitr.active for pitr in Recovery(connection).list_pitrs()] == [None]:
                return
            connection.exec_driver_sql("DROP PITR `al_shop.orders`")
            connection.exec_driver_sql("DROP TABLE orders")


@pytest.mark.parametrize("isolation_level", ["READ COMMITTED", "AUTOCOMMIT"])
@pytest.mark.parametrize("is_renamed", [False, True], ids=["altered", "renamed and altered"])
def test_table_whose_pitr_is_of_unknown_activity_stays_protected(
    tenant, isolation_level: str, is_renamed: bool
) -> None:
    with_pitr_of_unknown_activity(tenant)
    tenant.engine = tenant.engine.execution_options(isolation_level=isolation_level)
    tenant.revision("alter", RENAME + "\n" + ALTER_RENAMED if is_renamed else ALTER.format("v"))
    tenant.upgrade()
    assert activity(tenant)["al_shop__auto"][:2] == ("database", "7d")


def test_table_whose_pitr_is_of_unknown_activity_is_not_replaced_by_an_index(tenant, caplog) -> None:
    with_pitr_of_unknown_activity(tenant)
    tenant.revision("index", 'op.create_index("ix", "orders", ["id"])\n' + RENAME)
    tenant.upgrade()
    assert set(activity(tenant)) == {"al_shop.orders"}
    assert warnings_of(caplog) == []


@pytest.mark.live
@pytest.mark.parametrize(("cut", "is_committed"), [("after", True), ("before", False)])
def test_pitr_after_a_commit_whose_connection_was_lost(project, server, caplog, cut: Cut, is_committed: bool) -> None:
    with_pitr(project)
    with relayed(server.host, server.port, "\x03COMMIT", cut) as port:  # not SET AUTOCOMMIT
        server.port = port
        project.engine = server.engine(server.url(database=DATABASE))
        project.revision("lost", ALTER.format("v"))
        with pytest.raises(OperationalError):
            project.upgrade()
        assert activity(project)["al_shop.orders"] == ("orders", "7d", not is_committed)
        assert ("al_shop__auto" in activity(project)) is is_committed
        project.upgrade()  # if nothing was committed, the migration is repeated
        assert activity(project)["al_shop__auto"] == ("database", "7d", True)
        assert warnings_of(caplog) == []
        project.engine.dispose()


# -- tables that are renamed

RENAME = 'op.rename_table("orders", "purchases")'
ALTER_RENAMED = 'op.add_column("purchases", sa.Column("v", sa.Integer))'
RAW_RENAME = f'op.execute("ALTER TABLE {DATABASE}.orders RENAME TO {DATABASE}.purchases")'


def test_pitr_of_a_renamed_table_is_active_and_names_it(project, admin) -> None:
    with_pitr(project, RENAME)
    assert activity(project) == {"al_shop.orders": ("orders", "7d", True)}
    with project.engine.connect() as connection:
        [pitr] = Recovery(connection).list_pitrs(database=DATABASE)
        assert pitr.renamed_to == "purchases"
        assert Recovery(connection).reactivate_pitrs() == []


@pytest.mark.parametrize("isolation_level", ["READ COMMITTED", "AUTOCOMMIT"])
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
def test_table_that_is_renamed_and_altered_stays_protected(project, isolation_level: str, together: bool) -> None:
    project.engine = project.engine.execution_options(isolation_level=isolation_level)
    project.options["transaction_per_migration"] = not together
    with_pitr(project, RENAME, ALTER_RENAMED)
    assert activity(project)["al_shop__auto"] == ("database", "7d", True)


def test_table_that_is_renamed_and_altered_in_two_runs_stays_protected(project, admin) -> None:
    with_pitr(project, RENAME)
    project.revision("later", ALTER_RENAMED)
    project.upgrade()
    assert activity(project)["al_shop__auto"] == ("database", "7d", True)


def test_table_that_text_renames_and_an_operation_alters_is_reported(project, caplog) -> None:
    with_pitr(project, RAW_RENAME + "\n" + ALTER_RENAMED)
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False)}
    [message] = warnings_of(caplog)
    assert "PITR al_shop.orders of table al_shop.orders is inactive" in message
    assert "op.create_pitr(range='7d', database='al_shop')" in message


def test_rename_that_is_rolled_back_is_not_followed(project, admin, caplog) -> None:
    with_pitr(project)
    project.revision("failing", RENAME + '\nraise ValueError("on purpose")')
    with pytest.raises(ValueError, match="on purpose"):
        project.upgrade()
    assert activity(project) == {"al_shop.orders": ("orders", "7d", True)}


def test_dropped_table_with_a_pitr_is_not_reported_as_renamed(project, caplog) -> None:
    with_pitr(project, 'op.drop_table("orders")')
    assert activity(project) == {"al_shop.orders": ("orders", "7d", False)}
    assert warnings_of(caplog) == []


def test_reactivation_of_a_table_that_others_renamed_and_altered(project, admin, caplog, server) -> None:
    with_pitr(project)
    admin(f"ALTER TABLE {DATABASE}.orders RENAME TO {DATABASE}.purchases")
    admin(f"ALTER TABLE {DATABASE}.purchases ADD COLUMN theirs INT")
    with project.engine.connect() as connection:
        created = Recovery(connection).reactivate_pitrs(database=DATABASE)
    if server.release >= (4, 1):
        assert [pitr.name for pitr in created] == ["al_shop__auto"]
    else:
        assert created == []
        [message] = warnings_of(caplog)
        assert "PITR al_shop.orders of table al_shop.orders is inactive" in message


def test_declared_pitr_of_a_renamed_table_is_no_difference(project, admin) -> None:
    with_pitr(project, RENAME)
    Table("purchases", project.metadata, Column("id", Integer, primary_key=True), matrixone_pitr="7d")
    project.check()


def test_drop_pitr_of_a_renamed_table_by_either_name(project, admin) -> None:
    with_pitr(project, RENAME + '\nop.drop_pitr(table="purchases")')
    assert pitrs(admin) == {}


# -- without run_migrations()


@pytest.mark.parametrize("isolation_level", ["READ COMMITTED", "AUTOCOMMIT"])
def test_operations_without_a_run_keep_the_pitr_active(project, isolation_level: str) -> None:
    with_pitr(project)
    with project.engine.connect().execution_options(isolation_level=isolation_level) as connection:
        Operations(MigrationContext.configure(connection)).add_column("orders", Column("v", Integer))
        if isolation_level != "AUTOCOMMIT":
            assert set(activity(project)) == {"al_shop.orders"}
            connection.commit()
        assert activity(project)["al_shop__auto"][0] == "database"


def test_autocommit_block_keeps_the_pitr_active(project) -> None:
    with_pitr(project, "with op.get_context().autocommit_block():\n    " + ALTER.format("v"))
    assert activity(project)["al_shop__auto"][0] == "database"


# -- PITRs by their object


def recreated(project: Any, admin: Any, operation: str = PITR_OF_DATABASE) -> None:
    """Protect a database, and then drop and create it."""
    project.revision("one", operation)
    project.upgrade()
    admin(f"DROP DATABASE {DATABASE}")
    admin(f"CREATE DATABASE {DATABASE}")


def test_create_pitr_of_a_database_that_was_created_again_keeps_the_former_pitr(project, admin) -> None:
    recreated(project, admin)
    project.upgrade()
    assert activity(project) == {"al_shop": ("database", "7d", False), "al_shop__2": ("database", "7d", True)}


def test_create_pitr_that_need_not_exist_protects_a_database_that_was_created_again(project, admin) -> None:
    recreated(project, admin, 'op.create_pitr(range="1d", database=True, if_not_exists=True)')
    project.upgrade()
    assert activity(project)["al_shop__2"] == ("database", "1d", True)


def test_create_pitr_under_the_name_of_an_inactive_one_is_refused(project, admin) -> None:
    recreated(project, admin)
    with project.engine.connect() as connection, pytest.raises(PitrError, match=r"Choose another name; or drop it"):
        Recovery(connection).create_pitr("al_shop", range="1d", database=DATABASE)


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (PITR_OF_TABLE, r"alter_pitr\('al_shop\.orders', range=…\), or pass if_not_exists=True"),
        ('op.create_pitr("al_again", range="9d", table="orders")', r"alter_pitr\('al_shop\.orders', range=…\)\."),
        ('op.create_pitr("al_shop.orders", range="9d", database=True)', "choose another name"),
    ],
    ids=["name and object", "object", "name"],
)
def test_create_pitr_that_exists_error_says_what_to_do(project, operation: str, advice: str) -> None:
    with_pitr(project)
    project.revision("again", operation)
    with pytest.raises(PitrError, match=advice):
        project.upgrade()


def test_drop_pitr_of_a_database_drops_its_successors(project, admin) -> None:
    recreated(project, admin)
    project.upgrade()
    project.revision("two", "op.drop_pitr(database=True)")
    project.upgrade()
    assert pitrs(admin) == {}


def test_drop_pitr_by_name_drops_no_other(project, admin, caplog) -> None:
    recreated(project, admin)
    project.upgrade()
    project.revision("two", 'op.drop_pitr("al_shop")')
    project.upgrade()
    assert set(pitrs(admin)) == {"al_shop__2"}
    assert "PITR al_shop__2 of database al_shop still protects database al_shop" in caplog.messages


def test_alter_pitr_of_a_database_alters_its_successors(project, admin) -> None:
    recreated(project, admin)
    project.upgrade()
    project.revision("two", 'op.alter_pitr(range="3mo", database=True)')
    project.upgrade()
    assert pitrs(admin) == {"al_shop": ("database", "3mo"), "al_shop__2": ("database", "3mo")}


def test_alter_pitr_of_a_successor_whose_former_pitr_is_gone(project, admin) -> None:
    recreated(project, admin)
    project.upgrade()
    admin("DROP PITR al_shop")
    project.revision("two", 'op.alter_pitr(range="3mo", database=True)')
    project.upgrade()
    assert pitrs(admin) == {"al_shop__2": ("database", "3mo")}


def test_create_pitr_of_a_database_of_another_account_is_undone(project, admin, server) -> None:
    make_account(admin, "al_acc")
    try:
        with server.engine(server.url(user="al_acc:admin", password="111")).connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE al_theirs")
            connection.commit()
        project.revision("one", 'op.create_pitr(range="1d", database="al_theirs")')
        with pytest.raises(PitrError):
            project.upgrade()
        assert pitrs(admin, "al_theirs") == {}
    finally:
        drop_accounts(admin, "al_acc")


# -- Recovery


@pytest.fixture(name="inactive")
def inactive_fixture(project, admin) -> Iterator[Connection]:
    with_pitr(project)
    admin(ALTERED_BY_OTHERS)
    with project.engine.connect() as connection:
        yield connection


def test_create_pitr_that_exists_inactive_warns(inactive: Connection) -> None:
    with pytest.warns(RecoveryWarning, match=r"inactive: .* PITR 'al_shop__auto' of database al_shop protects"):
        Recovery(inactive).create_pitr(
            "al_shop.orders", range="7d", table="orders", database=DATABASE, if_not_exists=True
        )


def test_create_pitr_that_exists_for_another_object_warns(inactive: Connection) -> None:
    with pytest.warns(RecoveryWarning, match=r"belongs to table al_shop\.orders"):
        Recovery(inactive).create_pitr("al_shop.orders", range="7d", database=DATABASE, if_not_exists=True)


def test_alter_pitr_that_is_inactive_warns(inactive: Connection) -> None:
    with pytest.warns(RecoveryWarning, match=r"call Recovery\.reactivate_pitrs\(database='al_shop'\)"):
        Recovery(inactive).alter_pitr("al_shop.orders", range="8d")


def test_restore_leaves_what_was_inactive_before(inactive: Connection, project) -> None:
    recovery = Recovery(inactive)
    recovery.create_snapshot("al_then", database=DATABASE)
    recovery.restore_snapshot("al_then", database=DATABASE, table="orders")
    assert set(activity(project)) == {"al_shop.orders"}


def test_restore_of_a_dropped_table_reactivates_its_pitr(project, admin) -> None:
    with_pitr(project)
    with project.engine.connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("al_then", database=DATABASE)
        admin(f"DROP TABLE {DATABASE}.orders")
        recovery.restore_snapshot("al_then", database=DATABASE, table="orders")
    assert activity(project)["al_shop__auto"][2] is not False


# -- commit_first


def test_operation_that_must_not_commit_is_refused_after_a_write(project, admin) -> None:
    project.revision("one", ORDERS + '\nop.create_pitr(range="1d", database=True, commit_first=False)')
    with pytest.raises(CommandError, match="would commit what the migrations have written"):
        project.upgrade()
    assert pitrs(admin) == {}
    assert "orders" not in tables(admin)


def test_operation_that_must_not_commit_runs_first_in_its_revision(project, admin) -> None:
    project.options["transaction_per_migration"] = True
    project.revision("one", ORDERS)
    project.revision("two", 'op.create_pitr(range="1d", database=True, commit_first=False)')
    project.upgrade()
    assert pitrs(admin) == {"al_shop": ("database", "1d")}
