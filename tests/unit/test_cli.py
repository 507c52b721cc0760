"""The command line, without a server."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import textwrap
from decimal import Decimal

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Date, Integer, MetaData, Numeric, String, Table

from sqlalchemy_matrixone import NoValue, Period, Snapshot
from sqlalchemy_matrixone.cli import output
from sqlalchemy_matrixone.cli.app import parse_url
from sqlalchemy_matrixone.cli.arguments import DURATION, INSTANT, criterion, split_table
from sqlalchemy_matrixone.cli.commands import cli

from .compiling import sql

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
URL = "matrixone+pymysql://dump:s3cret@127.0.0.1:1/shop"
ORDERS = Table(
    "orders", MetaData(), Column("id", Integer), Column("Note", String(9)), Column("price", Numeric(8, 2)),
    Column("day", Date), schema="shop",
)  # fmt: skip


def run(*arguments: str, **kw: object):
    return CliRunner().invoke(cli, arguments, prog_name="matrixone-recovery", **kw)  # type: ignore[arg-type]


def test_cli_commands_have_help():
    assert set(cli.commands) >= {
        "status", "windows", "timeline", "changes", "find-change", "restore-rows", "restore", "undrop", "snapshot",
        "prune",
    }  # fmt: skip
    for name in cli.commands:
        result = run(name, "--help")
        assert result.exit_code == 0, name
        assert result.output.startswith(f"Usage: matrixone-recovery {name}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["restore-rows", "orders"], "no point in time was given"),
        (["restore-rows", "orders", "--at", "5m", "--snapshot", "s"], "more than one point in time was given"),
        (["restore-rows", "a", "b", "--at", "5m", "--where", "id=1"], "for one TABLE"),
        (["restore-rows", "orders", "--at", "2026-03-01 12:00:00"], "has no UTC offset"),
        (["changes", "orders", "--at", "yesterday"], "'yesterday' is not a point in time: write how long ago"),
        (["restore", "--table", "orders"], "no source was given"),
        (["restore", "--table", "orders", "--pitr", "p", "--snapshot", "s"], "more than one source was given"),
        (["restore", "--table", "orders", "--pitr", "p"], "--pitr requires --at"),
        (["restore", "--table", "orders", "--snapshot", "s", "--at", "5m"], "--at requires --pitr"),
        (["restore", "--table", "orders", "--account", "a", "--snapshot", "s"], "--account is a whole account"),
        (["restore", "--snapshot", "s"], "nothing to restore was given"),
        (["find-change", "orders", "--precision", "soon"], "is not a duration"),
        (["snapshot"], "Missing argument"),
        (["prune"], "Missing argument"),
        (["prune", "nightly_"], "no limit was given: pass --keep N"),
        (["prune", "nightly_", "--keep", "1", "--older-than", "7d"], "more than one limit was given"),
        (["undrop"], "nothing to bring back was given"),
        (["restore", "--table", "o", "--snapshot", "s", "--as", "o2", "--timeout", "9s"], "does not apply to --as"),
        (["changes", "`a.b", "--at", "5m"], "is not the name of a table"),
        (["undo"], "No such command"),
    ],
)
def test_cli_wrong_usage_has_exit_code_2(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sqlalchemy_matrixone.cli.app.App.connected", _no_connection)
    result = run("--url", URL, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def _no_connection(self: object, **kw: object):
    from contextlib import nullcontext
    from types import SimpleNamespace

    dialect = SimpleNamespace(default_schema_name="shop", name="matrixone")
    connection = SimpleNamespace(dialect=dialect)
    return nullcontext(connection)


def test_cli_url_is_required_and_read_from_the_environment():
    assert "pass --url, or set MATRIXONE_URL" in run("status", env={"MATRIXONE_URL": None}).output
    result = run("status", env={"MATRIXONE_URL": URL})
    assert result.exit_code == 1
    assert "Can't connect" in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    "url", ["s3cret", "postgresql://u:s3cret@h/d", "matrixone+pymysql://u:s3cret@h:x/d", "matrixone://u:a@s3cret@h/d"]
)
def test_cli_refusal_of_a_url_hides_its_password(url: str):
    result = run("--url", url, "status")
    assert result.exit_code == 2
    assert "s3cret" not in result.output


def test_cli_url_of_any_driver_uses_pymysql():
    for driver in ("matrixone", "matrixone+asyncmy", "mysql+aiomysql"):
        assert parse_url(f"{driver}://u@h/d").drivername == "matrixone+pymysql"  # type: ignore[union-attr]


def test_cli_password_is_prompted_and_hidden():
    result = run("--url", "matrixone://dump@127.0.0.1:1/shop", "--ask-password", "status", input="s3cret\n")
    assert "Password" in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("25m", {"minutes": 25}),
        ("1.5h", {"hours": 1.5}),
        ("7d", {"days": 7}),
        ("90 s", {"seconds": 90}),
        ("5ms", {"milliseconds": 5}),
    ],
)
def test_cli_durations_are_parsed(text: str, expected: dict[str, float]):
    assert DURATION.convert(text, None, None) == dt.timedelta(**expected)
    assert INSTANT.convert(f"{text} ago", None, None) == dt.timedelta(**expected)


def test_cli_instants_need_an_offset():
    assert INSTANT.convert("2026-03-01 13:00:00+01:00", None, None) == NOW
    with pytest.raises(click.BadParameter):
        INSTANT.convert("2026-03-01 12:00:00", None, None)


def test_cli_tables_are_parsed_with_and_without_a_database():
    assert split_table("shop.orders", None) == ("shop", "orders")
    assert split_table("orders", "shop") == ("shop", "orders")
    assert split_table("shop.a.b", None) == ("shop", "a.b")
    assert split_table("`a.b`", "shop") == ("shop", "a.b")
    assert split_table("`sh.op`.`my ``orders`", "x") == ("sh.op", "my `orders")
    assert split_table("my orders", "shop") == ("shop", "my orders")
    with pytest.raises(click.UsageError, match="which database"):
        split_table("orders", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id=7", "shop.orders.id = 7"),
        ("ID >= 7", "shop.orders.id >= 7"),
        ("note <> 'it'", "shop.orders.`Note` != 'it'"),
        ("price=0", "shop.orders.price = 0"),
        ("note = null", "shop.orders.`Note` IS NULL"),
        ("note != NULL", "shop.orders.`Note` IS NOT NULL"),
        ("day<2026-03-01", "shop.orders.day < '2026-03-01'"),
        ("note=a=b' OR 1=1", "shop.orders.`Note` = 'a=b'' OR 1=1'"),
    ],
)
def test_cli_criteria_are_parsed(text: str, expected: str):
    assert sql(criterion(ORDERS, [text]), compile_kwargs={"literal_binds": True}) == expected


@pytest.mark.parametrize("text", ["id", "nothing=1", "id=seven", "day=tomorrow"])
def test_cli_invalid_criteria_are_refused(text: str):
    with pytest.raises(click.UsageError):
        criterion(ORDERS, [text])


def test_cli_values_are_written_as_json(capsys: pytest.CaptureFixture[str]):
    snapshot = Snapshot("s", "database", None, "shop", None, NOW)
    output.print_json([snapshot, {"a": NoValue.NO_ROW, "b": Decimal("1.50"), "c": b"\x01"}, Period(NOW, NOW)])
    first, second, third = json.loads(capsys.readouterr().out)
    assert first["created_at"] == "2026-03-01T12:00:00+00:00"
    assert second == {"a": "no row", "b": "1.50", "c": "01"}
    assert third == {"start": "2026-03-01T12:00:00+00:00", "end": "2026-03-01T12:00:00+00:00"}


def test_cli_cells_are_not_read_as_markup(capsys: pytest.CaptureFixture[str]):
    output.table(("a", "b"), [("[red]x[/]", None), ("\x1b[31mred", 2)], "none")
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert "\x1b" not in shown


def test_cli_module_can_be_run():
    done = subprocess.run(
        [sys.executable, "-m", "sqlalchemy_matrixone", "--help"], capture_output=True, text=True, check=True
    )
    assert "Find out what was lost" in done.stdout


def test_cli_names_the_missing_extra():
    code = "import sys; sys.modules['click'] = None\nfrom sqlalchemy_matrixone.__main__ import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'.[cli]'" in done.stderr


def test_cli_that_is_stopped_by_sigterm_ends_its_statement_first():
    code = """
        import os, signal, time
        from sqlalchemy_matrixone.__main__ import main
        from sqlalchemy_matrixone.cli import commands

        def restore(prog_name):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                print("ended on the server")

        commands.cli = restore
        main()
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (143, "ended on the server\n"), result.stderr
