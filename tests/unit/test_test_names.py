"""Names of tests must state what broke, without their file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("unit", "scenarios", "packaging")

# Words with which a name begins whose subject is elsewhere: in the module's docstring, or in the test before.
NO_SUBJECT = frozenset((
    "a", "an", "the", "of", "in", "on", "at", "by", "with", "without", "after", "before", "to", "from", "when", "if",
    "where", "while", "until", "it", "its", "they", "their", "them", "what", "who", "which", "whose", "that", "this",
    "these", "there", "nor", "not", "no", "none",
))  # fmt: skip


def functions(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name


OF_THE_PACKAGE = tuple(f"test_{name}_" for name in functions(ROOT / "sqlalchemy_matrixone") if "_" in name.strip("_"))


def has_subject(name: str) -> bool:
    return name.split("_")[1] not in NO_SUBJECT or name.startswith(OF_THE_PACKAGE)


def test_names_of_tests_begin_with_a_subject_and_have_three_words() -> None:
    names = [name for each in FOLDERS for name in functions(ROOT / "tests" / each) if name.startswith("test_")]
    assert len(names) > 1000
    assert [name for name in names if not has_subject(name) or name.count("_") < 3] == []


def test_name_without_a_subject_is_recognized() -> None:
    assert not has_subject("test_nor_is_the_account_sys")
    assert has_subject("test_as_of_a_missing_snapshot_raises")
