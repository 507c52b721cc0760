"""Recovery operations in migrations leave the migration's transaction and enter it again."""

import logging
import time

import pytest
from alembic.util import CommandError
from sqlalchemy.exc import CompileError, DBAPIError

from sqlalchemy_matrixone import PitrError

from .alembic_project import (
    DATABASE,
    Project,
    database_fixture,  # noqa: F401
    make_database,
    pitrs,
    project_fixture,  # noqa: F401
    snapshots,
    statements,
    tables,
    versions,
)
from .client import drop_accounts, drop_databases, make_account

ORDERS = 'orders = op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))'


def rows(admin, table="orders"):
    return [row[0] for row in admin(f"SELECT id FROM {DATABASE}.{table} ORDER BY id")]


def test_pitr_operations_create_alter_and_drop(project, admin):
    project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")', 'op.drop_pitr(table="orders")')
    project.revision("two", 'op.alter_pitr(table="orders", range="3mo")', 'op.alter_pitr(table="orders", range="7d")')
    project.revision("three", 'op.create_pitr("al_whole", range="2h", database=True)', 'op.drop_pitr("al_whole")')

    project.upgrade("two")
    assert pitrs(admin) == {"al_shop.orders": ("orders", "3mo")}

    project.upgrade()
    assert pitrs(admin) == {"al_shop.orders": ("orders", "3mo"), "al_whole": ("database", "2h")}
    assert versions(admin) == ["three"]

    project.downgrade("one")
    assert pitrs(admin) == {"al_shop.orders": ("orders", "7d")}

    project.downgrade("base")
    assert pitrs(admin) == {}
    assert versions(admin) == []


TENANT = "al_tenant"


@pytest.fixture
def tenant(admin):
    yield from make_database(admin, TENANT)


def test_operations_with_a_translated_default_schema_protect_its_database(project, tenant, admin):
    project.engine = project.engine.execution_options(schema_translate_map={None: tenant})
    project.options |= {"version_table_schema": tenant, "matrixone_keep_snapshots": 1}
    create = 'op.create_pitr(range="7d", table="orders")\nop.create_pitr(range="2h", database=True)'
    project.revision("one", f"{ORDERS}\n{create}", 'op.drop_pitr(table="orders")\nop.drop_pitr(database=True)')
    project.revision("two", 'op.alter_pitr(range="3h", database=True)\nop.create_snapshot("al_s", table="orders")')

    project.upgrade("one")
    assert tables(admin, tenant) == ["alembic_version", "orders"]
    assert pitrs(admin, tenant) == {tenant: ("database", "2h"), f"{tenant}.orders": ("orders", "7d")}
    assert pitrs(admin) == {}
    project.upgrade()
    assert pitrs(admin, tenant)[tenant] == ("database", "3h")
    assert len(snapshots(admin, tenant)) == 2
    project.downgrade("base")
    assert pitrs(admin, tenant) == {}


def test_recovery_operation_commits_earlier_statements_and_logs_it(project, admin, caplog):
    project.revision(
        "one",
        ORDERS
        + """
        op.execute("INSERT INTO orders VALUES (1)")
        op.create_snapshot("al_before", table="orders")
        op.execute("INSERT INTO orders VALUES (2)")
        op.create_table("more", sa.Column("id", sa.Integer))
        op.execute("INSERT INTO orders VALUES (2)")
        """.replace("\n        ", "\n"),
    )

    with caplog.at_level(logging.INFO, "alembic.matrixone"), pytest.raises(DBAPIError, match=r"[Dd]uplicate"):
        project.upgrade()

    assert tables(admin) == ["alembic_version", "orders"]
    assert rows(admin) == [1]
    assert versions(admin) == []
    assert snapshots(admin) == ["al_before"]
    assert "op.create_snapshot('al_before'): committed what ran before it" in caplog.text


def test_snapshot_operations_create_restore_and_drop(project, admin):
    project.revision("one", ORDERS + '\nop.bulk_insert(orders, [{"id": 1}])')
    project.revision("two", 'op.create_snapshot("al_before", table="orders", if_not_exists=True)')
    project.revision("three", 'op.execute("UPDATE orders SET id = id + 100")')
    project.revision("four", 'op.restore_snapshot("al_before", table="orders")\nop.drop_snapshot("al_before")')

    project.upgrade("three")
    assert rows(admin) == [101]

    project.upgrade()
    assert rows(admin) == [1]
    assert snapshots(admin) == []
    assert versions(admin) == ["four"]


@pytest.mark.releases(since=(3, 0))
def test_restore_operation_restores_a_table_beside_the_present_one(project, admin):
    project.revision("one", ORDERS + '\nop.bulk_insert(orders, [{"id": 1}])')
    project.revision("two", 'op.create_snapshot("al_before", table="orders")')
    project.revision(
        "three",
        'op.execute("UPDATE orders SET id = id + 100")\n'
        'op.restore_snapshot("al_before", table="orders", as_name="orders_before")',
        'op.drop_table("orders_before")',
    )
    project.upgrade()
    assert rows(admin) == [101]
    assert rows(admin, "orders_before") == [1]
    project.downgrade("two")
    assert tables(admin) == ["alembic_version", "orders"]


