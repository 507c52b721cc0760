"""How the server folds names."""

from __future__ import annotations

from typing import overload


@overload
def fold(name: str) -> str: ...


@overload
def fold(name: None) -> None: ...


@overload
def fold(name: str | None) -> str | None: ...


def fold(name: str | None) -> str | None:
    """Return a name in lower case as the server makes it: character by character, as Go's ``unicode.ToLower``.

    ``str.lower()`` looks at more than one character: it makes ``ας`` of ``ΑΣ``, and two characters of ``İ``.
    """
    return None if name is None else "".join("i" if character == "İ" else character.lower() for character in name)
