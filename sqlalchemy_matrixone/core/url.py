"""Read the settings that a URL carries: the account in the login, and the parameters of the dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..exc import MatrixOneArgumentError
from .release import Release, parse_release
from .server import SYS_ACCOUNT

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DIALECT_PARAMETERS = ("server_version", "skip_locked")
"""The parameters of a URL that are the dialect's, and not the driver's."""


def account_of(url: URL) -> str | None:
    """Return the account of a login ``account:user[:role]`` or ``account#user[#role]``; a bare user belongs to sys."""
    if url.username is None:
        return None
    for separator in ":#":
        if separator in url.username:
            return url.username.split(separator)[0]
    return SYS_ACCOUNT


def release_of(url: URL) -> Release | None:
    """Return the release that ``server_version=`` specifies.

    :raises MatrixOneArgumentError: if it is no release.
    """
    stated = _parameter(url, "server_version")
    return parse_release(stated) if stated else None


def skip_locked_of(url: URL) -> Literal["wait"] | None:
    """Return the value of ``skip_locked=``.

    :raises MatrixOneArgumentError: if it is not one of the two.
    """
    return check_skip_locked(_parameter(url, "skip_locked"))


def check_skip_locked(value: object) -> Literal["wait"] | None:
    """Return a value of ``skip_locked``.

    :raises MatrixOneArgumentError: if it is neither "wait" nor None.
    """
    if value is None:
        return None
    if value == "wait":
        return "wait"
    raise MatrixOneArgumentError(f"skip_locked can only be 'wait', not {value!r}")


def _parameter(url: URL, name: str) -> str | None:
    value = url.query.get(name)
    if isinstance(value, tuple):
        raise MatrixOneArgumentError(f"{name} is given twice in the URL")
    return value
