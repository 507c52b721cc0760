"""The built wheel, in an environment that has nothing else."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the interpreter of an environment with the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    interpreter = folder / "bin" / "python"
    run(interpreter, "-m", "pip", "install", "-q", wheel, cwd=folder)
    return interpreter


def test_wheel_contains_only_the_package(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert "sqlalchemy_matrixone" in tops
    assert "sqlalchemy_matrixone/py.typed" in names
    assert "sqlalchemy_matrixone/alembic/plugin.py" in names
    assert "sqlalchemy_matrixone/alembic/op.pyi" in names


def test_wheel_entry_points_load_the_dialects(python: Path, tmp_path: Path):
    code = """
from importlib.metadata import entry_points
found = {point.name for point in entry_points(group="sqlalchemy.dialects") if point.dist.name == "sqlalchemy-matrixone"}
assert found == {
    "matrixone", "matrixone.pymysql", "matrixone.aiomysql", "matrixone.asyncmy",
    "mysql.matrixone", "mysql.matrixone_aiomysql", "mysql.matrixone_asyncmy",
}, found
import sqlalchemy
assert sqlalchemy.create_engine("matrixone+pymysql://dump@localhost").dialect.name == "matrixone"
assert sqlalchemy.create_engine("mysql+matrixone://dump@localhost").dialect.name == "mysql"
"""
    run(python, "-W", "error", "-c", code, cwd=tmp_path)


def test_quickstart_runs_from_the_wheel(python: Path, tmp_path: Path):
    """It connects to the recorded server through the installed package and the real driver."""
    printed = run(python, "-W", "error::DeprecationWarning", ROOT / "docs/examples/quickstart.py", cwd=tmp_path)
    assert "recorded responses of 8.0.30-MatrixOne-v4.2.0" in printed
    assert "Restored 2 rows in a transaction" in printed
    assert "Dropped the PITR and the database" in printed


def test_consumer_of_the_wheel_type_checks_strictly(python: Path, wheel: Path, tmp_path: Path):
    run(python, "-m", "pip", "install", "-q", f"{wheel}[aiomysql]", cwd=tmp_path)
    consumer = tmp_path / "consumer.py"
    consumer.write_text((ROOT / "tests/packaging/consumer.py").read_text())
    run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache",
        consumer, cwd=tmp_path,
    )  # fmt: skip
    assert run(python, consumer, cwd=tmp_path) == "matrixone pymysql\n"


REVISION = """
from alembic.config import Config
from alembic.script import ScriptDirectory

config = Config()
config.set_main_option("script_location", {project!r})
config.set_main_option("version_locations", {folder!r})
ScriptDirectory.from_config(config).generate_revision(
    "0001",
    "m",
    upgrades='op.create_pitr(range="7d", database=True)',
    downgrades="op.drop_pitr(database=True)",
    imports="",
)
"""


def test_generated_migration_type_checks_strictly(python: Path, wheel: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "-q", f"{wheel}[alembic]", cwd=tmp_path)
    project = str(ROOT / "migrations_examples/migrations")
    run(python, "-c", REVISION.format(project=project, folder=str(tmp_path)), cwd=tmp_path)
    run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache",
        tmp_path / "0001_m.py", cwd=tmp_path,
    )  # fmt: skip
