"""The example project without a server, and the documentation that quotes it."""

import io
import re
import sys
import textwrap
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "migrations_examples"


@pytest.fixture
def sql(monkeypatch):
    """Return what ``alembic upgrade --sql`` prints in the example project."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "models", raising=False)

    def print_sql(url, section="alembic", revisions="head", run=command.upgrade):
        if url is None:
            monkeypatch.delenv("MATRIXONE_URL", raising=False)
        else:
            monkeypatch.setenv("MATRIXONE_URL", url)
        printed = io.StringIO()
        run(Config(str(EXAMPLES / "alembic.ini"), section, output_buffer=printed), revisions, sql=True)
        return printed.getvalue()

    return print_sql


@pytest.mark.parametrize("section", ["alembic", "async"])
def test_example_project_offline_sql_has_recovery_outside_of_transactions(sql, section):
    lines = sql(None, section).splitlines()
    recovery = [line for line in lines if re.match("(CREATE|ALTER) (PITR|SNAPSHOT)", line)]
    assert recovery == [
        "CREATE PITR `shop` FOR DATABASE `shop` RANGE 7 'd';",
        "CREATE SNAPSHOT IF NOT EXISTS `shop_before_cents` FOR DATABASE `shop`;",
        "ALTER PITR `shop` RANGE 3 'mo';",
    ]
    inside = False
    for line in lines:
        if line in ("BEGIN;", "COMMIT;"):
            assert inside is (line == "COMMIT;")
            inside = not inside
        assert not (line in recovery and inside)
    assert not inside


@pytest.mark.parametrize(
    ("release", "restore"),
    [
        ("2.2.2", "RESTORE ACCOUNT `sys` DATABASE `shop` TABLE `orders` FROM SNAPSHOT `shop_before_cents`;"),
        ("4.2.0", "RESTORE TABLE `shop`.`orders` {SNAPSHOT = `shop_before_cents`};"),
    ],
)
def test_example_project_offline_sql_follows_the_release(sql, release, restore):
    url = f"matrixone+pymysql://dump:111@h/shop?server_version={release}"
    assert restore in sql(url, revisions="head:base", run=command.downgrade)


def without_first_steps(page):
    """Return the page without the section whose code test_alembic_first_steps.py runs."""
    return re.sub(r"^## First steps in a new project\n.*?(?=^## )", "", page, flags=re.DOTALL | re.MULTILINE)


def test_documentation_quotes_the_example_project():
    files = [path.read_text() for path in EXAMPLES.rglob("*.py")]
    page, readme = (
        re.findall(r"```python\n(.*?)```", without_first_steps((ROOT / name).read_text()), re.DOTALL)
        for name in ("docs/alembic.md", "README.md")
    )
    blocks = [*page, *(block for block in readme if "def upgrade" in block)]
    assert len(blocks) == len(page) + 1 > 6
    for block in blocks:
        assert any(block in text or textwrap.dedent(block) in text for text in files), block
