"""Each form of the grammar, on each release line: the SQL, or a refusal that names the release it needs."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Column, Enum, Integer, MetaData, String, Table, create_mock_engine, delete, insert, update
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import CompileError

from sqlalchemy_matrixone import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    MatrixOneArgumentError,
    RestorePitr,
    RestoreSnapshot,
)
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from tests.models import Order
from tests.unit import compiling

ORDERS = Order.__table__
INVOICES = Table("invoices", MetaData(), Column("id", Integer), schema="billing")
NOON = "2026-11-22 12:00:00"


def dialect(release: str, *, account: str | None = "sys", database: str | None = "shop") -> MatrixOneDialect_pymysql:
    made = MatrixOneDialect_pymysql(server_version=release)
    made.default_account_name = account
    made.default_schema_name = database
    return made


def sql(construct, release="4.2.0", **known) -> str:
    return str(construct.compile(dialect=dialect(release, **known)))


def assert_compile(construct, expected, release="4.2.0", **known):
    compiling.assert_compile(construct, expected, dialect=dialect(release, **known))


PORTABLE = [
    (CreateSnapshot("s", cluster=True), "CREATE SNAPSHOT `s` FOR CLUSTER"),
    (CreateSnapshot("s"), "CREATE SNAPSHOT `s` FOR ACCOUNT"),
    (CreateSnapshot("s", account="acc1"), "CREATE SNAPSHOT `s` FOR ACCOUNT `acc1`"),
    (CreateSnapshot("s", account="sys"), "CREATE SNAPSHOT `s` FOR ACCOUNT"),
    (CreateSnapshot("s", database="shop"), "CREATE SNAPSHOT `s` FOR DATABASE `shop`"),
    (CreateSnapshot("s", table="t", database="d"), "CREATE SNAPSHOT `s` FOR TABLE `d` `t`"),
    (CreateSnapshot("s", table=Order), "CREATE SNAPSHOT `s` FOR TABLE `shop` `orders`"),
    (CreateSnapshot("s", table=ORDERS), "CREATE SNAPSHOT `s` FOR TABLE `shop` `orders`"),
    (CreateSnapshot("s", table=INVOICES), "CREATE SNAPSHOT `s` FOR TABLE `billing` `invoices`"),
    (CreateSnapshot("s", database="d", if_not_exists=True), "CREATE SNAPSHOT IF NOT EXISTS `s` FOR DATABASE `d`"),
    (DropSnapshot("s"), "DROP SNAPSHOT `s`"),
    (DropSnapshot("s", if_exists=True), "DROP SNAPSHOT IF EXISTS `s`"),
    (CreatePitr("p", range="1h", cluster=True), "CREATE PITR `p` FOR CLUSTER RANGE 1 'h'"),
    (CreatePitr("p", range="7d"), "CREATE PITR `p` FOR ACCOUNT RANGE 7 'd'"),
    (CreatePitr("p", range="7d", account="acc1"), "CREATE PITR `p` FOR ACCOUNT `acc1` RANGE 7 'd'"),
    (CreatePitr("p", range=(3, "mo"), database="d"), "CREATE PITR `p` FOR DATABASE `d` RANGE 3 'mo'"),
    (CreatePitr("p", range=dt.timedelta(days=7), table=Order), "CREATE PITR `p` FOR TABLE `shop` `orders` RANGE 7 'd'"),
    (
        CreatePitr("p", range="1y", table=Order, if_not_exists=True),
        "CREATE PITR IF NOT EXISTS `p` FOR TABLE `shop` `orders` RANGE 1 'y'",
    ),
    (AlterPitr("p", range="2h"), "ALTER PITR `p` RANGE 2 'h'"),
    (AlterPitr("p", range="2h", if_exists=True), "ALTER PITR IF EXISTS `p` RANGE 2 'h'"),
    (DropPitr("p"), "DROP PITR `p`"),
    (DropPitr("p", if_exists=True), "DROP PITR IF EXISTS `p`"),
    (RestorePitr("p", server_time=NOON, cluster=True), f"RESTORE CLUSTER FROM PITR `p` '{NOON}'"),
    (RestorePitr("p", server_time=NOON, account="sys"), f"RESTORE FROM PITR `p` '{NOON}'"),
    (RestorePitr("p", server_time=NOON, account="acc1"), f"RESTORE ACCOUNT `acc1` FROM PITR `p` '{NOON}'"),
    (
        RestorePitr("p", server_time=NOON, account="acc1", to_account="acc2"),
        f"RESTORE ACCOUNT `acc2` FROM PITR `p` '{NOON}' `acc1`",
    ),
    (RestorePitr("p", server_time=NOON, database="d"), f"RESTORE DATABASE `d` FROM PITR `p` '{NOON}'"),
    (RestorePitr("p", server_time=NOON, database="d", account="SYS"), f"RESTORE DATABASE `d` FROM PITR `p` '{NOON}'"),
    (RestorePitr("p", server_time=NOON, table=Order), f"RESTORE DATABASE `shop` TABLE `orders` FROM PITR `p` '{NOON}'"),
]


@pytest.mark.parametrize("release", ["2.2.2", "3.0.14", "4.2.0"])
@pytest.mark.parametrize(("construct", "expected"), PORTABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_recovery_construct_compiles_alike_on_all_releases(construct, expected, release):
    assert_compile(construct, expected, release)


RESTORES = [
    (RestoreSnapshot("s", cluster=True), "RESTORE CLUSTER FROM SNAPSHOT `s`", "RESTORE CLUSTER {SNAPSHOT = `s`}"),
    (
        RestoreSnapshot("s", account="acc1"),
        "RESTORE ACCOUNT `acc1` FROM SNAPSHOT `s`",
        "RESTORE ACCOUNT `acc1` {SNAPSHOT = `s`}",
    ),
    (
        RestoreSnapshot("s", account="acc1", to_account="acc2"),
        "RESTORE ACCOUNT `acc1` FROM SNAPSHOT `s` TO ACCOUNT `acc2`",
        "RESTORE ACCOUNT `acc1` {SNAPSHOT = `s`} TO ACCOUNT `acc2`",
    ),
    (
        RestoreSnapshot("s", database="d"),
        "RESTORE ACCOUNT `sys` DATABASE `d` FROM SNAPSHOT `s`",
        "RESTORE DATABASE `d` {SNAPSHOT = `s`}",
    ),
    (
        RestoreSnapshot("s", database="d", account="acc1"),
        "RESTORE ACCOUNT `acc1` DATABASE `d` FROM SNAPSHOT `s`",
        "RESTORE DATABASE `acc1`.`d` {SNAPSHOT = `s`}",
    ),
    (
        RestoreSnapshot("s", table=Order),
        "RESTORE ACCOUNT `sys` DATABASE `shop` TABLE `orders` FROM SNAPSHOT `s`",
        "RESTORE TABLE `shop`.`orders` {SNAPSHOT = `s`}",
    ),
]


@pytest.mark.parametrize(("construct", "before_4", "from_4"), RESTORES)
def test_restore_snapshot_follows_the_release(construct, before_4, from_4):
    assert_compile(construct, before_4, "2.2.2")
    assert_compile(construct, before_4, "3.0.18")
    assert_compile(construct, from_4, "4.0.0")
    assert_compile(construct, from_4, "4.2.0")


NOT_BEFORE = [
    (CreateSnapshot("s", database="d", from_account="a", publication="pub"), "3.0.14", "4.0.0"),
    (RestorePitr("p", server_time=NOON, account="acc1", database="d"), "4.0.0", "4.1.0"),
]


@pytest.mark.parametrize(("construct", "release", "needs"), NOT_BEFORE)
def test_recovery_construct_before_its_release_names_it(construct, release, needs):
    with pytest.raises(CompileError, match=rf"needs MatrixOne {needs} or later; this is {release}"):
        sql(construct, release)
    assert sql(construct, needs)


@pytest.mark.parametrize("release", ["2.2.2", "3.0.14", "4.2.0"])
@pytest.mark.parametrize("what", [{"database": "d"}, {"table": "t", "database": "d"}])
def test_restore_object_to_an_account_that_the_server_ignores_is_refused(what, release):
    with pytest.raises(CompileError, match="ignores it and replaces the original"):
        sql(RestoreSnapshot("s", **what, to_account="acc2"), release)


@pytest.mark.parametrize("release", ["2.2.2", "3.0.14", "4.2.0"])
def test_restore_sys_account_to_another_account_is_refused(release):
    with pytest.raises(CompileError, match="restores the account sys to another account"):
        sql(RestoreSnapshot("s", account="SYS", to_account="acc2"), release)


def test_snapshot_of_a_publication_compiles_since_4_0():
    source = {"from_account": "pubacc", "publication": "pub"}
    assert_compile(
        CreateSnapshot("s", table=Order, **source),
        "CREATE SNAPSHOT `s` FOR TABLE `shop` `orders` FROM `pubacc` PUBLICATION `pub`",
    )
    assert_compile(
        CreateSnapshot("s", database="d", **source),
        "CREATE SNAPSHOT `s` FOR DATABASE `d` FROM `pubacc` PUBLICATION `pub`",
    )
    assert_compile(CreateSnapshot("s", **source), "CREATE SNAPSHOT `s` FOR ACCOUNT FROM `pubacc` PUBLICATION `pub`")


def test_restore_pitr_of_another_account_s_table():
    assert_compile(
        RestorePitr("p", server_time=NOON, account="acc1", table="t", database="d"),
        f"RESTORE ACCOUNT `acc1` DATABASE `d` TABLE `t` FROM PITR `p` '{NOON}'",
        "4.1.0",
    )


def test_current_account_other_than_sys_is_not_named():
    assert_compile(
        CreatePitr("p", range="1d", account="acc1"), "CREATE PITR `p` FOR ACCOUNT RANGE 1 'd'", account="acc1"
    )
    assert_compile(
        RestorePitr("p", server_time=NOON, account="acc1"), f"RESTORE FROM PITR `p` '{NOON}'", account="acc1"
    )
    assert_compile(
        RestoreSnapshot("s", database="d"),
        "RESTORE ACCOUNT `acc1` DATABASE `d` FROM SNAPSHOT `s`",
        "3.0.14",
        account="acc1",
    )


def test_restore_before_4_0_needs_the_account():
    with pytest.raises(CompileError, match="pass account="):
        sql(RestoreSnapshot("s", database="d"), "3.0.14", account=None)


def test_table_without_a_current_database_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="the connection has none"):
        sql(CreateSnapshot("s", table=Order), database=None)


def test_recovery_constructs_follow_schema_translate_map():
    compiled = CreateSnapshot("s", table=INVOICES).compile(
        dialect=dialect("4.2.0"), schema_translate_map={"billing": "billing_test"}
    )
    assert str(compiled) == "CREATE SNAPSHOT `s` FOR TABLE `billing_test` `invoices`"


def test_restore_to_an_aware_datetime_needs_a_connection():
    when = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    with pytest.raises(CompileError, match="connected matrixone engine"):
        sql(RestorePitr("p", timestamp=when, database="d"))
    assert str(RestorePitr("p", timestamp=when, database="d")).endswith("'2026-11-22 12:00:00+00:00'")


def test_str_shows_unknown_database_in_angle_brackets():
    assert (
        str(CreatePitr("100%", range="1d", table=Order))
        == "CREATE PITR `100%` FOR TABLE <database> `orders` RANGE 1 'd'"
    )


@pytest.mark.parametrize(("construct", "expected"), PORTABLE[:3])
def test_recovery_construct_compiles_on_the_mysql_dialect(construct, expected):
    assert str(construct.compile(dialect=mysql.dialect())) == expected


def test_recovery_construct_does_not_compile_on_sqlite():
    with pytest.raises(CompileError):
        CreateSnapshot("s").compile(dialect=sqlite.dialect())


def test_other_ddl_of_the_mysql_dialect_is_untouched():
    from sqlalchemy.schema import CreateTable

    table = Table("a\\", MetaData(), Column("c", String(3)))
    assert "`a\\`" in str(CreateTable(table).compile(dialect=mysql.dialect()))
    with pytest.raises(CompileError, match="backslash must not be at its end"):
        CreateTable(table).compile(dialect=dialect("4.2.0"))


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("3.0.14", "RESTORE ACCOUNT `acc1` DATABASE `shop` TABLE `orders` FROM SNAPSHOT `s`"),
        ("4.2.0", "RESTORE TABLE `shop`.`orders` {SNAPSHOT = `s`}"),
    ],
)
def test_mock_engine_reads_release_account_and_database_from_the_url(release, expected):
    printed: list[str] = []
    engine = create_mock_engine(
        f"matrixone+pymysql://acc1%3Aadmin@localhost/shop?server_version={release}",
        lambda construct, *_: printed.append(str(construct.compile(dialect=engine.dialect))),
    )
    engine.execute(RestoreSnapshot("s", table=Order))
    assert printed == [expected]


class TestReturning:
    """MatrixOne refuses to return an ENUM or SET."""

    items = Table(
        "item",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("kind", Enum("a", "b"), server_default="a"),
        Column("n", Integer, server_default="1"),
    )

    @pytest.mark.parametrize(
        ("defaults", "returned"),
        [([items.c.kind, items.c.n], "item.id, item.n"), ([], "item.id, item.n"), ([items.c.kind], "item.id")],
    )
    def test_returning_of_flush_defaults_leaves_out_an_enum(self, defaults, returned):
        statement = insert(self.items).return_defaults(*defaults)
        compiled = statement.compile(dialect=dialect("4.2.0"), column_keys=[])
        assert str(compiled).partition(" RETURNING ")[2] == returned
        assert self.items.c.kind in compiled.postfetch

    def test_returning_of_an_explicit_enum_is_refused(self):
        with pytest.raises(CompileError, match=r"cannot return an ENUM or SET: leave item\.kind out of returning\(\)"):
            insert(self.items).returning(self.items).compile(dialect=dialect("4.2.0"))
        with pytest.raises(CompileError, match=r"leave item\.kind out"):
            update(self.items).returning(self.items.c.kind).compile(dialect=dialect("4.2.0"))
        assert str(delete(self.items).returning(self.items.c.n).compile(dialect=dialect("4.2.0"))).endswith("item.n")
