"""Test the operations as values: their arguments, their reverse, their rendering, and their offline SQL."""

import datetime as dt
import io
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import CommandError
from sqlalchemy import Column, Integer, MetaData, Table

from sqlalchemy_matrixone import MatrixOneArgumentError
from sqlalchemy_matrixone.alembic.operations import (
    OPERATIONS,
    AlterPitrOp,
    CloneDatabaseOp,
    CloneTableOp,
    CreateBranchOp,
    CreatePitrOp,
    CreateSnapshotOp,
    DropBranchOp,
    DropPitrOp,
    DropSnapshotOp,
    RestorePitrOp,
    RestoreSnapshotOp,
)
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

WHEN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def offline(call, release="4.2.0", database="/shop", **opts):
    """Return what ``--sql`` prints for some operations, on a release."""
    printed = io.StringIO()
    url = f"matrixone+pymysql://dump@h{database}?server_version={release}"
    context = MigrationContext.configure(
        url=url, dialect_opts={"paramstyle": "named"}, opts={"as_sql": True, "output_buffer": printed, **opts}
    )
    call(Operations(context))
    return [line for line in printed.getvalue().split("\n\n") if line not in ("", "COMMIT;", "BEGIN;")]


def rendered(*ops, **kw):
    """Return the lines that autogenerate writes."""
    text = render_python_code(UpgradeOps(list(ops)), **kw)
    return [line.strip() for line in text.splitlines() if "###" not in line]


ALL = [
    (CreateSnapshotOp("s"), "op.create_snapshot('s')"),
    (CreateSnapshotOp("s", table="t", if_not_exists=True), "op.create_snapshot('s', table='t', if_not_exists=True)"),
    (CreateSnapshotOp("s", cluster=True), "op.create_snapshot('s', cluster=True)"),
    (DropSnapshotOp("s", if_exists=True), "op.drop_snapshot('s', if_exists=True)"),
    (RestoreSnapshotOp("s", database=True), "op.restore_snapshot('s', database=True)"),
    (
        RestoreSnapshotOp("s", table="t", lose=("sequences", "grants")),
        "op.restore_snapshot('s', table='t', lose=['grants', 'sequences'])",
    ),
    (RestoreSnapshotOp("s", table="t", lose=()), "op.restore_snapshot('s', table='t')"),
    (RestoreSnapshotOp("s", table="t", as_name="old"), "op.restore_snapshot('s', table='t', as_name='old')"),
    (RestoreSnapshotOp("s", account="a", to_account="b"), "op.restore_snapshot('s', account='a', to_account='b')"),
    (CreatePitrOp("p", range=dt.timedelta(days=7)), "op.create_pitr('p', range='7d')"),
    (CreatePitrOp(range=(7, "d"), table="t"), "op.create_pitr(range='7d', table='t')"),
    (AlterPitrOp("p", range="3MO", existing_range="1d"), "op.alter_pitr('p', range='3mo')"),
    (DropPitrOp(database="shop", table="t"), "op.drop_pitr(database='shop', table='t')"),
    (
        RestorePitrOp("p", server_time="2026-03-01 12:00:00", table="t"),
        "op.restore_pitr('p', server_time='2026-03-01 12:00:00', table='t')",
    ),
]


@pytest.mark.parametrize(("op", "text"), ALL, ids=[text for _, text in ALL])
def test_rendered_operation_runs_as_the_same_operation(op, text, monkeypatch):
    assert rendered(op) == [text]

    calls = []
    monkeypatch.setattr(Operations, "invoke", lambda self, made: calls.append(made))
    eval(text, {"op": Operations(MigrationContext.configure(dialect_name="matrixone"))})

    [made] = calls
    assert type(made) is type(op)
    assert made.to_diff_tuple() == op.to_diff_tuple()
    assert made.to_diff_tuple()[0] == op.operation


@pytest.mark.parametrize("given", [WHEN, WHEN.astimezone(ZoneInfo("Asia/Kolkata")), "2026-03-01T12:00:00Z"])
def test_operation_timestamp_is_rendered_as_text_in_utc(given):
    for op in (RestorePitrOp("p", timestamp=given, table="t"), CloneTableOp("c", source="t", timestamp=given)):
        assert "timestamp='2026-03-01 12:00:00+00:00'" in rendered(op)[0]


