"""docs/grammar.md: the construct in each row compiles to its statement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy

import sqlalchemy_matrixone
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

PAGE = Path(__file__).parents[2] / "docs" / "grammar.md"
ROWS = re.findall(r"^\| `([^`]+)` \| (\d+\.\d+\.\d+) \| `([^`]+)` \|$", PAGE.read_text(), re.M)
NAMES = vars(sqlalchemy) | vars(sqlalchemy_matrixone)


@pytest.mark.parametrize(("statement", "release", "construct"), ROWS)
def test_grammar_page_row_compiles_to_its_statement(statement, release, construct):
    dialect = MatrixOneDialect_pymysql(server_version=release)
    compiled = eval(construct, dict(NAMES)).compile(dialect=dialect, **_options(construct))
    assert " ".join(str(compiled).replace("`", "").split()) == statement


def _options(construct):
    return {"compile_kwargs": {"literal_binds": True}} if "select(as_of" in construct else {}


def test_grammar_page_rows_are_all_read():
    page = PAGE.read_text()
    supported = page[: page.index("## Read by other functions\n")]
    assert len(ROWS) == len(re.findall(r"^\| `", supported, re.M))
