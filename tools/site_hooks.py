"""Hooks of mkdocs.

CHANGELOG.md and CONTRIBUTING.md are pages of the site, with links that work there and in the repository.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VERSION = re.findall(r'^__version__ = "(.*)"', (ROOT / "sqlalchemy_matrixone/__init__.py").read_text(), re.M)[0]
PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}


def on_config(config: Any) -> Any:
    """Show the version of the package at the foot of each page."""
    config["copyright"] = f"sqlalchemy_matrixone {VERSION}"
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the text of a page, or of the file of the repository that it stands for."""
    if page.file.src_uri.startswith("reference/") or page.file.src_uri in PAGES:
        page.meta["search"] = {"boost": 0.5}  # whoever searches wants a guide first
    if (name := PAGES.get(page.file.src_uri)) is not None:
        return links_from_root((ROOT / name).read_text())
    for target, name in PAGES.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}")
    return markdown


def links_from_root(markdown: str) -> str:
    """Rewrite links of a file in the root of the repository: ``docs/cli.md`` is ``cli.md`` on the site."""
    return re.sub(r"\]\(docs/([\w/-]+\.md)", r"](\1", markdown)
