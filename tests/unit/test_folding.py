"""Names are folded as the server folds them, and quoted unless they are plain ASCII."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.sql.elements import quoted_name

from sqlalchemy_matrixone import CreatePitr, RestorePitr, RestoreSnapshot, as_of
from sqlalchemy_matrixone.core.names import fold
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.timetravel.point_in_time import PointInTime

DIALECT = MatrixOneDialect_pymysql(server_version="4.2.0")


@pytest.mark.parametrize(
    ("name", "folded"),
    # As seen on MatrixOne 2.2.2, 3.0.14 and 4.2.0.
    [
        ("Orders", "orders"), ("ΑΣ", "ασ"), ("ΌΣΟΣ", "όσοσ"), ("İ", "i"), ("ı", "ı"), ("ſx", "ſx"), ("naß", "naß"),
        ("ẞ", "ß"), ("Ⅷ", "ⅷ"), ("Ǆ", "ǆ"), ("Ꭰ", "ꭰ"), ("Ⴀ", "ⴀ"), ("Ა", "ა"), ("快照", "快照"), (None, None),
        ("", ""), (quoted_name("Orders", quote=True), "orders"), (quoted_name("Ärger", quote=True), "ärger"),
    ],
)  # fmt: skip
def test_fold_lowercases_as_the_server_does(name, folded):
    assert fold(name) == folded


def test_fold_keeps_the_number_of_characters():
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if unicodedata.category(character) != "Cs":
            assert len(fold(character)) == 1, hex(number)


@given(st.text(), st.text())
def test_fold_looks_at_one_character_at_a_time(first, second):
    assert fold(first + second) == fold(first) + fold(second)
    assert fold(fold(first)) == fold(first)


@pytest.mark.parametrize("name", ["ı", "ſx", "K", "ΑΣ", "a b", "a\n", "naïve", "快照", "１"])
def test_name_that_is_not_plain_ascii_is_quoted(name):
    table = Table(name, MetaData(), Column(name, Integer))
    assert f"SELECT `{name}`.`{name}` \nFROM `{name}`" in str(select(table).compile(dialect=DIALECT))


@pytest.mark.parametrize("name", ["orders", "a1_$"])
def test_plain_ascii_name_is_not_quoted(name):
    assert DIALECT.identifier_preparer.quote(name) == name


def test_current_account_is_recognized_whatever_its_case():
    dialect = MatrixOneDialect_pymysql(server_version="4.2.0")
    dialect.default_account_name = "ας"
    restore = RestorePitr("p", server_time="2026-03-01 12:00:00", account="ΑΣ")
    assert "ACCOUNT" in str(restore.compile(dialect=dialect))
    dialect.default_account_name = "ασ"
    assert str(restore.compile(dialect=dialect)) == "RESTORE FROM PITR `p` '2026-03-01 12:00:00'"


def test_snapshots_that_fold_to_one_are_one_point_in_time():
    one, other = (PointInTime.of(snapshot=name, timestamp=None, mo_ts=None) for name in ("ΑΣ", "ασ"))
    assert one.text(one.value.value) == other.text(other.value.value)
    old, same = as_of(Table("t", MetaData()), snapshot="ΑΣ"), as_of(Table("u", MetaData()), snapshot="ασ")
    str(select(1).select_from(old, same).compile(dialect=DIALECT))


def test_name_in_any_case_is_sent_as_given():
    assert "`ΑΣ`" in str(RestoreSnapshot("ΑΣ", database="İ"))
    assert "`İ`" in str(CreatePitr("İ", range="1d", database="d"))
