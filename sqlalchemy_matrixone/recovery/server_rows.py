"""Read rows of SHOW statements, and the times and names in them as the server writes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..core.server import OUTSIDE_TRANSACTION
from ..core.zones import UTC_ZONE, convert_zone
from ..exc import RecoveryError
from .clock import from_microseconds

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_UTC_SUFFIX = " +0000 UTC"


def show(connection: Connection, statement: str, error: type[RecoveryError]) -> list[Any]:
    """Return the rows of a SHOW statement, which the server refuses in some transactions."""
    result = connection.exec_driver_sql(
        statement, execution_options={OUTSIDE_TRANSACTION: error, "stream_results": False}
    )
    return list(result.all())


def to_utc(connection: Connection, times: Iterable[str], zone: str) -> dict[str, dt.datetime]:
    """Convert wall clock times of one of the server's time zones to instants. Some are marked as UTC."""
    texts = sorted(set(times))
    local = [text for text in texts if not text.endswith(_UTC_SUFFIX)]
    converted = convert_zone(connection, [text[:19] for text in local], zone, UTC_ZONE)
    in_utc = {text: utc + text[19:] for text, utc in zip(local, converted, strict=True)}
    return {text: from_utc_text(in_utc.get(text, text.removesuffix(_UTC_SUFFIX))) for text in texts}


def from_utc_text(text: Any) -> dt.datetime:
    """Parse a time as the server writes it, with up to nine digits of a second."""
    whole, _, fraction = str(text).partition(".")
    return dt.datetime.fromisoformat(whole).replace(
        microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0, tzinfo=dt.UTC
    )


def from_epoch(nanoseconds: int) -> dt.datetime:
    """Return the UTC time of a number of nanoseconds since 1970."""
    return from_microseconds(int(nanoseconds) // 1000)


def named_part(text: str | None) -> str | None:
    """Return a part of an object's name, or None if the server shows that it has none."""
    return None if text in (None, "", "*") else text
