"""Emit warnings that show the line of the program that has called this package."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from types import FrameType

# The packages between that line and the warning; contextlib for methods in the block of a context manager.
_BETWEEN = frozenset(("sqlalchemy_matrixone", "sqlalchemy", "alembic", "contextlib"))


def warn(message: str, category: type[Warning]) -> None:
    """Emit a warning.

    It shows the line of the innermost caller outside of this package, SQLAlchemy and Alembic. In an asyncio program no
    frame of the caller is on the stack, so that it shows the line in this package.
    """
    level = next((level for level, frame in enumerate(_callers(), start=2) if not _is_between(frame)), 2)
    warnings.warn(message, category, stacklevel=level)


def _callers() -> Iterator[FrameType]:
    """Yield the frames of the caller of :func:`warn`, of its caller, and so on."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not warn.__code__:
        frame = frame.f_back
    while frame is not None and (frame := frame.f_back) is not None:
        yield frame


def _is_between(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
