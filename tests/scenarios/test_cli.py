"""The commands of matrixone-recovery on a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sqlalchemy_matrixone.cli.commands import cli

from .client import clean_up, moment
from .server import Admin, Server

SHOP = "sc_cli"

Run = Callable[..., Result]


@pytest.fixture
def run(server: Server, admin: Admin) -> Iterator[Run]:
    clean_up(admin, SHOP)
    url = server.url(database=SHOP, ssl_disabled="true").render_as_string(hide_password=False)

    def run_command(*arguments: str, exit_code: int = 0, answer: str | None = None) -> Result:
        result = CliRunner(env={"MATRIXONE_URL": url}).invoke(cli, arguments, input=answer)
        assert result.exit_code == exit_code, result.output
        assert "dump:111" not in result.output
        return result

    yield run_command
    clean_up(admin)
    admin(f"DROP DATABASE {SHOP}")


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


def notes(admin: Admin) -> list[str]:
    return [note for (note,) in admin(f"SELECT note FROM {SHOP}.orders ORDER BY id")]


def test_cli_shows_status_windows_and_timeline(run: Run, server: Server, admin: Admin, tmp_path: Path):
    assert "NOT PROTECTED" in run("status", "--database", SHOP).output
    admin(f"CREATE PITR sc_cli_pitr FOR DATABASE {SHOP} RANGE 1 'd'")
    moment(server, admin)  # 2.2 shows windows to the second
    assert "sc_cli_pitr" in run("status", "--database", SHOP).output
    [orders] = as_json(run("--json", "status", "--database", SHOP))
    assert (orders["table"], orders["sources"][0]["name"], orders["gaps"]) == ("orders", "sc_cli_pitr", [])
    assert "sc_cli_pitr" in run("windows", "--database", SHOP).output
    if server.release >= (3, 0):  # before, those of the table's own PITRs
        assert "sc_cli_pitr" in run("windows", "--table", "orders").output
    assert as_json(run("--json", "windows", "--database", SHOP))[0]["source"] == "pitr"
    picture = tmp_path / "timeline.svg"
    assert "sc_cli_pitr" in run("timeline", "--database", SHOP, "--svg", str(picture)).output
    assert picture.read_text().startswith("<svg")


def test_cli_finds_previews_and_restores_rows(run: Run, server: Server, admin: Admin):
    before = str(moment(server, admin))
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged'")
    admin(f"INSERT INTO {SHOP}.orders VALUES (3, 'newer')")
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 2")
    change = as_json(run("--json", "find-change", "orders", "--value", "note", "--where", "id = 1", "--since", before))
    assert (change["value_before"], change["value_after"]) == ("first", "damaged")
    assert "damaged" in run("find-change", "orders", "--value", "note", "--where", "id = 1", "--since", before).output

    shown = run("changes", "orders", "--at", before).output
    assert "gone" in shown
    assert "newer" in shown
    assert {row["change"] for row in as_json(run("--json", "changes", "orders", "--at", before))} == {
        "changed", "gone", "new",
    }  # fmt: skip

    dry = run("restore-rows", "orders", "--at", before, "--sql", "--dry-run").output
    assert "to do: 1 rows inserted, 1 updated, 0 deleted" in dry
    assert "INSERT INTO" in dry
    declined = run("restore-rows", f"{SHOP}.orders", "--at", before, answer="n\n", exit_code=3)
    assert "nothing was done" in declined.output
    assert notes(admin) == ["damaged", "newer"]
    run("restore-rows", "orders", "--at", before, "--where", "id=1", answer="y\n")
    assert notes(admin) == ["first", "newer"]
    done = as_json(run("--json", "restore-rows", "orders", "--at", before, "--yes"))
    assert (done["inserted"], done["updated"]) == (1, 0)
    assert notes(admin) == ["first", "second", "newer"]
    assert "to do: 0 rows" in run("restore-rows", "orders", "--at", before).output


def test_cli_restore_asks_before_it_replaces(run: Run, admin: Admin):
    admin(f"CREATE SNAPSHOT sc_cli_snap FOR DATABASE {SHOP}")
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 1")
    arguments = ("restore", "--table", "orders", "--snapshot", "sc_cli_snap")
    assert f"would replace table {SHOP}.orders" in run(*arguments, "--dry-run").output
    run(*arguments, answer="\n", exit_code=3)
    run("--json", *arguments, exit_code=2)
    assert notes(admin) == ["second"]
    assert as_json(run("--json", *arguments, "--yes"))["done"] is True
    assert notes(admin) == ["first", "second"]
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 2")
    assert "done" in run("restore", "--database", SHOP, "--snapshot", "sc_cli_snap", answer="y\n").output
    assert notes(admin) == ["first", "second"]


def test_cli_restores_from_a_pitr_at_a_time(run: Run, server: Server, admin: Admin):
    admin(f"CREATE PITR sc_cli_pitr FOR DATABASE {SHOP} RANGE 1 'd'")
    before = str(moment(server, admin))
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 1")
    run("restore", "--table", "orders", "--pitr", "sc_cli_pitr", "--at", before, "--timeout", "60s", "--yes")
    assert notes(admin) == ["first", "second"]


def test_cli_prune_asks_before_it_drops(run: Run, admin: Admin):
    for number in (1, 2, 3):
        admin(f"CREATE SNAPSHOT sc_cli_n{number} FOR DATABASE {SHOP}")
    assert "sc_cli_n2" in run("prune", "sc_cli_n", "--keep", "1", "--dry-run").output
    run("prune", "sc_cli_n", "--keep", "1", answer="n\n", exit_code=3)
    assert [row["name"] for row in as_json(run("--json", "prune", "sc_cli_n", "--keep", "1", "--yes"))] == [
        "sc_cli_n2", "sc_cli_n1",
    ]  # fmt: skip
    assert "no snapshot to drop" in run("prune", "sc_cli_n", "--older-than", "1h").output
    assert "give one of keep=" in run("prune", "sc_cli_n", exit_code=1).output


def test_cli_error_is_one_line_with_exit_code_1(run: Run, server: Server, admin: Admin):
    assert "there is no table" in run("restore-rows", "nothing", "--at", "1m", exit_code=1).output
    missing = run("restore", "--table", "orders", "--snapshot", "sc_no_such_snapshot", "--yes", exit_code=1)
    assert missing.stderr.startswith("Error: ")
    assert "Traceback" not in missing.output
    before = str(moment(server, admin))
    assert "no change was found" in run("find-change", "orders", "--since", before, exit_code=3).output


def test_cli_conflicting_rows_have_exit_code_3(run: Run, server: Server, admin: Admin):
    admin(f"CREATE TABLE {SHOP}.people (id INT PRIMARY KEY, mail VARCHAR(9) UNIQUE)")
    admin(f"INSERT INTO {SHOP}.people VALUES (1, 'a')")
    before = str(moment(server, admin))
    admin(f"DELETE FROM {SHOP}.people WHERE id = 1")
    admin(f"INSERT INTO {SHOP}.people VALUES (2, 'a')")
    result = run("restore-rows", "people", "--at", before, "--yes", exit_code=3)
    assert "conflict: " in result.output
    assert admin(f"SELECT id FROM {SHOP}.people") == [(2,)]
