"""Warnings show the line of the program that has called this package."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.util import greenlet_spawn

from sqlalchemy_matrixone import RecoveryWarning
from sqlalchemy_matrixone.core.warning import warn

BETWEEN = (
    "sqlalchemy_matrixone.recovery.session",
    "contextlib",
    "sqlalchemy.orm.session",
    "alembic.operations.base",
    "sqlalchemy_matrixone.alembic.op",
)


def defined_in(module: str, **names: Any) -> Callable[[], None]:
    """Return a function of a module, which warns, or calls ``called``."""
    body = "called()" if "called" in names else "warn('differs', category)"
    namespace: dict[str, Any] = {"__name__": module, "warn": warn, "category": RecoveryWarning, **names}
    exec(f"def function():\n    {body}\n", namespace)
    function: Callable[[], None] = namespace["function"]
    return function


def warning_through(*modules: str) -> Callable[[], None]:
    """Return a function of the last module, which calls those of the others, of which the innermost one warns."""
    function = defined_in("sqlalchemy_matrixone.recovery.pitr_statements")
    for module in modules:
        function = defined_in(module, called=function)
    return function


@pytest.mark.parametrize("depth", range(len(BETWEEN) + 1))
def test_warning_shows_the_line_of_the_program_whatever_calls_are_in_between(depth: int) -> None:
    with pytest.warns(RecoveryWarning, match="differs") as told:
        warning_through(*BETWEEN[:depth])()
    assert [warning.filename for warning in told] == [__file__]


def test_warning_in_a_greenlet_without_a_frame_of_the_program_is_emitted() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(greenlet_spawn(warning_through(*BETWEEN)))
    assert [str(warning.message) for warning in told] == ["differs"]
