"""The story of docs/lost-data.md, as it is printed there: with commands, and with Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import DECIMAL, Column, Integer, MetaData, String, Table, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from sqlalchemy_matrixone import AsyncRecovery, NoValue
from sqlalchemy_matrixone.cli.commands import cli

from .client import clean_up, make_databases, moment
from .server import Admin, Server

PAGE = Path(__file__).resolve().parents[2] / "docs/lost-data.md"
PRINTED_URL = "matrixone+pymysql://dump:111@127.0.0.1:6001/shop"
PRINTED_SINCE = "datetime.now(timezone.utc) - timedelta(hours=1)"
TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?|(?:\d{4}-)?\d\d-\d\d(?: \d\d:\d\d)?")
PRICES = [(1, Decimal("12.50"), "new"), (2, Decimal("8.00"), "shipped"), (3, Decimal("15.00"), "new")]


@pytest.fixture
def well(server: Server, admin: Admin) -> Iterator[str]:
    """The damaged database, and a time when all was well: seconds ago, not an hour as on the page."""
    clean_up(admin)
    admin.unrecorded("DROP PITR IF EXISTS shop_week")
    make_databases(admin, "shop")
    admin("CREATE TABLE shop.orders (id INT PRIMARY KEY, price DECIMAL(8, 2), note VARCHAR(20))")
    admin("CREATE TABLE shop.invoices (id INT PRIMARY KEY, order_id INT)")
    admin("INSERT INTO shop.orders VALUES (1, 12.50, 'new'), (2, 8.00, 'new'), (3, 20.00, 'new')")
    admin("INSERT INTO shop.invoices VALUES (1, 1), (2, 2)")
    admin("CREATE PITR shop_week FOR DATABASE shop RANGE 7 'd'")
    since = moment(server, admin)
    moment(server, admin)
    admin("UPDATE shop.orders SET price = 0")
    moment(server, admin)
    admin("UPDATE shop.orders SET note = 'shipped' WHERE id = 2")
    admin("UPDATE shop.orders SET price = 15.00 WHERE id = 3")
    moment(server, admin)
    admin("DROP TABLE shop.invoices")
    admin("INSERT INTO shop.orders VALUES (4, 9.90, 'since')")
    moment(server, admin)
    yield str(since)
    admin("DROP PITR shop_week")
    admin("DROP DATABASE shop")


def check_shop(admin: Admin) -> None:
    """What was damaged is back, and what others have written is still there."""
    orders = admin("SELECT id, price, note FROM shop.orders ORDER BY id")
    assert orders == [*PRICES, (4, Decimal("9.90"), "since")]
    assert admin("SELECT id FROM shop.invoices ORDER BY id") == [(1,), (2,)]


def test_lost_data_page_examples_in_python_restore_the_data(
    server: Server, admin: Admin, well: str, capsys: pytest.CaptureFixture[str]
):
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    url = server.url(database="shop", ssl_disabled="true").render_as_string(hide_password=False)
    assert PRINTED_URL in code
    assert PRINTED_SINCE in code
    code = code.replace(PRINTED_URL, url).replace(PRINTED_SINCE, f"datetime.fromisoformat({well!r})")
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), {})
    shown = capsys.readouterr().out
    assert "12.50 became 0.00 between" in shown
    assert "2 rows, then does not exist at" in shown
    assert "2 prices are back" in shown
    assert shown.endswith("2 invoices\n")
    check_shop(admin)


def test_lost_data_page_commands_print_what_the_page_shows(server: Server, admin: Admin, well: str):
    runner = CliRunner(env={"MATRIXONE_URL": server.url(database="shop", ssl_disabled="true").render_as_string(False)})
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    commands = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    before: list[str] = []
    for part in commands:
        command, _, output = part.partition("\n")
        name, *arguments = shlex.split(command)
        assert name == "matrixone-recovery"
        given = [well if each == "1h" else _this_time(each, arguments, before) for each in arguments]
        result = runner.invoke(cli, given)
        assert result.exit_code == 0, result.output
        before += re.findall(r"^before +(.*?\+00:00)", result.output, re.M)
        assert _without_times(result.output) == _without_times(output), command
    check_shop(admin)


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
async def test_lost_data_steps_awaited_restore_the_data(server: Server, admin: Admin, well: str, driver: str):
    """The steps of the page's Python example, with AsyncRecovery."""
    orders = Table("orders", MetaData(), Column("id", Integer, primary_key=True), Column("price", DECIMAL(8, 2)),
                   Column("note", String(20)), schema="shop")  # fmt: skip
    count = select(func.count()).select_from(table("invoices", schema="shop"))
    engine = server.async_engine(driver, server.url(driver, database="shop"))
    async with AsyncSession(engine) as session:
        recovery = AsyncRecovery(session)
        [covered] = await recovery.coverage(database="shop")
        assert [source.name for source in covered.sources] == ["shop_week"]
        price = select(orders.c.price).where(orders.c.id == 1)
        update = await recovery.find_change(price, since=well, precision=timedelta(milliseconds=1))
        drop = await recovery.find_change(count, since=well)
        assert (drop.value_before, drop.value_after) == (2, NoValue.DOES_NOT_EXIST)
        damaged: dict[str, Any] = {"where": orders.c.price == 0, "columns": ["price"]}
        preview = await recovery.preview_rows(orders, timestamp=update.before, **damaged)
        assert preview.updated == 2
        await session.rollback()
        done = await recovery.restore_rows(orders, timestamp=update.before, **damaged)
        assert done.updated == 2
        await session.commit()
        await recovery.undrop(table="invoices", database="shop")
    check_shop(admin)
