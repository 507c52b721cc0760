"""Show the content of a server's answer to the reader of a tape; nothing that is played depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

_LONGEST_CELL = 50
_MOST_ROWS = 12
_NAME = 4  # catalog, schema, table and the table's own name come before a column's name

_OK, _NULL, _LOCAL_INFILE, _END, _ERROR = 0x00, 0xFB, 0xFB, 0xFE, 0xFF


def shown(answer: bytes) -> dict[str, Any]:
    """Return ``status``, or ``columns`` and ``rows``, cut where they are long; nothing for what is neither."""
    try:
        return _shown([*_payloads(answer)])
    except (IndexError, UnicodeDecodeError):
        return {}  # not an answer to a statement


def _shown(packets: list[bytes]) -> dict[str, Any]:
    kind = packets[0][0]
    if kind == _ERROR:
        code = int.from_bytes(packets[0][1:3], "little")
        return {"status": f"ERROR {code} {packets[0][4:9].decode()} {packets[0][9:].decode()}"}
    if kind == _OK:
        affected, _ = _number(packets[0], 1)
        return {"status": f"OK, {affected} affected" if affected else "OK"}
    if kind in (_LOCAL_INFILE, _END):
        return {}
    columns = [[*islice(_cells(packet), _NAME + 1)][_NAME] for packet in packets[1 : kind + 1]]
    rows = [" | ".join(_cells(packet)) for packet in packets[kind + 2 :] if not _is_end(packet)]
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [f"… {len(rows) - _MOST_ROWS} more"]
    return {"columns": " | ".join(columns), "rows": rows}


def _payloads(answer: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(answer):
        end = at + 4 + int.from_bytes(answer[at : at + 3], "little")
        yield answer[at + 4 : end]
        at = end


def _is_end(packet: bytes) -> bool:
    return packet[0] == _END and len(packet) < 9


def _number(packet: bytes, at: int) -> tuple[int, int]:
    """Read a length-encoded number; return it and the place after it."""
    first = packet[at]
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if not size:
        return first, at + 1
    return int.from_bytes(packet[at + 1 : at + 1 + size], "little"), at + 1 + size


def _cells(packet: bytes) -> Iterator[str]:
    at = 0
    while at < len(packet):
        if packet[at] == _NULL:
            at += 1
            yield "NULL"
            continue
        length, at = _number(packet, at)
        yield _text(packet[at : at + length])
        at += length


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "0x" + value.hex()
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
