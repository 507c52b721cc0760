"""The examples of the README and of docs/, each as it is printed there."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path

import pytest

from .client import clean_up, drop_databases, make_databases
from .server import Admin, Server

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/install.md", "docs/connecting.md", "docs/recovery.md", "docs/rows.md"]
PRINTED_URL = re.compile(r"matrixone\+(\w+)://dump:111@127\.0\.0\.1:6001")

ROWS_BEFORE = "Ada 12.00, Ada 34.00, Charles 56.00"


def test_quickstart_restores_rows(server: Server, capsys: pytest.CaptureFixture[str]):
    quickstart = run_path(str(ROOT / "docs/examples/quickstart.py"))
    quickstart["main"](server.url(ssl_disabled="true"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(ROWS_BEFORE)
    assert "no orders" in lines[4]
    assert lines[5].endswith(ROWS_BEFORE)
    assert "Ada 0.00" in lines[6]
    assert lines[7].endswith(ROWS_BEFORE)


@pytest.mark.parametrize("page", PAGES)
def test_documentation_page_examples_run(server: Server, admin: Admin, page: str):
    """The Python blocks of a page, one after the other, in one namespace."""
    make_databases(admin, "shop")
    clean_up(admin)
    url = server.url().render_as_string(hide_password=False)
    namespace: dict[str, object] = {"__name__": page}
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        code = PRINTED_URL.sub(lambda printed: url.replace("pymysql", printed[1]), block)
        exec(compile(code, page, "exec", dont_inherit=True), namespace)
    drop_databases(admin, "shop")
