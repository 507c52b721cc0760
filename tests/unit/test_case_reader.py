"""Count the statements in MatrixOne's distributed test cases that the grammar tests cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grammar.cases import covered_by, main, statements

CASES = """
-- create snapshot in_a_comment for account;
create snapshot `s;1` for account /* drop snapshot x; */ ;
select 'drop snapshot s' from t;
drop   snapshot
  s;
select * from t {snapshot = 's'}
"""


def test_statements_are_split_where_the_server_splits_them() -> None:
    assert list(statements(CASES)) == [
        "create snapshot `s;1` for account",
        "drop snapshot s",
        "select * from t {snapshot = 's'}",
    ]


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("create snapshot s for table d t", "CreateSnapshot"),
        ("create pitr p for database d range 2 'h'", "CreatePitr"),
        ("restore account a database d table t from snapshot s", "RestoreSnapshot"),
        ("create table t clone d.u {snapshot = 's'} to account a", "CloneTable"),
        ("data branch diff t {snapshot='r'} against u columns (a, `b`) output limit 3", "DiffBranch"),
        ("data branch pick t into u keys ((1,'a'),(2,'b')) when conflict skip", "PickBranch"),
    ],
)
def test_statement_is_covered_by_its_construct(statement: str, by: str) -> None:
    assert covered_by(statement, "4.2.0")[0] == by


def test_statement_without_a_construct_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "case.sql").write_text("show snapshots; drop snapshot s; drop snapshot s sideways;")
    assert not main("4.2.0", tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "    1 DropSnapshot",
        "    1 read by the Inspector and Recovery",
        "    3 distinct statements, 1 of them neither covered nor listed",
        "  drop snapshot s sideways",
        "    ",
    ]


def test_statement_that_its_release_lacks_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "case.sql").write_text("data branch create table t from u;")
    assert main("4.2.0", tmp_path)
    assert not main("2.2.2", tmp_path)
    assert "needs MatrixOne 3.0.6 or later" in capsys.readouterr().out
