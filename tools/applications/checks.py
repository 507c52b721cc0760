"""What the scripts of this folder share. Each uses one application as its users do, on the URL that it is given.

It is imported by scripts that run in the environment of an application, so it needs nothing else.
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
    """Have a function run as one check; its docstring names it. A coroutine function is awaited."""
    _checks.append(function)
    return function


def run(package: str, *requirements: str, asynchronous: bool = False) -> None:
    """Print what the application is, or run the checks on the URL of the command line; each line is JSON."""
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
