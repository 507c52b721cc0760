"""Run the other tests of SQLAlchemy and Alembic, which are not part of their dialect suites, on a server.

The tests are in the source distributions of both, in ``test`` and ``tests``. Unpack the release that is installed, and
create the databases ``sa_suite``, ``test_schema`` and ``test_schema_2`` on the server::

    python tools/upstream.py sqlalchemy-2.1.9 mysql+matrixone://dump:111@127.0.0.1:6001/sa_suite test/dialect/mysql
    python tools/upstream.py alembic-1.20.1 mysql+matrixone://dump:111@127.0.0.1:6001/sa_suite tests/test_mysql.py

All further arguments are those of pytest, such as ``--backend-only`` and ``--junitxml``. Tests of MySQL only run on a
dialect of that name. A run that was interrupted leaves tables, which the next one fails by: create the databases again.

The script writes ``test.cfg`` into the source directory. This module is also the pytest plugin that it names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def __getattr__(name: str) -> Any:
    """Create the requirements when pytest asks for them: an earlier import would disable SQLAlchemy's fixtures."""
    if name != "Requirements":
        raise AttributeError(name)
    if Path("alembic").is_dir():
        from tests.requirements import DefaultRequirements

        from sqlalchemy_matrixone.alembic.requirements import Requirements
    else:
        from test.requirements import DefaultRequirements

        from sqlalchemy_matrixone.requirements import Requirements  # type: ignore[assignment]
    return type("Requirements", (Requirements, DefaultRequirements), {})


def main(source: str, url: str, *arguments: str) -> int:
    """Run pytest in a source directory, with the installed packages."""
    directory = Path(source).resolve()
    (directory / "test.cfg").write_text("[sqla_testing]\nrequirement_cls = upstream:Requirements\n")
    path = os.pathsep.join(map(str, (ROOT / "tools", ROOT)))
    command = [sys.executable, "-s", "-m", "pytest", "-p", "upstream", "--dburi", url, *arguments]
    return subprocess.run(command, cwd=directory, env={**os.environ, "PYTHONPATH": path}).returncode


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
else:
    import sqlalchemy_matrixone  # noqa: F401  registers the dialects, also if the installed metadata is old
