"""Clones and data branches: their SQL, their refusals, and their transaction scope."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    create_mock_engine,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, UnsupportedCompilationError
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import (
    CloneDatabase,
    CloneTable,
    CreateBranch,
    CreatePitr,
    DiffBranch,
    DropBranch,
    MatrixOneArgumentError,
    MergeBranch,
    PickBranch,
    as_of,
)
from sqlalchemy_matrixone.branches.execution import TransactionScope
from sqlalchemy_matrixone.core.refusals import conflict_of
from sqlalchemy_matrixone.core.release import parse_release
from tests.models import Manager, Order
from tests.unit.compiling import assert_compile, compiled, dialect, sql

BILLING = Table("in`voices", MetaData(), Column("id", String(9), primary_key=True), schema="billing")
PAIRS = Table("pairs", MetaData(), Column("a", Integer, primary_key=True), Column("b", String(9), primary_key=True))
DEV = table("dev", schema="d")
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
THEN = as_of(Order, snapshot="s")


FORMS = [
    (CloneTable("c", Order), "CREATE TABLE `c` CLONE `orders`"),
    (CloneTable("c", "t", database="d"), "CREATE TABLE `d`.`c` CLONE `d`.`t`"),
    (CloneTable("c", Manager), "CREATE TABLE `c` CLONE `managers`"),
    (CloneTable(DEV, BILLING), "CREATE TABLE `d`.`dev` CLONE `billing`.`in``voices`"),
    (CloneTable("c", Order, snapshot="s"), "CREATE TABLE `c` CLONE `orders` {SNAPSHOT = `s`}"),
    (CloneTable("c", THEN), "CREATE TABLE `c` CLONE `orders` {SNAPSHOT = `s`}"),
    (
        CloneTable("c", Order, timestamp=NOON),
        "CREATE TABLE `c` CLONE `orders` {TIMESTAMP = '2026-11-22 12:00:00.000000'}",
    ),
    (CloneTable("c", Order, mo_ts=7), "CREATE TABLE `c` CLONE `orders` {MO_TS = 7}"),
    (CloneTable("c", Order, if_not_exists=True), "CREATE TABLE IF NOT EXISTS `c` CLONE `orders`"),
    (
        CloneTable(DEV, Order, snapshot="s", to_account="acc"),
        "CREATE TABLE `d`.`dev` CLONE `orders` {SNAPSHOT = `s`} TO ACCOUNT `acc`",
    ),
    (CloneDatabase("c", "d"), "CREATE DATABASE `c` CLONE `d`"),
    (
        CloneDatabase("c", "d", snapshot="s", to_account="acc"),
        "CREATE DATABASE `c` CLONE `d` {SNAPSHOT = `s`} TO ACCOUNT `acc`",
    ),
    (CloneDatabase("c", "d", if_not_exists=True), "CREATE DATABASE IF NOT EXISTS `c` CLONE `d`"),
    (CreateBranch("b", Order), "DATA BRANCH CREATE TABLE `b` FROM `orders`"),
    (CreateBranch(DEV, "t", database="x"), "DATA BRANCH CREATE TABLE `d`.`dev` FROM `x`.`t`"),
    (
        CreateBranch("b", Order, snapshot="s", to_account="acc"),
        "DATA BRANCH CREATE TABLE `b` FROM `orders` {SNAPSHOT = `s`} TO ACCOUNT `acc`",
    ),
    (CreateBranch("b", database="d"), "DATA BRANCH CREATE DATABASE `b` FROM `d`"),
    (
        CreateBranch("b", database="d", snapshot="s", to_account="acc"),
        "DATA BRANCH CREATE DATABASE `b` FROM `d` {SNAPSHOT = `s`} TO ACCOUNT `acc`",
    ),
    (DropBranch("b"), "DATA BRANCH DELETE TABLE `b`"),
    (DropBranch("b", database="d"), "DATA BRANCH DELETE TABLE `d`.`b`"),
    (DropBranch(DEV), "DATA BRANCH DELETE TABLE `d`.`dev`"),
    (DropBranch(database="d"), "DATA BRANCH DELETE DATABASE `d`"),
    (DiffBranch("b", "t"), "DATA BRANCH DIFF `b` AGAINST `t`"),
    (DiffBranch("b", Order), "DATA BRANCH DIFF `b` AGAINST `orders` COLUMNS (`id`, `note`)"),
    (DiffBranch(DEV, "t", database="x"), "DATA BRANCH DIFF `d`.`dev` AGAINST `x`.`t`"),
    (
        DiffBranch(as_of(table("t"), snapshot="a"), as_of(table("t"), snapshot="b")),
        "DATA BRANCH DIFF `t` {SNAPSHOT = `a`} AGAINST `t` {SNAPSHOT = `b`}",
    ),
    (
        DiffBranch("b", Order, columns=[Order.note, "id"]),
        "DATA BRANCH DIFF `b` AGAINST `orders` COLUMNS (`note`, `id`)",
    ),
    (DiffBranch("b", Order, output="summary"), "DATA BRANCH DIFF `b` AGAINST `orders` OUTPUT SUMMARY"),
    (DiffBranch("b", Order, output="count"), "DATA BRANCH DIFF `b` AGAINST `orders` OUTPUT COUNT"),
    (DiffBranch("b", "t", limit=3), "DATA BRANCH DIFF `b` AGAINST `t` OUTPUT LIMIT 3"),
    (DiffBranch("b", "t", as_table=DEV), "DATA BRANCH DIFF `b` AGAINST `t` OUTPUT AS `d`.`dev`"),
    (DiffBranch("b", "t", file="stage://x/'"), "DATA BRANCH DIFF `b` AGAINST `t` OUTPUT FILE 'stage://x/'''"),
    (CloneDatabase("a\\b", "c\\d"), "CREATE DATABASE `a\\b` CLONE `c\\d`"),
    (DropBranch("a\\b"), "DATA BRANCH DELETE TABLE `a\\b`"),
    (MergeBranch("b", Order), "DATA BRANCH MERGE `b` INTO `orders`"),
    (
        MergeBranch(as_of(DEV, snapshot="s"), Order, on_conflict="accept"),
        "DATA BRANCH MERGE `d`.`dev` {SNAPSHOT = `s`} INTO `orders` WHEN CONFLICT ACCEPT",
    ),
    (
        MergeBranch("b", "t", database="d", on_conflict="skip"),
        "DATA BRANCH MERGE `d`.`b` INTO `d`.`t` WHEN CONFLICT SKIP",
    ),
    (PickBranch("b", Order, keys=[1, 2]), "DATA BRANCH PICK `b` INTO `orders` KEYS (1, 2)"),
    (PickBranch("b", "t", keys=["it's\\%"]), "DATA BRANCH PICK `b` INTO `t` KEYS ('it''s\\\\%%')"),
    (PickBranch("b", PAIRS, keys=[(1, "x"), (2, "y")]), "DATA BRANCH PICK `b` INTO `pairs` KEYS ((1, 'x'), (2, 'y'))"),
    (
        PickBranch("b", Order, keys=select(Order.id).where(Order.id > 5), on_conflict="fail"),
        "DATA BRANCH PICK `b` INTO `orders` KEYS (SELECT orders.id FROM orders WHERE orders.id > 5) WHEN CONFLICT FAIL",
    ),
    (PickBranch("b", "t", keys=[literal_column("b'1'")]), "DATA BRANCH PICK `b` INTO `t` KEYS (b'1')"),
    (PickBranch("b", "t", between=("s1", "S2")), "DATA BRANCH PICK `b` INTO `t` BETWEEN SNAPSHOT `s1` AND `S2`"),
    (
        PickBranch("b", "t", between=("s1", "s2"), keys=[1]),
        "DATA BRANCH PICK `b` INTO `t` BETWEEN SNAPSHOT `s1` AND `s2` KEYS (1)",
    ),
]


@pytest.mark.parametrize(("construct", "expected"), FORMS)
def test_branch_construct_compiles_by_form(construct, expected):
    assert_compile(construct, expected)
    assert " ".join(str(construct).split()) == expected.replace("%%", "%")


def test_clone_copy_grants_follows_the_point_in_time():
    clone = CloneTable(DEV, Order, snapshot="s", copy_grants=True, to_account="a")
    assert_compile(clone, "CREATE TABLE `d`.`dev` CLONE `orders` {SNAPSHOT = `s`} COPY GRANTS TO ACCOUNT `a`")


@pytest.mark.parametrize(
    ("construct", "before", "since"),
    [
        (CloneTable("c", Order), "2.2.2", "3.0.0"),
        (CloneDatabase("c", "d"), "2.2.2", "3.0.0"),
        (CloneTable("c", Order, copy_grants=True), "4.1.1", "4.1.2"),
        (CreateBranch("b", Order), "3.0.5", "3.0.6"),
        (DropBranch("b"), "3.0.5", "3.0.6"),
        (MergeBranch("b", Order), "3.0.5", "3.0.6"),
        (DiffBranch("b", "t"), "3.0.5", "3.0.6"),
        (DiffBranch("b", "t", output="summary"), "3.0.8", "3.0.9"),
        (DiffBranch("b", "t", columns=["a"]), "3.0.9", "3.0.10"),
        (DiffBranch("b", "t", as_table="x"), "4.1.4", "4.2.0"),
        (PickBranch("b", Order, keys=[1]), "3.0.11", "3.0.12"),
    ],
)
def test_branch_construct_before_its_release_is_refused(construct, before, since):
    with pytest.raises(CompileError, match=f"needs MatrixOne {since}".replace(".", r"\.")):
        compiled(construct, before)
    compiled(construct, since)


def test_diff_branch_before_4_0_names_no_columns():
    assert_compile(DiffBranch("b", Order), "DATA BRANCH DIFF `b` AGAINST `orders`", "3.0.9")


def test_branch_constructs_follow_schema_translate_map():
    kw = {"schema_translate_map": {None: "here", "billing": "there"}}
    assert_compile(CloneTable("c", BILLING), "CREATE TABLE `here`.`c` CLONE `there`.`in``voices`", **kw)
    assert sql(DiffBranch(BILLING, "t"), **kw).startswith("DATA BRANCH DIFF `there`.`in``voices` AGAINST `here`.`t`")


@pytest.mark.parametrize(
    "make",
    [
        lambda: CloneTable("", Order),
        lambda: CloneTable("c", 7),
        lambda: CloneTable("c", Order, snapshot="s", mo_ts=1),
        lambda: CloneTable("c", THEN, snapshot="t"),
        lambda: CloneTable("c", Order, snapshot="a b"),
        lambda: CloneTable("c", Order, timestamp=dt.datetime(2026, 1, 1)),
        lambda: CloneTable("c", Order, if_not_exists=True, to_account="acc"),
        lambda: CloneDatabase("c", " "),
        lambda: CloneDatabase("c", "d", if_not_exists=True, to_account="acc"),
        lambda: CreateBranch("b"),
        lambda: CreateBranch(DEV, database="d"),
        lambda: CloneTable("c", "t", database=""),
        lambda: CloneTable("c", "t", database=7),
        lambda: CloneTable("c", as_of(Manager, snapshot="s")),
        lambda: CloneTable(THEN, Order),
        lambda: DropBranch(THEN),
        lambda: MergeBranch("b", THEN),
        lambda: DiffBranch("b", "t", as_table=THEN),
        lambda: DropBranch(),
        lambda: DropBranch(database=""),
        lambda: DiffBranch("b", "t", output="rows"),
        lambda: DiffBranch("b", "t", output="count", limit=1),
        lambda: DiffBranch("b", "t", limit=-1),
        lambda: DiffBranch("b", "t", columns=[7]),
        lambda: MergeBranch("b", "t", on_conflict="ignore"),
        lambda: PickBranch("b", "t"),
        lambda: PickBranch("b", "t", keys=[]),
        lambda: PickBranch("b", "t", keys="12"),
        lambda: PickBranch("b", "t", between=("a", "b c")),
    ],
)
def test_branch_construct_with_invalid_arguments_is_refused(make):
    with pytest.raises(MatrixOneArgumentError):
        make()


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (True, "is a bool"),
        (float("nan"), "is no number"),
        (Decimal("sNaN"), "is no number"),
        (Decimal("Infinity"), "is no number"),
        (1 << 64, "is beyond BIGINT"),
        (-(1 << 63) - 1, "is beyond BIGINT"),
        (b"1", "is binary"),
    ],
)
def test_pick_by_a_value_that_cannot_be_a_key_is_refused_by_its_name(key: object, problem: str):
    for keys in ([1, key], [(1, key)]):
        with pytest.raises(MatrixOneArgumentError) as refused:
            PickBranch("b", "t", keys=keys)
        assert f"the key {key!r} {problem}" in str(refused.value)
    assert sql(PickBranch("b", "t", keys=[(1 << 64) - 1])).endswith("KEYS (18446744073709551615)")


def test_pick_branch_keys_are_copied_at_construction():
    assert sql(PickBranch("b", "t", keys=(key for key in (1, 2)))).endswith("KEYS (1, 2)")
    keys = [1]
    pick = PickBranch("b", "t", keys=keys)
    keys.append(2)
    assert sql(pick).endswith("KEYS (1)")


def test_session_get_bind_finds_the_engine_of_a_construct():
    theirs, ours = create_engine("sqlite://"), create_engine("matrixone+pymysql://127.0.0.1")
    session = Session(theirs, binds={Order: ours})
    for construct in (CloneTable("c", Order), DiffBranch("b", Order), CreatePitr("p", range="1d", table=Order)):
        assert session.get_bind(clause=construct) is ours
    assert session.get_bind(clause=CloneTable("c", "orders")) is theirs


def test_branch_constructs_do_not_compile_on_mysql():
    """Which would not send the BEGIN that they need."""
    for construct in (CloneTable("c", Order), DiffBranch("b", "t")):
        with pytest.raises(UnsupportedCompilationError):
            construct.compile(dialect=mysql.dialect())


def test_clone_is_printed_by_a_mock_engine():
    sent = []
    engine = create_mock_engine("matrixone+pymysql://?server_version=4.2.0", lambda ddl, *_: sent.append(ddl))
    engine.execute(CloneTable("c", Order))
    assert sent


@pytest.mark.parametrize(
    ("construct", "place_on_3", "place_on_4"),
    [
        (CloneTable("c", Order), TransactionScope.IN_TRANSACTION, TransactionScope.IN_TRANSACTION),
        (CreateBranch("b", Order), TransactionScope.IN_TRANSACTION, TransactionScope.IN_TRANSACTION),
        (DropBranch("b"), TransactionScope.IN_TRANSACTION, TransactionScope.IN_TRANSACTION),
        (MergeBranch("b", Order), TransactionScope.AUTOCOMMIT, TransactionScope.IN_TRANSACTION),
        (PickBranch("b", Order, keys=[1]), TransactionScope.AUTOCOMMIT, TransactionScope.AUTOCOMMIT),
        (DiffBranch("b", Order), TransactionScope.FIRST_STATEMENT, TransactionScope.ANY),
        (DiffBranch("b", Order, as_table="x"), TransactionScope.FIRST_STATEMENT, TransactionScope.IN_TRANSACTION),
    ],
)
def test_branch_statement_transaction_scope_by_release(construct, place_on_3, place_on_4):
    assert construct.transaction_scope(parse_release("3.0.14")) is place_on_3
    assert construct.transaction_scope(parse_release("4.2.0")) is place_on_4


def test_branch_conflict_has_the_key():
    text = "internal error: conflict: dev DELETE and base DELETE on pk(%s) with different values"
    for key in ("2", "1,'x'", "')'", r"'a\nb'", r"'c:\\d'"):
        assert conflict_of(Exception(20101, text % key)).key == key


def test_branch_conflict_of_a_composite_or_binary_key_has_no_key():
    text = "internal error: conflict: dev DELETE and base DELETE on pk(%s) with different values"
    for stored in (r"':\x15\x01F'", "':\x15\x01F'", "'A\ufffd'", r"'F\0'"):
        conflict = conflict_of(Exception(20101, text % stored))
        assert conflict.key is None
        assert "on pk(a key of several columns) with" in str(conflict)


def test_branch_conflict_is_none_for_another_error():
    assert conflict_of(Exception(1062, "Duplicate entry")) is None
    assert conflict_of(Exception()) is None


class Colour(enum.Enum):
    red = "r"
    green = "g"


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (sa.Enum("r", "g"), "g"),
        (mysql.ENUM("r", "g"), "g"),
        (sa.Enum(Colour), Colour.green),
        (sa.String(3).with_variant(sa.Enum("r", "g"), "mysql"), "g"),
    ],
)
def test_diff_branch_enum_value_is_read_by_its_number(type_, value):
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("v", type_))
    compiled = DiffBranch("b", table).compile(dialect=dialect("4.2.0"))
    [number] = [entry.type for entry in compiled._result_columns if entry.keyname == "v"]
    process = number.dialect_impl(compiled.dialect).result_processor(compiled.dialect, None)
    assert [process(None), process("2")] == [None, value]


@pytest.mark.parametrize("database", ["", 0, True, b"shop", ("shop",), "\ud800"])
def test_branch_of_a_database_whose_name_is_none_is_refused(database):
    with pytest.raises(MatrixOneArgumentError, match=r"database=.* is not a name"):
        CreateBranch("b", database=database)
