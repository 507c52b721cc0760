"""Clones and data branches."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    BINARY,
    VARBINARY,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import (
    BranchConflict,
    BranchError,
    CloneDatabase,
    CloneTable,
    CreateBranch,
    DiffBranch,
    DropBranch,
    MergeBranch,
    PickBranch,
    Reason,
    RecoveryWarning,
    as_of,
)
from sqlalchemy_matrixone.core.release import UNRELEASED

from ..models import Item, Order
from .client import DRIVERS, Client, awaited, drop_databases
from .past import SHOP, SNAPSHOT, change_shop, clean_up, open_shop
from .server import Admin, Server

COPY = "tt_copy"

has_branches = pytest.mark.releases(since=(3, 0, 12))


@pytest.fixture
def engine(server: Server, admin: Admin) -> Iterator[Engine]:
    drop_databases(admin, COPY)
    open_shop(admin)
    change_shop(admin)
    yield server.engine(server.url(database=SHOP))
    drop_databases(admin, COPY)
    clean_up(admin)


def autocommit(engine: Engine) -> Connection:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def notes(engine: Engine, name: str = "orders") -> dict[int, str]:
    with engine.connect() as connection:
        return {row.id: row.note for row in connection.execute(text(f"SELECT id, note FROM {name}"))}


PRESENT = {1: "new 1", 3: "new 3"}
PAST = {1: "old 1", 2: "old 2"}


# -- clones


@has_branches
def test_clone_of_present_and_past_tables_and_databases(engine: Engine) -> None:
    with engine.begin() as connection:
        # 4.2 clones no database in which the transaction has made a table.
        connection.execute(CloneDatabase(COPY, SHOP, snapshot=SNAPSHOT))
        connection.execute(CloneTable("present", Order))
        connection.execute(CloneTable("past", Order, snapshot=SNAPSHOT))
        connection.execute(CloneTable("as_it_was", as_of(Order, snapshot=SNAPSHOT)))
        assert not connection.execute(CloneTable("Past", "orders", if_not_exists=True)).returns_rows
        connection.execute(CloneTable(table("orders", schema=COPY), "items", if_not_exists=True))
        connection.execute(CloneTable("not_yet", Order, if_not_exists=True))
        connection.execute(CloneDatabase(COPY, SHOP, if_not_exists=True))
        connection.execute(CloneTable(table("more", schema=COPY), Order))
    assert notes(engine, "present") == PRESENT
    assert notes(engine, "past") == notes(engine, "as_it_was") == notes(engine, f"{COPY}.orders") == PAST
    assert notes(engine, f"{COPY}.more") == notes(engine, "not_yet") == PRESENT


SEQUENCE = [f"USE {SHOP}", "CREATE SEQUENCE numbers INCREMENT BY 5 START WITH 10", *["SELECT NEXTVAL('numbers')"] * 2]
COPIES = {
    "clone": CloneDatabase(COPY, SHOP),
    "clone of a snapshot": CloneDatabase(COPY, SHOP, snapshot="tt_after"),
    "branch": CreateBranch(COPY, database=SHOP),
}


@pytest.fixture
def numbered(engine: Engine, admin: Admin) -> Engine:
    """Provide an engine on a database with a sequence that has a value."""
    with autocommit(engine) as connection:
        for statement in SEQUENCE:
            connection.exec_driver_sql(statement)
    admin(f"CREATE SNAPSHOT tt_after FOR DATABASE {SHOP}")
    return engine


@has_branches
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copied_database_has_its_sequences_with_their_values(numbered: Engine, copy: Any) -> None:
    with autocommit(numbered) as connection:
        connection.execute(copy)
        assert inspect(connection).get_sequence_names(schema=COPY) == ["numbers"]
        connection.exec_driver_sql(f"USE {COPY}")
        assert connection.exec_driver_sql("SELECT NEXTVAL('numbers')").scalar() == "20"


@pytest.mark.releases(since=(3, 0))
def test_clone_of_database_with_backslash_has_its_own_sequences(engine: Engine, admin: Admin) -> None:
    names = ("tt_axb", "tt_a\\xb")
    drop_databases(admin, *(f"`{name}`" for name in names))
    with autocommit(engine) as connection:
        for database, sequence in zip(names, ("theirs", "ours"), strict=True):
            connection.exec_driver_sql(f"CREATE DATABASE `{database}`")
            connection.exec_driver_sql(f"CREATE SEQUENCE `{database}`.{sequence}")
        connection.execute(CloneDatabase(COPY, "tt_a\\xb"))
        assert inspect(connection).get_sequence_names(schema=COPY) == ["ours"]
    drop_databases(admin, *(f"`{name}`" for name in names))


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("level", ["database", "table"])
def test_clone_has_the_definitions_of_its_source_or_warns(engine: Engine, level: str) -> None:
    with autocommit(engine) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {COPY}_too")
        connection.exec_driver_sql(
            f"CREATE TABLE {SHOP}.texts (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s') COMMENT 'a\\\\b'"
        )
        new, source = (table("texts", schema=schema) for schema in (f"{COPY}_too", SHOP))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            connection.execute(CloneTable(new, source) if level == "table" else CloneDatabase(COPY, SHOP))
        copy = f"{COPY}_too" if level == "table" else COPY
        connection.exec_driver_sql(f"INSERT INTO {copy}.texts (id) VALUES (1)")
        default = connection.exec_driver_sql(f"SELECT a FROM {copy}.texts").scalar()
        warned = any(f"default of `{copy}`.`texts`.`a` has become" in str(warning.message) for warning in told)
        assert (default == "it's") != warned
        comment = connection.exec_driver_sql(
            f"SELECT rel_comment FROM mo_catalog.mo_tables WHERE reldatabase = '{copy}' AND relname = 'texts'"
        ).scalar()
        assert comment == "a\\b"
        connection.exec_driver_sql(f"DROP DATABASE {COPY}_too")


VIEWS = {
    "plain": "SELECT id, 'a\\\\b' AS x FROM orders",
    "whole": f"SELECT {SHOP}.orders.id, '50%% a\\\\b' AS x FROM `{SHOP}`.orders",
    "text": f"SELECT id, '{SHOP}.x' AS x FROM orders",
    "alias": f"SELECT {SHOP}.id, {SHOP}.note AS x FROM orders AS {SHOP}",
    "other": f"SELECT id, note AS x FROM {SHOP.capitalize()}.orders",
}


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("copy", [CloneDatabase(COPY, SHOP), CreateBranch(COPY, database=SHOP)])
def test_changed_views_of_a_copied_database_are_told_with_statements_that_set_them_back(
    engine: Engine, admin: Admin, copy: Any
) -> None:
    with autocommit(engine) as connection:
        for name, query in VIEWS.items():
            connection.exec_driver_sql(f"CREATE VIEW v_{name} AS {query}")
        expected = {name: connection.exec_driver_sql(f"SELECT id, x FROM v_{name}").all() for name in VIEWS}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            connection.execute(copy)
        for advice in re.findall(
            r"(USE .*?; CREATE OR REPLACE VIEW .*?)\.(?= In it|$)", " ".join(map(told_text, told))
        ):
            for statement in advice.split("; "):
                connection.exec_driver_sql(statement.replace("%", "%%"))
        connection.exec_driver_sql(f"USE {SHOP}")
        connection.exec_driver_sql("UPDATE orders SET id = id + 10")  # the copy's views do not see this
        found = {name: connection.exec_driver_sql(f"SELECT id, x FROM {COPY}.v_{name}").all() for name in VIEWS}
        assert found == expected


def told_text(warning: warnings.WarningMessage) -> str:
    return str(warning.message)


@pytest.mark.releases(since=(4, 2), until=UNRELEASED)
def test_clone_of_a_default_that_the_server_cannot_read_names_what_to_alter(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE ends (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'a\\\\')")
        with pytest.raises(BranchError, match=f"nothing was changed: .* the default of `{SHOP}`.`ends`.`a`") as caught:
            connection.execute(CloneDatabase(COPY, SHOP))
        assert caught.value.reason is Reason.UNSUPPORTED
        advice = str(caught.value)
        connection.exec_driver_sql(advice[advice.index("ALTER TABLE") :].removesuffix(". Then repeat it."))
        connection.execute(CloneDatabase(COPY, SHOP))
        connection.exec_driver_sql(f"INSERT INTO {COPY}.ends (id) VALUES (1)")
        assert connection.exec_driver_sql(f"SELECT a FROM {COPY}.ends").scalar() == "a\\"


@pytest.mark.releases(since=UNRELEASED)
def test_clone_of_a_default_with_a_backslash_at_its_end_keeps_it(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE ends (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'a\\\\')")
        connection.execute(CloneDatabase(COPY, SHOP))
        connection.exec_driver_sql(f"INSERT INTO {COPY}.ends (id) VALUES (1)")
        assert connection.exec_driver_sql(f"SELECT a FROM {COPY}.ends").scalar() == "a\\"


@pytest.mark.releases(since=(3, 0))
def test_clone_of_a_database_names_the_functions_that_it_lacks(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.exec_driver_sql("CREATE FUNCTION plus (x INT) RETURNS INT LANGUAGE SQL AS '$1 + 1'")
        with pytest.warns(RecoveryWarning, match="It lacks function `plus`"):
            connection.execute(CloneDatabase(COPY, SHOP))
        connection.exec_driver_sql("DROP FUNCTION plus (INT)")


@pytest.mark.releases(since=(3, 0))
def test_clone_of_database_with_external_table_is_refused(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.exec_driver_sql(f"CREATE EXTERNAL TABLE {SHOP}.files (id INT) INFILE{{'filepath'='/tmp/none.csv'}}")
        with pytest.raises(BranchError, match="files is not BASE TABLE"):
            connection.execute(CloneDatabase(COPY, SHOP))
        assert COPY not in inspect(connection).get_schema_names()


@has_branches
@pytest.mark.parametrize(
    "copy",
    [
        CloneDatabase(COPY, SHOP, copy_grants=True),
        CloneDatabase(COPY, SHOP, snapshot="tt_after", copy_grants=True),
        CreateBranch(COPY, database=SHOP, copy_grants=True),
    ],
    ids=COPIES,
)
def test_copy_of_a_database_has_its_grants_if_wanted(numbered: Engine, copy: Any) -> None:
    grants = [f"SELECT ON TABLE {SHOP}.orders", f"CREATE TABLE ON DATABASE {SHOP}", f"UPDATE ON TABLE {SHOP}.*"]
    with autocommit(numbered) as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS tt_clerk")
        connection.exec_driver_sql("CREATE ROLE tt_clerk")
        for grant in grants:
            connection.exec_driver_sql(f"GRANT {grant} TO tt_clerk")
        connection.execute(copy)
        shown = connection.exec_driver_sql(
            "SELECT p.privilege_name FROM mo_catalog.mo_role_privs AS p JOIN mo_catalog.mo_tables AS t "
            f"ON t.rel_id = p.obj_id WHERE p.role_name = 'tt_clerk' AND t.reldatabase = '{COPY}' "
            "UNION ALL SELECT p.privilege_name FROM mo_catalog.mo_role_privs AS p JOIN mo_catalog.mo_database AS d "
            f"ON d.dat_id = p.obj_id WHERE p.role_name = 'tt_clerk' AND d.datname = '{COPY}'"
        )
        assert sorted(shown.scalars()) == ["create table", "select", "update"]
        connection.exec_driver_sql("DROP ROLE tt_clerk")


@has_branches
def test_copied_database_in_a_transaction_warns_of_its_sequences(numbered: Engine) -> None:
    with numbered.connect() as connection:
        with pytest.warns(RecoveryWarning, match=f"in AUTOCOMMIT: CREATE SEQUENCE IF NOT EXISTS `{COPY}`.`numbers`"):
            connection.execute(CloneDatabase(COPY, SHOP))
        connection.rollback()
        assert not inspect(connection).has_table("orders", schema=COPY)


@has_branches
@pytest.mark.parametrize("moment", [{}, {"snapshot": "tt_after"}], ids=["now", "snapshot"])
@pytest.mark.parametrize("construct", [CloneTable, CreateBranch])
def test_copy_of_a_sequence_which_would_be_a_table_is_refused(numbered: Engine, construct: Any, moment: Any) -> None:
    with numbered.connect() as connection:
        with pytest.raises(BranchError, match=rf"not created: `{SHOP}`\.`numbers` is a sequence") as refused:
            connection.execute(construct("made", "numbers", **moment))
        assert refused.value.reason is Reason.UNSUPPORTED
        assert not inspect(connection).has_table("made", schema=SHOP)


@pytest.mark.releases(until=(3, 0))
def test_clone_before_3_0_names_the_needed_release(engine: Engine) -> None:
    with engine.connect() as connection:
        for construct in (CloneTable("c", Order), CreateBranch("b", Order), DiffBranch("b", Order)):
            with pytest.raises(CompileError, match=r"needs MatrixOne 3\.0"):
                connection.execute(construct)


# -- transactions


MAKE = {
    "clone": CloneTable("made", Order),
    "clone of a database": CloneDatabase(COPY, SHOP),
    "branch": CreateBranch("made", Order),
    "branch of a database": CreateBranch(COPY, database=SHOP),
}


def made(engine: Engine) -> bool:
    return "made" in tables(engine) or COPY in inspect(engine).get_schema_names()


@has_branches
@pytest.mark.parametrize("construct", MAKE.values(), ids=MAKE)
def test_copy_is_undone_by_a_rollback(engine: Engine, construct) -> None:
    with Session(engine) as session:
        session.execute(construct)
        session.rollback()
        assert not made(engine)
        session.scalars(select(Order)).all()
        session.execute(construct)
        session.add(Order(id=9, note="nine"))
        session.flush()
        session.rollback()
        assert not made(engine)
        assert notes(engine) == PRESENT
        session.execute(construct)
        session.add(Order(id=9, note="nine"))
        session.commit()
    assert made(engine)
    assert notes(engine) == PRESENT | {9: "nine"}


@has_branches
@pytest.mark.parametrize(
    "construct", [MAKE["clone"], MAKE["branch"], DropBranch("orders")], ids=["clone", "branch", "drop"]
)
def test_copy_after_a_write_is_refused(engine: Engine, construct) -> None:
    with Session(engine) as session:
        session.add(Order(id=9, note="nine"))
        session.flush()
        with pytest.raises(BranchError, match="BEGIN, which would commit") as refused:
            session.execute(construct)
        assert refused.value.reason is Reason.ACTIVE_TRANSACTION
        session.rollback()
    assert notes(engine) == PRESENT
    assert not made(engine)


@has_branches
def test_clone_after_a_row_lock_is_refused(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(select(Order).with_for_update())
        with pytest.raises(BranchError, match="BEGIN"):
            connection.execute(MAKE["clone"])


@has_branches
def test_clone_without_parameters_is_part_of_the_transaction(engine: Engine) -> None:
    """``no_parameters`` goes another way to the driver."""
    plain = {"no_parameters": True}
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    with engine.connect() as connection:
        connection.execute(CloneTable("made", Order), execution_options=plain)
        assert "BEGIN" in sent
        connection.rollback()
        assert not made(engine)
        connection.exec_driver_sql("INSERT INTO orders VALUES (9, 'nine%')", execution_options=plain)
        with pytest.raises(BranchError) as refused:
            connection.execute(CloneTable("made", Order))
        assert refused.value.reason is Reason.ACTIVE_TRANSACTION


@has_branches
def test_clone_if_not_exists_looks_in_the_translated_schema(engine: Engine) -> None:
    """The database is the one in schema_translate_map."""
    with engine.connect() as connection:
        connection.execute(CloneDatabase(COPY, SHOP))
        connection.commit()
        connection.execute(CloneTable("kept", Order))
        elsewhere = connection.execution_options(schema_translate_map={None: COPY})
        elsewhere.execute(CloneTable("kept", Item, if_not_exists=True))
        connection.commit()
    assert inspect(engine).has_table("kept", schema=COPY)


@has_branches
def test_drop_branch_is_undone_by_a_rollback(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(CreateBranch(COPY, database=SHOP))
        connection.execute(CreateBranch("made", Order))
    with engine.connect() as connection:
        connection.execute(DropBranch("made"))
        connection.execute(DropBranch(database=COPY))
        connection.rollback()
        assert made(engine)
        connection.execute(DropBranch("made"))
        connection.execute(DropBranch(database=COPY))
        connection.commit()
    assert not made(engine)


@has_branches
def test_clone_in_autocommit_takes_effect_immediately(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.execute(MAKE["clone"])
        assert made(engine)
        connection.rollback()
    assert made(engine)


@has_branches
async def test_clone_in_an_async_session_is_undone_by_a_rollback(engine: Engine, server: Server) -> None:
    for driver in ("aiomysql", "asyncmy"):
        async with AsyncSession(server.async_engine(driver, server.url(driver, database=SHOP))) as session:
            await session.execute(MAKE["clone"])
            await session.rollback()
    assert not made(engine)


# -- differences


@has_branches
@pytest.mark.parametrize(
    "construct",
    {
        "no table": CloneTable("copied", "nowhere"),
        "no snapshot": CloneTable("copied", Order, snapshot="tt_nowhere"),
        "exists": CloneTable("items", Order),
        "no database": CloneDatabase(COPY, "tt_nowhere"),
        "no database to branch": CreateBranch(COPY, database="tt_nowhere"),
        "no table to branch": CreateBranch("copied", "nowhere"),
        "no branch": DropBranch("nowhere"),
    }.items(),
    ids=lambda item: item[0],
)
def test_failed_copy_in_a_transaction_raises_and_creates_nothing(engine: Engine, construct) -> None:
    """3.0 reports none after the BEGIN, and every release creates an empty copy of a missing database."""
    with engine.connect() as connection, pytest.raises((BranchError, DBAPIError)):
        connection.execute(construct[1])
    with engine.connect() as connection:
        assert connection.execute(text(f"SHOW DATABASES LIKE '{COPY}'")).all() == []
    assert tables(engine) == {"orders", "items"}


@pytest.mark.releases(since=(4, 0))
def test_clone_after_lock_tables_is_refused_until_a_commit(engine: Engine) -> None:
    """LOCK TABLES commits, so that a BEGIN before it no longer holds: a rollback would not undo the clone."""
    with engine.connect() as connection:
        connection.execute(CloneTable("before_lock", Order))
        connection.execute(text("LOCK TABLES items READ"))
        with pytest.raises(BranchError, match="was not sent"):
            connection.execute(CloneTable("after_lock", Order))
        connection.rollback()
        connection.execute(CloneTable("after_lock", Order))
        connection.rollback()
        connection.execute(text("UNLOCK TABLES"))
    assert tables(engine) == {"orders", "items", "before_lock"}


@pytest.fixture
def branch(engine: Engine) -> str:
    """Provide a branch of the orders, with later changes on both sides."""
    with engine.begin() as connection:
        connection.execute(CreateBranch("dev", Order))
        connection.execute(CreateBranch("items_dev", Item))
    with engine.begin() as connection:
        for statement in (
            "UPDATE dev SET note = 'branch 1' WHERE id = 1",
            "DELETE FROM dev WHERE id = 3",
            "INSERT INTO dev VALUES (4, 'branch 4')",
            "UPDATE items_dev SET price = 0.25 WHERE id = 11",
        ):
            connection.execute(text(statement))
    return "dev"


@has_branches
def test_diff_branch_returns_inserted_updated_and_deleted_rows(engine: Engine, branch: str) -> None:
    with engine.connect() as connection:
        result = connection.execute(DiffBranch(branch, Order))
        assert list(result.keys()) == ["source", "flag", "id", "note"]
        assert sorted((row.source, row.flag, row.id, row.note) for row in result) == [
            ("dev", "DELETE", 3, "new 3"),
            ("dev", "INSERT", 4, "branch 4"),
            ("dev", "UPDATE", 1, "branch 1"),
        ]
        connection.rollback()
        [item] = connection.execute(DiffBranch("items_dev", Item))
        assert item._mapping[Item.__table__.c.price] == Decimal("0.25")
        connection.rollback()
        assert connection.execute(DiffBranch(branch, "orders", output="count")).scalar() == 3
        connection.rollback()
        summary = connection.execute(DiffBranch(branch, Order, output="summary")).all()
        assert [tuple(row) for row in summary] == [("INSERTED", 1, 0), ("DELETED", 1, 0), ("UPDATED", 1, 0)]
        connection.rollback()
        ids = connection.execute(DiffBranch(branch, Order, columns=["id"])).all()
        assert sorted(row.id for row in ids) == [1, 3, 4]
        connection.rollback()
        assert len(connection.execute(DiffBranch(branch, Order, limit=2)).all()) == 2
        connection.rollback()
        then = as_of(Order, snapshot=SNAPSHOT)
        assert connection.execute(DiffBranch(Order, then, output="count")).scalar() > 0


@has_branches
def test_diff_branch_after_another_statement_of_the_transaction(engine: Engine, branch: str, server: Server) -> None:
    with engine.connect() as connection:
        assert len(connection.execute(DiffBranch(branch, Order)).all()) == 3
        connection.execute(select(Order))
        if server.release < (4, 2):
            with pytest.raises(BranchError, match="only as the first statement of a transaction"):
                connection.execute(DiffBranch(branch, Order))
        else:
            assert len(connection.execute(DiffBranch(branch, Order)).all()) == 3


@has_branches
def test_diff_branch_compares_two_snapshots(engine: Engine, admin: Admin) -> None:
    admin(f"CREATE SNAPSHOT tt_after FOR DATABASE {SHOP}")
    admin(f"UPDATE {SHOP}.orders SET note = 'newest'")
    with engine.connect() as connection:
        diff = DiffBranch(as_of(Order, snapshot="tt_after"), as_of(Order, snapshot="tt_before"))
        found = {(row.flag, row.id, row.note) for row in connection.execute(diff)}
    assert found == {("UPDATE", 1, "new 1"), ("DELETE", 2, "old 2"), ("INSERT", 3, "new 3")}


@has_branches
def test_diff_branch_is_not_streamed_before_4_2(engine: Engine, branch: str, server: Server) -> None:
    """Their rows would be gone with the transaction."""
    diff = DiffBranch(branch, Order).execution_options(stream_results=True)
    with engine.connect() as connection:
        if server.release >= (4, 2):
            assert len(connection.execute(diff).all()) == 3
        else:
            with pytest.raises(BranchError, match="stream") as refused:
                connection.execute(diff)
            assert refused.value.reason is Reason.UNSUPPORTED


@has_branches
def test_diff_branch_as_table_creates_the_table_since_4_2(engine: Engine, branch: str, server: Server) -> None:
    construct = DiffBranch(branch, Order, as_table="changes")
    with engine.connect() as connection:
        if server.release < (4, 2):
            with pytest.raises(CompileError, match=r"needs MatrixOne 4\.2"):
                connection.execute(construct)
            return
        connection.execute(construct)
        connection.rollback()
        assert "changes" not in tables(engine)
        connection.execute(construct)
        connection.commit()
    assert "changes" in tables(engine)


# -- merging and picking


@has_branches
def test_merge_branch_changes_the_target_by_release(engine: Engine, branch: str, server: Server) -> None:
    if server.release < (4, 2):
        with Session(engine) as session, pytest.raises(BranchError, match="AUTOCOMMIT"):
            session.execute(MergeBranch(branch, Order))
        assert notes(engine) == PRESENT
        with autocommit(engine) as connection:
            connection.execute(MergeBranch(branch, Order))
    else:
        with Session(engine) as session:
            session.execute(MergeBranch(branch, Order))
            assert session.get(Order, 4) is not None
            session.rollback()
            assert notes(engine) == PRESENT
            session.execute(MergeBranch(branch, Order))
            session.commit()
    assert notes(engine) == {1: "branch 1", 4: "branch 4"}


@has_branches
def test_merge_branch_conflict_has_the_key(engine: Engine, branch: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET note = 'other 1' WHERE id = 1"))
    with autocommit(engine) as connection:
        for on_conflict in (None, "fail"):
            with pytest.raises(BranchConflict) as conflict:
                connection.execute(MergeBranch(branch, Order, on_conflict=on_conflict))
            assert conflict.value.key == "1"
            assert isinstance(conflict.value.__cause__, DBAPIError)
        assert notes(engine) == {1: "other 1", 3: "new 3"}
        connection.execute(MergeBranch(branch, Order, on_conflict="skip"))
        assert notes(engine) == {1: "other 1", 4: "branch 4"}
        connection.execute(MergeBranch(branch, Order, on_conflict="accept"))
        assert notes(engine) == {1: "branch 1", 4: "branch 4"}


@has_branches
def test_pick_branch_by_values_and_by_a_select(engine: Engine, branch: str) -> None:
    with Session(engine) as session, pytest.raises(BranchError, match="AUTOCOMMIT"):
        session.execute(PickBranch(branch, Order, keys=[4]))
    with autocommit(engine) as connection:
        connection.execute(PickBranch(branch, Order, keys=[4]))
        assert notes(engine) == PRESENT | {4: "branch 4"}
        dev = table(branch, *(column._copy() for column in Order.__table__.c))
        connection.execute(PickBranch(branch, Order, keys=select(dev.c.id).where(dev.c.id < 2)))
        assert notes(engine) == PRESENT | {1: "branch 1", 4: "branch 4"}


@has_branches
def test_pick_branch_between_snapshots(engine: Engine, branch: str, admin: Admin) -> None:
    admin(f"CREATE SNAPSHOT tt_after FOR TABLE {SHOP} {branch}")
    admin(f"INSERT INTO {SHOP}.{branch} VALUES (5, 'five'), (6, 'six')")
    admin(f"CREATE SNAPSHOT tt_last FOR TABLE {SHOP} {branch}")
    with autocommit(engine) as connection:
        between = ("tt_after", "tt_last")
        connection.execute(PickBranch(branch, Order, between=between, keys=[6]))
        assert notes(engine) == PRESENT | {6: "six"}
        connection.execute(PickBranch(branch, Order, between=between))
        assert notes(engine) == PRESENT | {5: "five", 6: "six"}


@has_branches
def test_pick_branch_by_rows_of_a_result(engine: Engine, branch: str) -> None:
    with autocommit(engine) as connection:
        keys = connection.execute(text(f"SELECT id FROM {branch} WHERE id = 4")).all()
        connection.execute(PickBranch(branch, Order, keys=keys))
    assert notes(engine) == PRESENT | {4: "branch 4"}


@has_branches
def test_pick_branch_by_a_composite_key(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE pairs (a INT, b VARCHAR(10), v INT, PRIMARY KEY (a, b))"))
        connection.execute(text("INSERT INTO pairs VALUES (1, 'x%', 1), (2, 'y', 2)"))
    with autocommit(engine) as connection:
        connection.execute(CreateBranch("pairs_dev", "pairs"))
        connection.execute(text("UPDATE pairs_dev SET v = 10"))
        connection.execute(PickBranch("pairs_dev", "pairs", keys=[(1, "x%")]))
        assert connection.execute(text("SELECT v FROM pairs ORDER BY a")).scalars().all() == [10, 2]
        connection.execute(text("UPDATE pairs SET v = 3 WHERE a = 2"))
        with pytest.raises(BranchConflict) as conflict:
            connection.execute(PickBranch("pairs_dev", "pairs", keys=[(2, "y")]))
        assert conflict.value.key == "2,'y'"


@has_branches
def test_merge_branch_conflict_of_a_composite_key_has_no_key(engine: Engine) -> None:
    with autocommit(engine) as connection:
        connection.execute(text("CREATE TABLE pairs (a INT, b VARCHAR(10), v INT, PRIMARY KEY (a, b))"))
        connection.execute(text("INSERT INTO pairs VALUES (1, 'x', 1)"))
        connection.execute(CreateBranch("pairs_dev", "pairs"))
        connection.execute(text("UPDATE pairs_dev SET v = 2"))
        connection.execute(text("UPDATE pairs SET v = 3"))
        with pytest.raises(BranchConflict, match="a key of several columns") as conflict:
            connection.execute(MergeBranch("pairs_dev", "pairs"))
        assert conflict.value.key is None


# -- types of columns


def typed(engine: Engine, type_: Any, *values: str) -> Table:
    """Create a table with these values, and a branch of it that has one row more for each."""
    typed = Table("typed", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), Column("v", type_))
    with engine.begin() as connection:
        typed.create(connection)
    with autocommit(engine) as connection:
        connection.execute(CreateBranch("typed_dev", typed))
        for id_, value in enumerate(values, 1):
            connection.execute(text(f"INSERT INTO typed_dev VALUES ({id_}, {value})"))
    return typed


@has_branches
@pytest.mark.parametrize("driver", DRIVERS)
async def test_diff_branch_returns_text_values(engine: Engine, server: Server, driver: str) -> None:
    typed_table = typed(engine, Text(), "'漢字'", "''", "NULL")
    async with Client.connected(server, driver, database=SHOP) as client:
        for table_or_name in (typed_table, "typed"):
            await client.rollback()
            found = await awaited(client.connection.execute(DiffBranch("typed_dev", table_or_name)))
            assert sorted(tuple(row)[2:] for row in found) == [(1, "漢字"), (2, ""), (3, None)]


@pytest.mark.releases(since=(4, 2))
def test_diff_branch_returns_enum_and_binary_values(engine: Engine) -> None:
    typed_table = typed(engine, mysql.ENUM("rot", "grün"), "'grün'", "NULL")
    with engine.connect() as connection:
        assert sorted(
            row.id for row in connection.execute(DiffBranch("typed_dev", typed_table)) if row.v == "grün"
        ) == [1]


@pytest.mark.releases(since=(3, 0, 12), until=(4, 2))
@pytest.mark.parametrize(
    ("type_", "statement", "fault"),
    [
        (mysql.ENUM("a"), DiffBranch("typed_dev", "typed", output="count"), "ENUM, .* never answers"),
        (mysql.ENUM("a"), MergeBranch("typed_dev", "typed"), "ENUM, .* never answers"),
        (mysql.ENUM("a"), PickBranch("typed_dev", "typed", keys=[1]), "ENUM, .* never answers"),
        (BINARY(3), MergeBranch("typed_dev", "typed"), "BINARY, .* changes control characters"),
        (VARBINARY(3), DiffBranch("typed_dev", "typed"), "VARBINARY, .* exclude it by columns="),
        (LargeBinary(), DiffBranch("typed_dev", "typed"), "BLOB, .* exclude it by columns="),
        (mysql.BIT(3), DiffBranch("typed_dev", "typed"), "BIT, .* loses the value"),
        (mysql.BIT(3), MergeBranch("typed_dev", "typed"), "BIT, .* refuses to merge"),
        (LargeBinary(), MergeBranch("typed_dev", "typed"), "BLOB, .* refuses to merge"),
        (LargeBinary(), PickBranch("typed_dev", "typed", keys=[1]), "BLOB, .* refuses to merge"),
        (mysql.YEAR(), DiffBranch("typed_dev", "typed", output="count"), "YEAR, .* panics"),
        (mysql.YEAR(), MergeBranch("typed_dev", "typed"), "YEAR, .* panics"),
    ],
)
def test_branch_statement_of_a_corrupted_column_type_is_refused(
    engine: Engine, type_: Any, statement: Any, fault: str
) -> None:
    typed(engine, type_)
    with autocommit(engine) as connection, pytest.raises(BranchError, match=f"was not sent: column 'v' is {fault}"):
        connection.execute(statement)


@pytest.mark.releases(since=(3, 0, 12), until=(4, 2))
def test_diff_branch_without_a_corrupted_column_is_sent(engine: Engine) -> None:
    typed(engine, LargeBinary(), "x'ff'")
    with engine.connect() as connection:
        assert [tuple(row)[2:] for row in connection.execute(DiffBranch("typed_dev", "typed", columns=["id"]))] == [
            (1,)
        ]
    with engine.connect() as connection:
        assert connection.execute(DiffBranch("typed_dev", "typed", output="count")).scalar() == 1


@pytest.mark.releases(since=(3, 0, 12), until=(4, 1))
@pytest.mark.parametrize("in_transaction", [False, True])
def test_copied_table_with_a_vector_index_warns_how_to_rebuild_it(engine: Engine, in_transaction: bool) -> None:
    near = text("SELECT id FROM copied ORDER BY l2_distance(v, '[1.1, 1]') LIMIT 1")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE points (id INT PRIMARY KEY, v VECF32(2))"))
        connection.execute(text("INSERT INTO points VALUES (1, '[1, 1]'), (2, '[9, 9]'), (3, '[9, 1]'), (4, '[1, 9]')"))
        connection.execute(text("CREATE INDEX near USING ivfflat ON points (v) LISTS = 2 OP_TYPE 'vector_l2_ops'"))
    rebuild = "ALTER TABLE tt_shop.copied ALTER REINDEX near IVFFLAT LISTS = 2"
    with engine.connect() if in_transaction else autocommit(engine) as connection:
        with pytest.warns(RecoveryWarning, match=f"'copied' find wrong neighbors .* rebuilt: {rebuild}$"):
            connection.execute(CloneTable("copied", "points"))
        connection.commit()
        connection.execute(text(rebuild))
        assert connection.scalar(near) == 1
        connection.commit()
        with pytest.warns(RecoveryWarning, match=f"ALTER TABLE {COPY}.copied .*; ALTER TABLE {COPY}.points"):
            connection.execute(CloneDatabase(COPY, SHOP))
        connection.commit()
        with pytest.warns(RecoveryWarning, match="'points_dev' find wrong neighbors"):
            connection.execute(CreateBranch("points_dev", "points"))
