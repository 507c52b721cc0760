"""Run the steps of docs/lost-data.md, as they are printed there: with commands, and with Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import DECIMAL, Column, Integer, MetaData, String, Table, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import AsyncRecovery, NoValue, Recovery
from sqlalchemy_matrixone.cli.commands import cli

from .client import clean_up
from .server import Admin, Server

PAGE = Path(__file__).resolve().parents[2] / "docs/lost-data.md"
PRINTED_URL = "matrixone+pymysql://dump:111@127.0.0.1:6001"
TIME = re.compile(
    r"(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?|(?:\d{4}-)?\d\d-\d\d(?: \d\d:\d\d)?|\d{19}"
)
PRICES = [(1, Decimal("12.50"), "new"), (2, Decimal("8.00"), "shipped"), (3, Decimal("15.00"), "new")]


@pytest.fixture
def since(server: Server, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Provide the database as the first example of the page leaves it, and the start of its PITR.

    Searches begin then: the databases of former runs of this test, within the last hour, are of no concern.
    """
    clean_up(admin)
    for created in ("PITR IF EXISTS shop_week", "DATABASE IF EXISTS shop"):
        admin.unrecorded(f"DROP {created}")
    if not server.live:  # a replay takes no time
        monkeypatch.setattr("time.sleep", lambda _: None)
    run_example(server, 0, {})
    monkeypatch.undo()
    with Session(server.engine(server.url())) as session:
        [pitr] = Recovery(session).list_pitrs(database="shop")
    yield str(pitr.created_at)
    admin("DROP PITR shop_week")
    admin("DROP DATABASE shop")


def run_example(server: Server, which: int, namespace: dict[str, Any]) -> None:
    """Execute an example of the page, counted from 0, on the test's server."""
    text = PAGE.read_text()
    example = list(re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S))[which]
    code = "\n" * text.count("\n", 0, example.start(1)) + example[1]
    for printed, database in ((f"{PRINTED_URL}/shop", "shop"), (PRINTED_URL, None)):
        url = server.url(database=database, ssl_disabled="true")
        code = code.replace(f'"{printed}"', f'"{url.render_as_string(hide_password=False)}"')
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), namespace)


def check_shop(admin: Admin) -> None:
    """Check that the damaged data is restored, and that writes of others are kept."""
    orders = admin("SELECT id, price, note FROM shop.orders ORDER BY id")
    assert orders == [*PRICES, (4, Decimal("9.90"), "since")]
    assert admin("SELECT id FROM shop.invoices ORDER BY id") == [(1,), (2,)]


def test_lost_data_page_examples_in_python_restore_the_data(
    server: Server, admin: Admin, since: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Recovery, "find_change", partialmethod(Recovery.find_change, since=since))
    namespace: dict[str, Any] = {}
    run_example(server, 1, namespace)
    shown = capsys.readouterr().out
    assert "12.50 became 0.00 between" in shown
    assert "2 rows, then does not exist at" in shown
    assert "2 prices are back" in shown
    assert shown.endswith("2 invoices\n")
    check_shop(admin)
    if server.release >= (3, 0):
        run_example(server, 2, namespace)
        run_example(server, 3, namespace)
        rehearsed, cloned = capsys.readouterr().out.splitlines()
        assert rehearsed.startswith("2 invoices in ")
        assert cloned == "2 invoices"


def test_lost_data_page_commands_print_what_the_page_shows(server: Server, admin: Admin, since: str):
    check_commands(server, PAGE, since)
    check_shop(admin)


def check_commands(server: Server, page: Path, since: str) -> None:
    """Run the commands of a page, and compare what they print with the page."""
    runner = CliRunner(env={"MATRIXONE_URL": server.url(database="shop", ssl_disabled="true").render_as_string(False)})
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S)
    commands = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    before: list[str] = []
    for part in commands:
        command, _, output = part.partition("\n")
        name, *arguments = shlex.split(command)
        assert name == "matrixone-recovery"
        given = [_this_time(each, arguments, before) for each in arguments]
        result = runner.invoke(cli, [*given, "--since", since] if "find-change" in given else given)
        assert result.exit_code == 0, result.output
        before += re.findall(r"^before +(.*?\+00:00)", result.output, re.M)
        assert _without_times(result.output) == _without_times(output), command


def _this_time(argument: str, arguments: list[str], before: list[str]) -> str:
    """Put the times that were found in the place of those on the page."""
    if arguments[arguments.index(argument) - 1] != "--at":
        return argument
    return before[0]


def _without_times(output: str) -> str:
    """Leave out what differs each time: times, axes, blanks, and the order of rows, which the server chooses."""
    lines = sorted(line for line in output.splitlines() if not line.startswith(" "))
    return " ".join(re.sub(r"[━◆]+", "━", TIME.sub("", "\n".join(lines))).split())


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_lost_data_steps_awaited_restore_the_data(server: Server, admin: Admin, since: str, driver: str):
    """Run the steps of the page's Python example with AsyncRecovery."""
    orders = Table("orders", MetaData(), Column("id", Integer, primary_key=True), Column("price", DECIMAL(8, 2)),
                   Column("note", String(20)), schema="shop")  # fmt: skip
    count = select(func.count()).select_from(table("invoices", schema="shop"))
    engine = server.async_engine(driver, server.url(driver, database="shop"))
    async with AsyncSession(engine) as session:
        recovery = AsyncRecovery(session)
        [covered] = await recovery.coverage(database="shop")
        assert [source.name for source in covered.sources] == ["shop_week"]
        price = select(orders.c.price).where(orders.c.id == 1)
        update = await recovery.find_change(price, since=since, precision=timedelta(milliseconds=1))
        drop = await recovery.find_change(count, since=since)
        assert (drop.value_before, drop.value_after) == (2, NoValue.DOES_NOT_EXIST)
        zeroed: dict[str, Any] = {"where": orders.c.price == 0, "columns": ["price"]}
        preview = await recovery.preview_rows(orders, timestamp=update.before, **zeroed)
        assert preview.updated == 2
        await session.rollback()
        done = await recovery.restore_rows(orders, timestamp=update.before, **zeroed)
        assert done.updated == 2
        await session.commit()
        await recovery.undrop(table="invoices", database="shop")
    check_shop(admin)
