"""The options of docs/examples/quickstart.py; a scenario runs it on a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[2] / "docs/examples/quickstart.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, QUICKSTART, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("argument", "code", "message"),
    [
        ("--help", 0, "with the url of a matrixone server"),
        ("nonsense", 2, "the url cannot be read"),
        ("--nonsense", 2, "unrecognized arguments"),
        ("matrixone+pymysql://u:s3cret@127.0.0.1:1", 1, "can't connect"),
    ],
    ids=["help", "no URL", "no option", "no server"],
)
def test_quickstart_explains_its_arguments_and_errors_without_a_traceback(argument: str, code: int, message: str):
    done = run(argument)
    assert done.returncode == code
    output = done.stdout + done.stderr
    assert message in " ".join(output.lower().split())
    assert "Traceback" not in output
    assert "s3cret" not in output
