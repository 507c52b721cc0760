"""``python -m sqlalchemy_matrixone``, also installed as ``matrixone-recovery``."""

from __future__ import annotations

import signal
import sys
from typing import Any


def _exit(number: int, _: Any) -> None:
    """Exit by an exception, so that a restore that waits is ended on the server."""
    sys.exit(128 + number)


def main() -> None:
    """Run the command line, which requires the extra ``cli``."""
    try:
        from .cli.commands import cli
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        sys.exit(f"the command line needs {missing.name}: install the package with its extra cli, pip install '.[cli]'")
    signal.signal(signal.SIGTERM, _exit)
    cli(prog_name="matrixone-recovery")


if __name__ == "__main__":
    main()
