"""Read the recovery windows of many tables, each with its own and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect

from sqlalchemy_matrixone import Reason, Recovery, RecoveryError, RecoveryWarning, RecoveryWindow

from .client import clean_up, drop_accounts, drop_databases, make_account, make_databases
from .server import Admin, Server

DATABASE = "sc_windows"
TABLES = [f"table_{number}" for number in range(4)]
OF_DATABASE = {"sc_one", "sc_two", "sc_all"}


@pytest.fixture
def recovery(server: Server, admin: Admin) -> Iterator[Recovery]:
    """Provide a database with tables, a dropped table, three snapshots and two PITRs."""
    clean_up(admin)
    make_databases(admin, DATABASE)
    for table in [*TABLES, "gone"]:
        admin(f"CREATE TABLE {DATABASE}.{table} (id INT PRIMARY KEY, a INT, b INT, UNIQUE KEY ua (a), KEY kb (b))")
    with server.engine(server.url(database=DATABASE)).connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_one", database=DATABASE)
        recovery.create_pitr("sc_all", range="2d", database=DATABASE)
        with pytest.warns(RecoveryWarning) if server.release >= (3,) else nullcontext():
            recovery.create_pitr("sc_table_1", range="1h", table=TABLES[1], database=DATABASE)
        recovery.create_snapshot("sc_table_2", table=TABLES[2], database=DATABASE)
        admin(f"DROP TABLE {DATABASE}.gone")
        recovery.create_snapshot("sc_two", database=DATABASE)
        yield recovery
    clean_up(admin)
    drop_databases(admin, DATABASE)


def by_table(windows: list[RecoveryWindow]) -> dict[str | None, set[str]]:
    names: dict[str | None, set[str]] = {}
    for window in windows:
        assert window.database == DATABASE
        names.setdefault(window.table, set()).add(window.source_name)
    return names


def test_recovery_windows_of_a_database_with_many_tables(recovery: Recovery) -> None:
    expected = dict.fromkeys(TABLES, OF_DATABASE)
    expected |= {TABLES[1]: OF_DATABASE | {"sc_table_1"}, TABLES[2]: OF_DATABASE | {"sc_table_2"}}
    assert by_table(recovery.recovery_windows(database=DATABASE)) == expected


def test_protection_of_a_table_in_a_translated_schema_is_listed(recovery: Recovery, server: Server) -> None:
    [one, two] = (Table(name, MetaData(), Column("id", Integer), schema="tenant") for name in TABLES[1:3])
    with server.engine(server.url()).connect() as connection:
        translated = Recovery(connection.execution_options(schema_translate_map={"tenant": DATABASE}))
        assert "sc_table_2" in by_table(translated.recovery_windows(table=two))[TABLES[2]]
        assert [each.name for each in translated.list_snapshots(table=two)] == ["sc_table_2"]
        assert [each.name for each in translated.list_pitrs(table=one)] == ["sc_table_1"]


def test_recovery_windows_of_an_account_with_many_tables(recovery: Recovery, server: Server) -> None:
    engine = server.engine(server.url())
    windows = [each for each in inspect(engine).get_recovery_windows() if each.database == DATABASE]
    assert by_table(windows).keys() == set(TABLES)
    assert by_table(windows)[TABLES[0]] >= OF_DATABASE


@pytest.mark.releases(since=(3,))
def test_recovery_windows_of_many_tables_of_another_account_are_refused(server: Server, admin: Admin) -> None:
    clean_up(admin)
    make_account(admin, "sc_acc1")
    with server.engine(server.url(user="sc_acc1:admin", password="111")).connect() as theirs:
        for statement in ("CREATE DATABASE db1", "CREATE TABLE db1.a (id INT)", "CREATE TABLE db1.b (id INT)"):
            theirs.exec_driver_sql(statement)
        theirs.commit()
    with server.engine(server.url()).connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_theirs", account="sc_acc1")
        with pytest.raises(RecoveryError, match="Connect to 'sc_acc1'") as refusal:
            recovery.recovery_windows(account="sc_acc1")
        assert refusal.value.reason is Reason.UNSUPPORTED
        recovery.drop_snapshot("sc_theirs")
    drop_accounts(admin, "sc_acc1")
