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
    dry = run(*arguments, "--dry-run").output
    assert "would send: RESTORE" in dry
    assert f"{SHOP}.orders  2          1" in dry
    assert "would be lost: what was written since" in dry
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


def test_cli_snapshot_of_each_kind_of_object_is_created(run: Run, server: Server, admin: Admin):
    table = run("snapshot", "sc_cli_table", "--table", "orders").output
    assert f"done: created snapshot sc_cli_table of table {SHOP}.orders, " in table
    run("snapshot", "sc_cli_database", "--database", SHOP)
    created = as_json(run("--json", "snapshot", "sc_cli_account"))
    assert (created["level"], created["account"]) == ("account", "sys")
    assert "exists" in run("snapshot", "sc_cli_database", "--database", SHOP, exit_code=1).output
    assert {name for (name, *_) in admin("SHOW SNAPSHOTS")} >= {"sc_cli_table", "sc_cli_database", "sc_cli_account"}


def test_cli_url_with_a_dropped_database_names_undrop(run: Run, server: Server):
    url = server.url(database="sc_dropped", ssl_disabled="true").render_as_string(hide_password=False)
    output = " ".join(run("--url", url, "status", exit_code=1).output.split())
    assert "leave it out of the URL, and run undrop --database sc_dropped" in output


def test_cli_find_change_of_a_table_that_never_existed_names_the_option(run: Run):
    output = run("find-change", "never", "--since", "1m", exit_code=3).output
    assert "pass a since= (on the command line, --since) at which it existed" in " ".join(output.split())


def test_cli_prune_asks_before_it_drops(run: Run, admin: Admin):
    for number in (1, 2, 3):
        admin(f"CREATE SNAPSHOT sc_cli_n{number} FOR DATABASE {SHOP}")
    assert "sc_cli_n2" in run("prune", "sc_cli_n", "--keep", "1", "--dry-run").output
    run("prune", "sc_cli_n", "--keep", "1", answer="n\n", exit_code=3)
    assert [row["name"] for row in as_json(run("--json", "prune", "sc_cli_n", "--keep", "1", "--yes"))] == [
        "sc_cli_n2", "sc_cli_n1",
    ]  # fmt: skip
    assert "no snapshot to drop" in run("prune", "sc_cli_n", "--older-than", "1h").output


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


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for real"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--table", "orders", "--snapshot", "sc_nothing"), "there is no snapshot 'sc_nothing'"),
        (("--table", "orders", "--pitr", "sc_nothing", "--at", "1s"), "there is no PITR 'sc_nothing'"),
        (("--table", "nothing", "--snapshot", "sc_cli_snap"), f"table {SHOP}.nothing did not exist at"),
        (("--database", "sc_nothing", "--snapshot", "sc_cli_snap"), "which does not contain database sc_nothing"),
        (("--table", "orders", "--pitr", "sc_cli_pitr", "--at", "3d"), "PITR 'sc_cli_pitr' reaches from"),
        (("--table", "parents", "--snapshot", "sc_cli_snap"), f"foreign keys refer to parents of '{SHOP}'"),
        (("--table", "q'x", "--snapshot", "sc_cli_snap"), 'contains "\'"'),
    ],
    ids=["snapshot", "PITR", "table", "database", "time", "referred table", "quote"],
)
def test_restore_that_is_impossible_is_refused_alike_in_dry_run_and_for_real(
    run: Run, admin: Admin, arguments: tuple[str, ...], message: str, dry_run: bool
):
    admin(f"CREATE TABLE {SHOP}.parents (id INT PRIMARY KEY)")
    admin(f"CREATE TABLE {SHOP}.children (id INT, FOREIGN KEY (id) REFERENCES {SHOP}.parents (id))")
    admin(f"CREATE PITR sc_cli_pitr FOR DATABASE {SHOP} RANGE 1 'd'")
    admin(f"CREATE SNAPSHOT sc_cli_snap FOR DATABASE {SHOP}")
    result = run("restore", *arguments, "--dry-run" if dry_run else "--yes", exit_code=1)
    assert message in result.stderr
    assert notes(admin) == ["first", "second"]