def test_operation_with_a_naive_timestamp_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="no UTC offset"):
        RestorePitrOp("p", timestamp="2026-03-01 12:00:00", table="t")


def test_operation_is_rendered_with_the_module_prefix():
    assert rendered(DropPitrOp("p"), alembic_module_prefix="migrate.") == ["migrate.drop_pitr('p')"]


def test_operation_renders_a_table_by_its_names():
    shop = Table("orders", MetaData(schema="shop"), Column("id", Integer))
    assert rendered(CreatePitrOp(range="1d", table=shop)) == [
        "op.create_pitr(range='1d', table='orders', database='shop')"
    ]
    with pytest.raises(MatrixOneArgumentError, match="pass either a Table"):
        CreatePitrOp(range="1d", table=shop, database="other")


def test_clone_operation_refuses_a_table_object():
    with pytest.raises(MatrixOneArgumentError, match="pass the name"):
        CloneTableOp("c", source=Table("t", MetaData()))


def test_reverse_of_create_pitr_drops_it_and_keeps_the_range():
    create = CreatePitrOp(range="7d", database="shop", table="t")
    assert create.reverse().to_diff_tuple() == ("drop_pitr", None, {"database": "shop", "table": "t"})
    assert create.reverse().reverse() is create
    assert CreatePitrOp("p", range="7d", table="t").reverse().to_diff_tuple() == ("drop_pitr", "p", {})


def test_reverse_of_alter_pitr_sets_the_existing_range():
    alter = AlterPitrOp(table="t", range="3mo", existing_range=(7, "d"))
    assert rendered(alter.reverse()) == ["op.alter_pitr(table='t', range='7d')"]
    assert alter.reverse().reverse().to_diff_tuple() == alter.to_diff_tuple()


def test_reverse_of_create_snapshot_drops_it():
    snapshot = CreateSnapshotOp("s", table="t")
    assert snapshot.reverse().to_diff_tuple() == ("drop_snapshot", "s", {})
    assert snapshot.reverse().reverse() is snapshot


def test_reverse_of_a_copy_drops_it():
    branch = CreateBranchOp("b", source="t", database="d")
    assert branch.reverse().to_diff_tuple() == ("drop_branch", "b", {"database": "d"})
    assert branch.reverse().reverse() is branch
    assert CreateBranchOp("b", database=True).reverse().to_diff_tuple() == ("drop_branch", None, {"database": "b"})
    assert rendered(CloneTableOp("c", source="t").reverse()) == ["op.drop_table('c')"]
    assert rendered(CloneTableOp("c", source="t", database=True).reverse()) == ["op.drop_table('c')"]
    assert str(CloneDatabaseOp("c`d", source="d").reverse().sqltext.compile(dialect=MatrixOneDialect_pymysql())) == (
        "DROP SCHEMA `c``d`"
    )


def test_reverse_of_a_restore_beside_the_present_object_drops_the_copy():
    assert rendered(RestoreSnapshotOp("s", table="t", as_name="old").reverse()) == ["op.drop_table('old')"]
    of_other = RestorePitrOp("p", timestamp=WHEN, table="t", database="shop", as_name="old")
    assert rendered(of_other.reverse()) == ["op.drop_table('old', schema='shop')"]
    of_database = RestoreSnapshotOp("s", database=True, as_name="old").reverse()
    assert str(of_database.sqltext.compile(dialect=MatrixOneDialect_pymysql())) == "DROP SCHEMA old"


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda op: op.restore_snapshot("s", table="t", as_name="old"), CommandError, r"use op\.clone_table\(\)"),
        (lambda op: op.restore_snapshot("s", as_name="old", account="a"), MatrixOneArgumentError, "only a database or"),
        (lambda op: op.restore_snapshot("s", table="t", as_name="old", lose="grants"), MatrixOneArgumentError, "lose="),
        (lambda op: op.restore_snapshot("s", table="t", as_name=""), MatrixOneArgumentError, "as_name"),
    ],
)
def test_restore_beside_the_present_object_that_is_impossible_is_refused(call, error, why):
    with pytest.raises(error, match=why):
        offline(call)


