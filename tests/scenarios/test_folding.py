"""Names in upper case of any alphabet, which only the server folds correctly, and names that must be quoted."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, insert, inspect, select

from sqlalchemy_matrixone import CloneTable, Reason, Recovery, RestoreError

from .client import clean_up, drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_names"


@pytest.fixture
def engine(server: Server, admin: Admin):
    clean_up(admin)
    make_databases(admin, DATABASE)
    yield server.engine(server.url(database=DATABASE))
    drop_databases(admin, DATABASE)


def test_restore_of_table_that_foreign_key_refers_to_is_refused_whatever_its_case(engine):
    metadata = MetaData()
    Table("ΑΣ", metadata, Column("id", Integer, primary_key=True))
    Table("child", metadata, Column("id", Integer, primary_key=True), Column("parent", ForeignKey("ΑΣ.id")))
    metadata.create_all(engine)
    with engine.connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_snap", database=DATABASE)
        with pytest.raises(RestoreError) as refusal:
            recovery.restore_snapshot("sc_snap", table="ΑΣ", database=DATABASE)
        assert refusal.value.reason is Reason.UNSUPPORTED
        assert "ασ" in str(refusal.value)
        recovery.drop_snapshot("sc_snap")


@pytest.mark.parametrize("name", ["sc_ΑΣ", "sc_İ"])
def test_snapshot_and_pitr_are_found_again_whatever_their_case(engine, name):
    with engine.connect() as connection:
        recovery = Recovery(connection)
        snapshot = recovery.create_snapshot(name, database=DATABASE)
        assert recovery.get_snapshot(name) == snapshot
        recovery.drop_snapshot(name)
        pitr = recovery.create_pitr(name, range="1d", database=DATABASE)
        assert recovery.get_pitr(name) == pitr
        assert inspect(connection).has_pitr(name)
        recovery.drop_pitr(name)


def test_objects_of_table_are_filtered_whatever_its_case(engine):
    table = Table("ΑΣ", MetaData(), Column("id", Integer, primary_key=True))
    table.create(engine)
    with engine.connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_snap", table=table)
        assert [found.table for found in recovery.list_snapshots(table=table)] == ["ασ"]
        recovery.drop_snapshot("sc_snap")


@pytest.mark.releases(since=(3, 0))
def test_clone_that_exists_is_left_alone_whatever_its_case(engine):
    source = Table("source", MetaData(), Column("id", Integer, primary_key=True))
    source.create(engine)
    with engine.begin() as connection:
        connection.execute(CloneTable("ΑΣ", source))
    with engine.begin() as connection:
        connection.execute(insert(source), {"id": 1})
    with engine.begin() as connection:
        connection.execute(CloneTable("ΑΣ", source, if_not_exists=True))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM `ΑΣ`").scalar() == 0


@pytest.mark.parametrize("name", ["ΑΣ", "İ", "ı", "ſx", "Kelvin \N{KELVIN SIGN}"])
def test_table_of_non_ascii_name_is_created_queried_and_reflected(engine, name):
    metadata = MetaData()
    table = Table(name, metadata, Column("id", Integer, primary_key=True), Column("ſ", Integer))
    metadata.create_all(engine)
    metadata.create_all(engine)  # finds that it exists
    with engine.begin() as connection:
        connection.execute(insert(table), {"id": 1, "ſ": 2})
        assert connection.execute(select(table)).all() == [(1, 2)]
    inspector = inspect(engine)
    assert inspector.has_table(name)
    assert [column["name"] for column in inspector.get_columns(name)] == ["id", "ſ"]
    assert [column.name for column in Table(name, MetaData(), autoload_with=engine).columns] == ["id", "ſ"]
    metadata.drop_all(engine)
    assert not inspect(engine).has_table(name)
