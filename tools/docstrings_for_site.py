"""Extension of Griffe: turn the reStructuredText of docstrings into the Markdown of the site."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import griffe

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
ROLE = re.compile(r":(?:class|meth|func|attr|exc|mod|data):`~?([^`]+)`")


class MarkdownDocstrings(griffe.Extension):
    """Convert each docstring when it is loaded, before its fields are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Convert the docstring of an object."""
        if obj.docstring is not None:
            owner = obj.path if obj.is_class or obj.parent is None else obj.parent.path
            obj.docstring.value = to_markdown(obj.docstring.value, owner)


def to_markdown(text: str, owner: str) -> str:
    """Return a docstring with links instead of roles, and without the marks of literal blocks.

    :param owner: the path of the class that a bare ``:meth:`` refers to.
    """
    text = ROLE.sub(lambda role: _link(role[1], owner), text)
    text = re.sub(r"^\s*::\n", "", text, flags=re.M)  # alone in its paragraph
    text = re.sub(r"(?<=\S) ::$", "", text, flags=re.M)
    return re.sub(r"(?<=\S)::$", ":", text, flags=re.M)


def _link(target: str, owner: str) -> str:
    """Return a link to a name that a page of the reference describes, or only the name."""
    shown = target.removeprefix(".").rpartition(".")[2] if target.startswith((".", "sqlalchemy")) else target
    first, _, member = target.removeprefix("sqlalchemy_matrixone.").partition(".")
    described = _described()
    if first in described:
        is_method = first == "Recovery" and member
        return f"[`{shown}`][{described[first]}{'.' + member if is_method else ''}]"
    is_method = owner == described["Recovery"] and target.isidentifier()
    return f"[`{shown}`][{owner}.{target}]" if is_method else f"`{shown}`"


@cache
def _described() -> dict[str, str]:
    """Return the paths of the objects on the pages of the reference, by their names."""
    pages = "\n".join(page.read_text() for page in REFERENCE.glob("*.md"))
    return {path.rpartition(".")[2]: path for path in re.findall(r"^::: ([\w.]+)$", pages, re.M)}
