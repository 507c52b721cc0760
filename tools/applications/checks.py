"""Common functions of the scripts in this folder. Each script uses one application as its users do, on a given URL.

The scripts import this module in the environment of their application, so it uses only the standard library.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

Check = Callable[[str], Any]
_checks: list[Check] = []


def check(function: Check) -> Check:
    """Register a function as a check, which is named by its docstring. A coroutine function is awaited."""
    _checks.append(function)
    return function


def run(package: str, *requirements: str, asynchronous: bool = False) -> None:
    """Print a description of the application, or run the checks on the URL of the command line; each line is JSON."""
    warnings.simplefilter("ignore")
    if sys.argv[1:] == ["--about"]:
        print(json.dumps({"package": package, "requirements": requirements or [package], "asynchronous": asynchronous}))
        return
    print(json.dumps({"version": version(package), "sqlalchemy": version("sqlalchemy")}))
    with asyncio.Runner() as runner:
        for function in _checks:
            print(json.dumps({"check": function.__doc__, "error": _error_of(function, runner)}), flush=True)


def _error_of(function: Check, runner: asyncio.Runner) -> str | None:
    try:
        result = function(sys.argv[1])
        if inspect.iscoroutine(result):
            runner.run(result)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split('[SQL:')[0].split())}"[:300]
    return None
