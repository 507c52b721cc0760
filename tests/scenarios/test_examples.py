"""Run the examples of the README and of docs/ as they are printed there."""

from __future__ import annotations

import re
import time
from pathlib import Path
from runpy import run_path

import pytest

from .client import clean_up, drop_databases, make_databases
from .server import Admin, Server

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "docs/install.md",
    "docs/connecting.md",
    "docs/recovery.md",
    "docs/rows.md",
    "docs/rights.md",
    "docs/timetravel.md",
]
PRINTED_URL = re.compile(r"matrixone\+(\w+)://dump:111@127\.0\.0\.1:6001")


def test_quickstart_restores_rows(server: Server, capsys: pytest.CaptureFixture[str]):
    quickstart = run_path(str(ROOT / "docs/examples/quickstart.py"))
    quickstart["main"](server.url(ssl_disabled="true"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("Ada 12.00; Ada 34.00; Charles 56.00")
    assert lines[3].endswith("Ada 0.00; Ada 0.00; Charles 0.00")
    assert lines[4].endswith("Ada 0.00; Ada 0.00; Charles 49.00; Charles 78.00")
    assert "1200 became 0 after" in lines[5]
    assert lines[6].endswith("order 1 would cost 12.00 again, order 2 would cost 34.00 again")
    assert lines[7].endswith("Ada, informed 12.00; Ada, informed 34.00; Charles 49.00; Charles 78.00")
    assert len(lines) == 9


@pytest.mark.parametrize("page", PAGES)
def test_documentation_page_examples_run(server: Server, admin: Admin, page: str):
    run_page(server, admin, page)


@pytest.mark.releases(since=(3, 0, 12))
def test_branches_page_examples_run(server: Server, admin: Admin):
    run_page(server, admin, "docs/branches.md")


def run_page(server: Server, admin: Admin, page: str) -> None:
    """Run the Python blocks of a page, one after the other, in one namespace."""
    make_databases(admin, "shop")
    clean_up(admin)
    url = server.url().render_as_string(hide_password=False)
    namespace: dict[str, object] = {"__name__": page}
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        code = PRINTED_URL.sub(lambda printed: url.replace("pymysql", printed[1]), block)
        exec(compile(code, page, "exec", dont_inherit=True), namespace)
        if "create_pitr(" in block:  # on 2.2 it reaches back to the second after its creation
            time.sleep(1.1 * server.live)
    drop_databases(admin, "shop")
    for created in ("USER IF EXISTS bob", "ROLE IF EXISTS clerk"):  # by docs/rights.md
        admin.unrecorded(f"DROP {created}")