@pytest.mark.parametrize(
    ("op", "why"),
    [
        (DropSnapshotOp("s"), "what the snapshot kept no longer exists"),
        (DropPitrOp("p"), "without the operation that created it"),
        (AlterPitrOp("p", range="7d"), "without its existing_range"),
        (CloneTableOp("orders", source="orders", database="shop", to_account="acc"), "in the account 'acc'"),
        (CloneDatabaseOp("shop", source="shop", to_account="acc"), "in the account 'acc'"),
        (CreateBranchOp("shop", database="shop", to_account="acc"), "in the account 'acc'"),
        (DropBranchOp("b"), "without the operation that created it"),
        (RestoreSnapshotOp("s", table="t"), "the state before the restore is not kept"),
        (RestorePitrOp("p", timestamp=WHEN, table="t"), "the state before the restore is not kept"),
    ],
)
def test_operation_without_a_reverse_says_why(op, why):
    with pytest.raises(NotImplementedError, match=why):
        op.reverse()


@pytest.mark.parametrize(
    ("call", "sql"),
    [
        (lambda op: op.create_pitr(range="7d", table="t"), "CREATE PITR `shop.t` FOR TABLE `shop` `t` RANGE 7 'd';"),
        (lambda op: op.create_pitr(range="7d", database=True), "CREATE PITR `shop` FOR DATABASE `shop` RANGE 7 'd';"),
        (lambda op: op.create_pitr("p%", range="7d"), "CREATE PITR `p%` FOR ACCOUNT RANGE 7 'd';"),
        (lambda op: op.alter_pitr(database="d", table="t", range="2h"), "ALTER PITR `d.t` RANGE 2 'h';"),
        (lambda op: op.alter_pitr("p", range="2h", if_exists=True), "ALTER PITR IF EXISTS `p` RANGE 2 'h';"),
        (lambda op: op.drop_pitr(database=True), "DROP PITR `shop`;"),
        (lambda op: op.create_snapshot("s", database="d"), "CREATE SNAPSHOT `s` FOR DATABASE `d`;"),
        (lambda op: op.drop_snapshot("s"), "DROP SNAPSHOT `s`;"),
        (lambda op: op.restore_snapshot("s", table="t"), "RESTORE TABLE `shop`.`t` {SNAPSHOT = `s`};"),
        (lambda op: op.clone_table("c", "t"), "CREATE TABLE `c` CLONE `t`;"),
        (lambda op: op.create_branch("b", database=True), "DATA BRANCH CREATE DATABASE `b` FROM `shop`;"),
        (
            lambda op: op.restore_pitr("p", server_time="2026-03-01 12:00:00", table="t"),
            "RESTORE DATABASE `shop` TABLE `t` FROM PITR `p` '2026-03-01 12:00:00';",
        ),
    ],
)
def test_offline_operation_prints_sql(call, sql):
    assert offline(call) == [sql]


def test_offline_operation_follows_the_release():
    def restore(op):
        op.restore_snapshot("s", table="t")

    assert offline(restore, "3.0.14") == ["RESTORE ACCOUNT `sys` DATABASE `shop` TABLE `t` FROM SNAPSHOT `s`;"]
    with pytest.raises(sa.exc.CompileError, match="no release of MatrixOne restores a table"):
        offline(lambda op: op.restore_snapshot("s", table="t", to_account="b"), "2.2.2")


@pytest.mark.parametrize(
    "call",
    [
        lambda op: op.restore_snapshot("s", table="t", timeout=5, verify=True),
        lambda op: op.restore_pitr("s", server_time="2026-03-01 12:00:00", database=True),
    ],
)
def test_offline_restore_warns_of_what_it_does_not_put_back(call, caplog):
    offline(call)
    assert "'s'): a script created with --sql contains only the server's statement" in caplog.text