@pytest.mark.releases(until=(3, 0))
def test_restore_operation_under_another_name_before_3_0_commits_nothing(project, admin):
    project.revision("one", ORDERS + '\nop.restore_snapshot("al_before", table="orders", as_name="orders_before")')
    with pytest.raises(CommandError, match=r"as_name= needs MatrixOne 3\.0\.0 or later"):
        project.upgrade()
    assert tables(admin) == []


def test_restore_pitr_operation_restores_a_table(project, server, admin):
    project.revision(
        "one", ORDERS + '\nop.bulk_insert(orders, [{"id": 1}])\nop.create_pitr(range="1h", table="orders")'
    )
    project.upgrade()
    time.sleep(2 if server.live else 0)
    [(moment,)] = admin("SELECT CAST(NOW() AS VARCHAR(30))")
    time.sleep(1 if server.live else 0)
    admin(f"UPDATE {DATABASE}.orders SET id = 2")
    project.revision("two", f'op.restore_pitr("{DATABASE}.orders", server_time="{moment[:19]}", table="orders")')

    project.upgrade()

    assert rows(admin) == [1]


def test_bare_construct_in_a_migration_error_names_the_operation(project, admin):
    project.revision(
        "one",
        """
        from sqlalchemy_matrixone import CreatePitr
        op.execute(CreatePitr("al_p", range="1d", database="al_shop"))
        """,
    )

    with pytest.raises(PitrError, match=r"op\.create_pitr\(\)"):
        project.upgrade()

    assert pitrs(admin) == {}


OUTER_TRANSACTION = """
    from alembic import context

    given = context.config.attributes
    with given["engine"].begin() as connection:
        context.configure(connection=connection, **given["options"])
        with context.begin_transaction():
            context.run_migrations()
"""

NO_TRANSACTION = """
    from alembic import context

    given = context.config.attributes
    with given["engine"].connect() as connection:
        context.configure(connection=connection, **given["options"])
        context.run_migrations()
"""


@pytest.mark.parametrize("env", [OUTER_TRANSACTION, NO_TRANSACTION], ids=["outer", "none"])
def test_recovery_operation_does_not_commit_a_foreign_transaction(project, admin, env):
    project.env(env)
    project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")')

    with pytest.raises(CommandError, match=r"was begun outside of Alembic.*context\.begin_transaction\(\)"):
        project.upgrade()

    assert tables(admin) == []
    assert pitrs(admin) == {}


def test_recovery_operation_on_an_autocommit_engine_commits_nothing(tmp_path, server, database, admin, caplog):
    project = Project(tmp_path, server, server.url(database=database))
    project.engine = project.engine.execution_options(isolation_level="AUTOCOMMIT")
    project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")')

    with caplog.at_level(logging.INFO, "alembic.matrixone"):
        project.upgrade()

    assert pitrs(admin) == {"al_shop.orders": ("orders", "7d")}
    assert "committed" not in caplog.text


ASYNC = """
    import asyncio

    from alembic import context

    given = context.config.attributes

    def migrate(connection):
        context.configure(connection=connection, target_metadata=given["metadata"], **given["options"])
        with context.begin_transaction():
            context.run_migrations()

    async def connect():
        engine = given["async_engine"]()
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(connect())
"""


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
def test_recovery_operations_run_on_an_async_engine(project, server, admin, driver):
    project.env(ASYNC)
    project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")', 'op.drop_pitr(table="orders")')
    project.revision("two", 'op.alter_pitr(table="orders", range="3mo")')
    config = project.config
    project.config = lambda: config(async_engine=lambda: server.async_engine(url=server.url(driver, database=DATABASE)))

    project.upgrade()
    assert pitrs(admin) == {"al_shop.orders": ("orders", "3mo")}

    project.downgrade("base")
    assert pitrs(admin) == {}


def test_offline_sql_of_recovery_operations_runs_on_the_server(tmp_path, server, database, admin):
    release = ".".join(map(str, server.release))
    project = Project(tmp_path, server, server.url(database=database, server_version=release))
    project.revision(
        "one",
        ORDERS
        + """
op.bulk_insert(orders, [{"id": 1}])
op.create_pitr("al_100%", range="7d", table="orders")
op.create_snapshot("al_before", table="orders")
op.execute("UPDATE orders SET id = 2")
op.restore_snapshot("al_before", table="orders")
op.alter_pitr("al_100%", range=(3, "mo"))
""",
        'op.drop_snapshot("al_before")\nop.drop_pitr("al_100%")\nop.drop_table("orders")',
    )

    up, down = statements(project.offline()), statements(project.offline("one:base", downgrade=True))
    assert up[0] == "BEGIN"
    assert up[-1] == "COMMIT"
    admin(f"USE {DATABASE}")
    for statement in up:
        admin(statement)

    assert rows(admin) == [1]
    assert versions(admin) == ["one"]
    assert pitrs(admin) == {"al_100%": ("orders", "3mo")}

    for statement in down:
        admin(statement)

    assert tables(admin) == ["alembic_version"]
    assert pitrs(admin) == {}
    assert snapshots(admin) == []


