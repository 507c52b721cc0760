"""Each example of the documentation is run by a test, or its page states why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
]
CODE = {"python", "py", "sh", "bash", "console"}
EXAMPLE = re.compile(r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n\n?)?^ *```(?P<language>[a-z]+)\n", re.M)

RUN = {
    ("README.md", "python"): "scenarios/test_examples.py",
    ("docs/alembic.md", "python"): "unit/test_alembic_examples.py",  # quotes of a project that scenarios run
    ("docs/branches.md", "python"): "scenarios/test_examples.py",
    ("docs/cli.md", "console"): "scenarios/test_cli_page.py",
    ("docs/connecting.md", "python"): "scenarios/test_examples.py",
    ("docs/install.md", "python"): "scenarios/test_examples.py",
    ("docs/lost-data.md", "console"): "scenarios/test_lost_data.py",
    ("docs/lost-data.md", "python"): "scenarios/test_lost_data.py",
    ("docs/recovery.md", "python"): "scenarios/test_examples.py",
    ("docs/rights.md", "python"): "scenarios/test_examples.py",
    ("docs/rows.md", "python"): "scenarios/test_examples.py",
    ("docs/timetravel.md", "python"): "scenarios/test_examples.py",
    ("docs/types.md", "python"): "unit/test_types.py",
}
"""The test module that runs all examples of a language on a page."""


class Example(NamedTuple):
    """A block of code on a page."""

    page: str
    language: str
    line: int
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.language})"


def examples(page: str) -> Iterator[Example]:
    text = (ROOT / page).read_text()
    for found in EXAMPLE.finditer(text):
        if found["language"] in CODE:
            line = text.count("\n", 0, found.start("language")) + 1
            yield Example(page, found["language"], line, found["reason"])


@pytest.mark.parametrize("page", PAGES)
def test_documentation_example_is_run_by_a_test_or_says_why_not(page: str):
    unexplained = [
        str(example) for example in examples(page) if not example.reason and (page, example.language) not in RUN
    ]
    assert not unexplained


@pytest.mark.parametrize("page", PAGES)
def test_documentation_example_that_is_run_does_not_claim_otherwise(page: str):
    assert not [str(each) for each in examples(page) if each.reason and (page, each.language) in RUN]


@pytest.mark.parametrize(("example", "module"), RUN.items(), ids=[" ".join(key) for key in RUN])
def test_test_module_that_runs_documentation_examples_names_the_page(example: tuple[str, str], module: str):
    page, language = example
    source = (ROOT / "tests" / module).read_text()
    assert Path(page).name in source
    assert any(each.language == language for each in examples(page))


def test_example_with_a_reason_is_recognized():
    found = EXAMPLE.search("Text\n\n<!-- not run: needs a container -->\n```sh\ndocker run\n```\n")
    assert found is not None
    assert (found["reason"], found["language"]) == ("needs a container", "sh")