def test_offline_restore_to_an_instant_needs_server_time():
    with pytest.raises(sa.exc.CompileError, match="server_time="):
        offline(lambda op: op.restore_pitr("p", timestamp=WHEN, table="t"))


@pytest.mark.parametrize(
    "call",
    [
        lambda op: op.create_pitr(range="7d", table="t"),
        lambda op: op.create_pitr(range="7d", database=True),
        lambda op: op.drop_pitr(table="t"),
    ],
)
def test_operation_without_a_current_database_is_refused(call):
    with pytest.raises(MatrixOneArgumentError, match="the connection has no current database"):
        offline(call, database="")


@pytest.mark.parametrize(
    "call",
    [
        lambda op: op.create_pitr(range="7d"),
        lambda op: op.create_pitr(range="7d", account="a"),
        lambda op: op.create_pitr(range="7d", cluster=True),
        lambda op: op.drop_pitr(),
        lambda op: op.alter_pitr(range="7d"),
    ],
)
def test_pitr_operation_without_a_name_or_object_is_refused(call):
    with pytest.raises(MatrixOneArgumentError, match=r"needs a name\. Nothing was sent\. Pass the name.*database=True"):
        offline(call)


def test_pitr_operation_with_a_name_and_an_object_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="do not pass its database or table as well"):
        offline(lambda op: op.drop_pitr("p", table="t"))


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_operation_on_another_dialect_names_the_needed_url(dialect):
    op = Operations(MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True}))
    with pytest.raises(CommandError, match=rf"op\.drop_pitr\(\) needs a URL of matrixone.*this one is of {dialect}"):
        op.drop_pitr("p")


def test_operations_document_that_they_commit():
    for name in ("create_snapshot", "restore_snapshot", "create_pitr", "alter_pitr", "drop_pitr", "restore_pitr"):
        assert "Commits what" in getattr(Operations, name).__doc__


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda op: op.create_pitr("p", range=None, database="d"), "range"),
        (lambda op: op.alter_pitr("p", range=None), "range"),
        (lambda op: op.clone_table("c", None), "source"),
        (lambda op: op.clone_database("c", None), "source"),
        (lambda op: op.create_snapshot(sa.column("x")), "is not a name"),
        (lambda op: op.create_snapshot(""), "is not a name"),
        (lambda op: op.create_pitr("", range="1d", database="d"), "is not a name"),
    ],
)
def test_operation_with_an_argument_that_is_none_is_refused(call, why):
    with pytest.raises(MatrixOneArgumentError, match=why):
        offline(call)


def test_restore_operation_that_may_lose_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        MatrixOneArgumentError, match="lose=privileges is unknown: pass some of sequences, views, grants"
    ):
        RestoreSnapshotOp("s", table="t", lose="privileges")


def test_commit_first_is_rendered_only_if_it_is_false() -> None:
    assert CreatePitrOp(range="7d", database=True, commit_first=True).arguments == {"range": "7d", "database": True}
    operation = CreatePitrOp(range="7d", database=True, commit_first=False)
    assert operation.arguments["commit_first"] is False
    assert operation.element("shop").name == "shop"


def test_commit_first_that_is_not_a_bool_is_refused() -> None:
    with pytest.raises(MatrixOneArgumentError, match="commit_first"):
        CreatePitrOp(range="7d", database=True, commit_first="no")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda op: op.create_pitr(range="1d", schema_="shop", database=True), MatrixOneArgumentError),
        (lambda op: op.create_pitr(range="1d", database=True, verify=True), TypeError),
        (lambda op: op.drop_snapshot("s", as_name="t"), TypeError),
    ],
)
def test_operation_with_an_unknown_keyword_is_refused(call, error):
    with pytest.raises(error, match="got an unexpected keyword argument"):
        offline(call)


def test_operation_documents_each_of_its_keywords():
    for operation in OPERATIONS:
        name = operation.construct.__visit_name__
        missing = [each for each in operation.options.__annotations__ if f":param {each}:" not in help_of(name)]
        assert missing == [], name


def help_of(name):
    return getattr(Operations, name).__doc__