def test_recovery_operations_run_as_another_account(tmp_path, server, admin):
    make_account(admin, "al_acc")
    try:
        url = server.url(user="al_acc:admin", password="111")
        with server.engine(url).connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE al_shop")
            connection.commit()
        project = Project(tmp_path, server, url.set(database="al_shop"))
        project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")', 'op.drop_pitr(table="orders")')
        project.revision("two", 'op.create_pitr("al_all", range="1d")', 'op.drop_pitr("al_all")')
        project.upgrade()
        with project.engine.connect() as connection:
            shown = [row[0] for row in connection.exec_driver_sql("SHOW PITR")]
        assert sorted(shown) == ["al_all", "al_shop.orders"]

        project.downgrade("base")
        with project.engine.connect() as connection:
            assert list(connection.exec_driver_sql("SHOW PITR")) == []
    finally:
        drop_accounts(admin, "al_acc")


def test_pitr_operations_on_two_databases_do_not_collide(tmp_path, server, admin):
    first, second = make_database(admin, "al_east"), make_database(admin, "al_west")
    for name in (next(first), next(second)):
        project = Project(tmp_path / name, server, server.url(database=name))
        project.revision("one", ORDERS + '\nop.create_pitr(range="7d", table="orders")')
        project.upgrade()

    assert pitrs(admin, "al_east") == {"al_east.orders": ("orders", "7d")}
    assert pitrs(admin, "al_west") == {"al_west.orders": ("orders", "7d")}
    for made in (first, second):
        assert next(made, None) is None


CLONES = """
op.clone_database("al_copy", "al_shop")
op.clone_table("orders_copy", "orders", snapshot="al_then")
op.create_branch("orders_dev", "orders")
op.drop_branch("orders_dev")
"""


@pytest.fixture
def cloning(project, admin):
    """Provide a table with one row more than in its snapshot."""
    drop_databases(admin, "al_copy")
    project.revision("one", ORDERS + '\nop.bulk_insert(orders, [{"id": 1}])')
    insert = 'op.execute("INSERT INTO orders VALUES (2)")'
    project.revision("two", 'op.create_snapshot("al_then", table="orders")\n' + insert)
    yield project
    drop_databases(admin, "al_copy")


@pytest.mark.releases(since=(3, 0, 6))
def test_clone_and_branch_operations_run_in_a_migration(cloning, admin):
    cloning.revision("three", CLONES)

    cloning.upgrade()

    assert tables(admin) == ["alembic_version", "orders", "orders_copy"]
    assert (rows(admin), rows(admin, "orders_copy")) == ([1, 2], [1])
    assert "orders" in tables(admin, "al_copy")


@pytest.mark.releases(since=(3, 0, 6))
@pytest.mark.parametrize("separately", [False, True])
def test_clone_operation_after_a_write_is_part_of_the_transaction(cloning, admin, caplog, separately):
    cloning.options["transaction_per_migration"] = separately
    cloning.upgrade("one")
    cloning.revision("three", CLONES + 'op.drop_table("no_such_table")')

    with caplog.at_level(logging.INFO, "alembic.matrixone"), pytest.raises(DBAPIError):
        cloning.upgrade()

    assert tables(admin) == ["alembic_version", "orders"]
    assert admin("SHOW DATABASES LIKE 'al_copy'") == []
    assert versions(admin) == ["two"]
    assert ("op.clone_database('al_copy'): committed what ran before it" in caplog.text) is not separately


@pytest.mark.releases(since=(3, 0, 6))
def test_clone_operation_sees_earlier_migrations(cloning, admin):
    """3.0 would clone the state from before the transaction, and report no error if there is nothing to clone."""
    cloning.revision("three", 'op.clone_table("first", "orders")')
    cloning.revision(
        "four", 'op.add_column("orders", sa.Column("more", sa.Integer))\nop.clone_table("second", "orders")'
    )

    cloning.upgrade()

    assert "more" in {row[0] for row in admin("SHOW COLUMNS FROM al_shop.second")}


@pytest.mark.releases(until=(3, 0))
def test_clone_operation_before_3_0_names_the_needed_release(cloning, admin):
    cloning.revision("three", 'op.clone_table("orders_copy", "orders")')

    with pytest.raises(CompileError, match=r"needs MatrixOne 3\.0\.0 or later; this is 2\.2\.2"):
        cloning.upgrade()


@pytest.mark.releases(since=(3, 0, 6))
def test_offline_sql_of_clone_operations_runs_on_the_server(cloning, admin, database):
    cloning.revision("three", CLONES)
    cloning.upgrade("two")
    release = ".".join(map(str, cloning.server.release))
    printed = statements(
        cloning.offline("two:three", url=cloning.server.url(database=database, server_version=release))
    )
    admin(f"USE {database}")
    for statement in printed:
        admin(statement)
    assert tables(admin) == ["alembic_version", "orders", "orders_copy"]
    assert "orders" in tables(admin, "al_copy")
