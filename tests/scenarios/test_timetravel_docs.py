"""The examples of docs/timetravel.md and docs/branches.md, from the first to the last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from ..models import Order
from .client import drop_databases
from .past import SHOP, change_shop, clean_up, moment, open_shop
from .server import Admin, Server

DOCS = Path(__file__).parents[2] / "docs"


def run_examples(page: str, **names: object) -> None:
    text = (DOCS / page).read_text()
    names |= {"print": lambda *_: None, "__name__": __name__}
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        line = text.count("\n", 0, match.start(1))
        exec(compile("\n" * line + match[1], page, "exec", dont_inherit=True), names)


def test_time_travel_page_examples_run(server: Server, admin: Admin) -> None:
    open_shop(admin)
    earlier = moment(server, admin)
    change_shop(admin)
    later = moment(server, admin)
    with Session(server.engine(server.url(database=SHOP))) as session:
        run_examples("timetravel.md", session=session, earlier=earlier, later=later)
        assert session.get(Order, 1).note == "old 1"
    clean_up(admin)


@pytest.mark.releases(since=(3, 0, 12))
def test_branches_page_examples_run(server: Server, admin: Admin) -> None:
    drop_databases(admin, "tt_copy")
    open_shop(admin)
    change_shop(admin)
    engine = server.engine(server.url(database=SHOP))
    run_examples("branches.md", engine=engine, Order=Order)
    with Session(engine) as session:
        assert session.get(Order, 1).note == "tried out"
        assert session.get(Order, 9).note == "nine"
    drop_databases(admin, "tt_copy")
    clean_up(admin)
