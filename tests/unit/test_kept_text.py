"""Refuse comments and values that the server could not read again; render table options as a comment."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateTable, SetColumnComment, SetTableComment

from tests.unit.compiling import sql

BROKEN = ["c:\\temp\\", "x\\'y", "x\\\\"]
KEPT = ["c:\\temp", "it's", '\\"', "100 %"]


def table(*columns, **kw) -> sa.Table:
    return sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns, **kw)


def with_comment(comment):
    return table(sa.Column("n", sa.Integer, comment=comment), comment=comment)


@pytest.mark.parametrize("text", BROKEN)
class TestTextWithBackslashBeforeAQuote:
    def test_as_comment_of_a_table_is_refused(self, text):
        with pytest.raises(CompileError, match=r"The comment .* neither be altered nor cloned"):
            sql(CreateTable(table(comment=text)))
        with pytest.raises(CompileError, match="The comment"):
            sql(SetTableComment(table(comment=text)))

    def test_as_comment_of_a_column_is_refused(self, text):
        column = sa.Column("n", sa.Integer, comment=text)
        with pytest.raises(CompileError, match="The comment"):
            sql(CreateTable(table(column)))
        with pytest.raises(CompileError, match="The comment"):
            sql(SetColumnComment(column))

    @pytest.mark.parametrize("type_", [sa.Enum, mysql.ENUM, mysql.SET])
    def test_as_value_of_an_enum_or_set_is_refused(self, text, type_):
        with pytest.raises(CompileError, match=r"The (ENUM|SET) value"):
            sql(CreateTable(table(sa.Column("e", type_("a", text)))))


@pytest.mark.parametrize("text", KEPT)
def test_text_that_the_server_can_read_again_is_rendered(text):
    literal = text.replace("\\", "\\\\").replace("'", "''").replace("%", "%%")
    assert sql(CreateTable(with_comment(text))).count(f"COMMENT '{literal}'") == 1
    assert f"COMMENT='{literal}'" in sql(CreateTable(with_comment(text)))
    assert sql(SetTableComment(with_comment(text))) == f"ALTER TABLE t COMMENT '{literal}'"


@pytest.mark.parametrize("option", ["mysql_comment", "matrixone_comment"])
def test_comment_as_table_option_is_rendered_in_quotes(option):
    assert sql(CreateTable(table(**{option: "it's"}))).endswith("COMMENT='it''s'")
    assert sql(CreateTable(table(**{option: "old"}, comment="new"))).endswith("COMMENT='new'")


@pytest.mark.parametrize("default", ["now(3) ON UPDATE now(3)", "CURRENT_TIMESTAMP(3) on update NOW(3)"])
def test_now_after_on_update_is_current_timestamp(default):
    column = sa.Column("at", mysql.DATETIME(fsp=3), server_default=sa.text(default))
    assert " ON UPDATE CURRENT_TIMESTAMP(3)" in sql(CreateTable(table(column)))
