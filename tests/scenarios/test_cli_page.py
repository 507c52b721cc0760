"""The commands of docs/cli.md print what the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import clean_up, make_databases, moment
from .server import Admin, Server
from .test_lost_data import check_commands

PAGE = Path(__file__).resolve().parents[2] / "docs/cli.md"


@pytest.fixture
def since(server: Server, admin: Admin) -> Iterator[str]:
    """Provide the damaged database of docs/lost-data.md, with two earlier snapshots, and the start of its PITR."""
    clean_up(admin)
    for created in ("PITR IF EXISTS shop_week", "SNAPSHOT IF EXISTS nightly_1", "SNAPSHOT IF EXISTS nightly_2"):
        admin.unrecorded(f"DROP {created}")
    make_databases(admin, "shop")
    admin("CREATE TABLE shop.orders (id INT PRIMARY KEY, price DECIMAL(8, 2), note VARCHAR(20))")
    admin("CREATE TABLE shop.invoices (id INT PRIMARY KEY, order_id INT)")
    admin("INSERT INTO shop.orders VALUES (1, 12.50, 'new'), (2, 8.00, 'new'), (3, 20.00, 'new')")
    admin("INSERT INTO shop.invoices VALUES (1, 1), (2, 2)")
    admin("CREATE PITR shop_week FOR DATABASE shop RANGE 7 'd'")
    began = moment(server, admin)
    for statement in (
        "CREATE SNAPSHOT nightly_1 FOR DATABASE shop",
        "CREATE SNAPSHOT nightly_2 FOR DATABASE shop",
        "UPDATE shop.orders SET price = 0",
        "UPDATE shop.orders SET note = 'shipped' WHERE id = 2",
        "UPDATE shop.orders SET price = 15.00 WHERE id = 3",
        "DROP TABLE shop.invoices",
        "INSERT INTO shop.orders VALUES (4, 9.90, 'since')",
    ):
        admin(statement)
        moment(server, admin)
    yield str(began)
    for created in ("SNAPSHOT nightly_1", "SNAPSHOT nightly_2", "PITR shop_week", "DATABASE shop"):
        admin(f"DROP {created}")


@pytest.mark.releases(since=(4, 2))  # the page shows the statements of this release
def test_command_line_page_commands_print_what_the_page_shows(server: Server, since: str):
    check_commands(server, PAGE, since)
