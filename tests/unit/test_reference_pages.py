"""Every public name is on a page of the API reference, and on only one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import sqlalchemy_matrixone

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def test_public_name_is_on_one_page_of_the_reference() -> None:
    described = re.findall(
        r"^::: sqlalchemy_matrixone\.[\w.]+\.(\w+)$",
        "\n".join(page.read_text() for page in PAGES.glob("*.md") if page.stem != "alembic"),
        re.M,
    )
    # SQLAlchemy documents these itself.
    assert Counter(described) == Counter(set(sqlalchemy_matrixone.__all__) - {"UUID", "insert"})
