"""Show that the tests notice a change of SQLAlchemy's or Alembic's private API: rename names in a copy and run them.

::

    python tools/rename_internals.py            all names
    python tools/rename_internals.py _entities  only these

Prints the tests that fail for each name, and exits with 1 if no test fails for one of the names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import alembic
import sqlalchemy

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/unit/test_sqlalchemy_internals.py", "tests/unit/test_alembic_internals.py")
PACKAGES = {"sqlalchemy": Path(sqlalchemy.__file__).parent, "alembic": Path(alembic.__file__).parent}

# The private names, by package. An entry is a regular expression that matches a whole word.
NAMES = {
    "sqlalchemy": [
        "_MapperEntity",
        "_entities",
        "_LoadElement",
        "memoized_setups",
        "eager_joins",
        "current_path",
        "select_statement",
        "_setup_joins",
        "_with_options",
        "_detach_states",
        "session_id",
        "identity_map",
        "hash_key",
        "loaded_as_persistent",
        "_trans_context_manager",
        "_execute_on_connection",
        "_traverse_internals",
        "_construct",
        "_orig_name",
        "_inline",
        "_returning",
        "_return_defaults",
        "_return_defaults_columns",
        "_select_names",
        "_post_values_clause",
        "_generate",
        "_column_types",
        "_render_values",
        "_generate_prefixes",
        "_truncated_identifier",
        "_add_to_result_map",
        "asfrom_froms",
        "_for_update_arg",
        "_variant_mapping",
        "_type_affinity",
        "_execute_scalar",
        "_NO_CURSOR_DML",
        "ORMCompileState|_ORMCompileState",
        "row_processor",
        "get_final_froms",
        "reflected",
    ],
    "alembic": ["destination_rev", "_transaction", "fn"],
}


def renamed(package: str, name: str, into: Path) -> None:
    """Copy a package and rename each occurrence of a name.

    Compiled modules are not copied, because they would still contain the old name.
    """
    copy = into / package
    shutil.copytree(PACKAGES[package], copy, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    word = re.compile(rf"\b({name})\b")
    for path in copy.rglob("*.py"):
        text = path.read_text()
        if word.search(text):
            path.write_text(word.sub(r"\1_renamed", text))


def failures(package: str, name: str) -> list[str]:
    """Return what fails after a name was renamed: tests, or the import of the package."""
    with tempfile.TemporaryDirectory() as directory:
        renamed(package, name, Path(directory))
        environment = {**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *TESTS],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    output = run.stdout + run.stderr
    return re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.M) or re.findall(r"^E? *(\w*Error: .*)", output, re.M)[-1:]


def main(wanted: list[str]) -> int:
    """Rename each name in turn, run the tests, and report those that no test notices."""
    unnoticed = 0
    for package, names in NAMES.items():
        for name in names:
            if wanted and name not in wanted:
                continue
            found = failures(package, name)
            unnoticed += not found
            shown = ", ".join(test.rpartition("::")[2] for test in found[:3]) or "NOT NOTICED"
            print(f"{package} {name}: {len(found)} fail: {shown}", flush=True)
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
