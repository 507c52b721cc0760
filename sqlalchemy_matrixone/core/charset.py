"""Refuse character sets in which a value could end its literal and become SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exc import MatrixOneArgumentError

_SAFE = frozenset(("utf8mb4", "utf8mb3", "utf8", "ascii"))


def check_charset(charset: str) -> None:
    """Check the character set in which a driver encodes statements.

    MatrixOne reads each statement as UTF-8, whatever ``SET NAMES`` has asked for. In GBK, Big5 or Shift-JIS the second
    byte of a character can be a backslash. The server treats it as the beginning of an escape, so that a quote that the
    driver has escaped ends the literal. In other character sets the server stores other characters.

    :raises MatrixOneArgumentError: if statements would not be UTF-8.
    """
    if charset.lower() not in _SAFE:
        raise MatrixOneArgumentError(
            f"charset={charset!r} is refused, and nothing was sent: MatrixOne reads statements as UTF-8, whatever "
            "character set a connection requests. A value could end its literal and become SQL, or be stored as other "
            "characters. Omit charset, or set it to utf8mb4."
        )


def check_requested_charset(arguments: Mapping[str, Any]) -> None:
    """Check the character set among the arguments of a connection, before a driver that does not know it fails.

    :raises MatrixOneArgumentError: as of :func:`check_charset`.
    """
    if charset := arguments.get("charset"):
        check_charset(str(charset))