def test_restore_of_a_table_with_a_blank_or_dot_in_its_name(run: Run, server: Server, admin: Admin):
    for name in ("my orders", "a.b"):
        admin(f"CREATE TABLE {SHOP}.`{name}` (id INT PRIMARY KEY)")
        admin(f"INSERT INTO {SHOP}.`{name}` VALUES (1)")
    admin(f"CREATE PITR sc_cli_pitr FOR DATABASE {SHOP} RANGE 1 'd'")
    admin(f"CREATE SNAPSHOT sc_cli_snap FOR DATABASE {SHOP}")
    before = str(moment(server, admin))
    for name, written in (("my orders", "my orders"), ("a.b", "`a.b`"), ("a.b", f"{SHOP}.a.b")):
        admin(f"DELETE FROM {SHOP}.`{name}` WHERE id = 1")
        run("restore", "--table", written, "--snapshot", "sc_cli_snap", "--yes")
        assert admin(f"SELECT id FROM {SHOP}.`{name}`") == [(1,)]
    assert "there is no database 'a'; if" in run("changes", "a.b", "--at", before, exit_code=1).stderr
    from_pitr = ("restore", "--table", "my orders", "--pitr", "sc_cli_pitr", "--at", before)
    for last in ("--dry-run", "--yes"):
        assert "its name contains a blank" in run(*from_pitr, last, exit_code=1).stderr


def test_restore_beside_the_present_table(run: Run, server: Server, admin: Admin):
    admin(f"CREATE SNAPSHOT sc_cli_snap FOR DATABASE {SHOP}")
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 1")
    arguments = ("restore", "--table", "orders", "--snapshot", "sc_cli_snap", "--as", "orders_before")
    if server.release < (3, 0):
        assert "needs MatrixOne 3.0" in run(*arguments, "--yes", exit_code=1).stderr
        return
    assert f"would send: CREATE TABLE `{SHOP}`.`orders_before` CLONE" in run(*arguments, "--dry-run").output
    run(*arguments, answer="n\n", exit_code=3)
    run(*arguments, answer="y\n")
    assert notes(admin) == ["second"]
    assert admin(f"SELECT COUNT(*) FROM {SHOP}.orders_before") == [(2,)]
    assert "orders_before exists" in run(*arguments, "--dry-run", exit_code=1).stderr


def test_undrop_asks_and_brings_a_table_back(run: Run, server: Server, admin: Admin):
    admin(f"CREATE PITR sc_cli_pitr FOR DATABASE {SHOP} RANGE 1 'd'")
    moment(server, admin)
    assert "orders exists" in run("undrop", "--table", "orders", exit_code=1).stderr
    admin(f"DROP TABLE {SHOP}.orders")
    moment(server, admin)
    assert "would bring back table" in run("undrop", "--table", "orders", "--dry-run").output
    run("undrop", "--table", "orders", answer="n\n", exit_code=3)
    assert "undrop brings it back" in run("changes", "orders", "--at", "1s", exit_code=1).stderr
    done = as_json(run("--json", "undrop", "--table", "orders", "--yes"))
    assert (done["undrop"], done["done"]) == (f"table {SHOP}.orders", True)
    assert notes(admin) == ["first", "second"]
    assert "keeps a time at which it existed" in run("undrop", "--table", "nothing", "--yes", exit_code=1).stderr


def test_unknown_databases_tables_and_columns_are_named(run: Run, server: Server, admin: Admin):
    before = str(moment(server, admin))
    unknown = {
        ("changes", "sc_nothing.orders", "--at", before): "there is no database 'sc_nothing'",
        ("changes", "nothing", "--at", before): f"there is no table {SHOP}.nothing",
        ("changes", "orders", "--snapshot", "sc_nothing"): "there is no snapshot 'sc_nothing'",
        ("restore-rows", "orders", "--snapshot", "sc_nothing"): "there is no snapshot 'sc_nothing'",
        ("windows", "--database", "sc_nothing"): "there is no database 'sc_nothing'",
        ("windows", "--table", "nothing"): f"there is no table {SHOP}.nothing",
        ("timeline", "--database", "sc_nothing"): "there is no database 'sc_nothing'",
        ("status", "--database", "sc_nothing"): "there is no database 'sc_nothing'",
    }
    for arguments, message in unknown.items():
        assert message in run(*arguments, exit_code=1).stderr
    nothing = run("find-change", "nothing", "--since", before, exit_code=3)
    assert f"{SHOP}.nothing did not exist at" in nothing.stderr
    for option in (("--value", "price"), ("--where", "price = 0")):
        result = run("find-change", "orders", *option, "--since", before, exit_code=1)
        assert "column price does not exist at" in result.stderr
        assert f"{SHOP}.orders has id, note" in result.stderr
        assert "Warning" not in result.stderr
