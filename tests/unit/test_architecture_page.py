"""docs/architecture.md names existing modules, and the layers that import-linter checks."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "sqlalchemy_matrixone"
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_architecture_page_names_existing_modules():
    for name in re.findall(r"`([\w/]+\.py|\w+/)`", PAGE):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


def test_architecture_page_names_existing_functions():
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    of_sqlalchemy = {"execute"}
    for name in set(re.findall(r"`(?:\w+\.)?(\w+)\(\)`", PAGE)) - of_sqlalchemy:
        assert re.search(rf"def {name}\(", source), name


def test_architecture_page_layers_match_import_linter():
    linter = configparser.ConfigParser()
    linter.read(ROOT / ".importlinter")
    checked = linter["importlinter:contract:layers"]["layers"].split("\n")
    table = PAGE[PAGE.index("| layer |") :].split("\n\n")[0].splitlines()[2:]
    documented = [re.findall(r"`(\w+)(?:/|\.py)`", row.split("|")[1]) for row in table]
    assert documented == [re.findall(r"\w+", layer) for layer in checked if layer.strip()]
