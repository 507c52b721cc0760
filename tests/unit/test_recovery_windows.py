"""Parse the server's list of recovery windows completely, or refuse it."""

from __future__ import annotations

import pytest

from sqlalchemy_matrixone import Reason, RecoveryError
from sqlalchemy_matrixone.recovery.windows import _parse, _Row

SNAPSHOT = "{'timestamp':'2026-03-01 12:00:00.340551606 +0000 UTC', 'source':'snapshot', 'source_name':'s1'}"
PITR = "{'start_time':'2026-03-01 12:00:00.3', 'end_time':'2026-03-02 12:00:00.4', 'source':'pitr', 'source_name':'p'}"
OLD = '{"timestamp": "2026-03-01 12:00:00", "source": "snapshot", "source_name": "s1"}'


def names(text: str) -> list[str]:
    return [window["source_name"] for window in _parse(_Row("table", "sys", "shop", "orders", text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[]", []),
        (f"[{SNAPSHOT}]", ["s1"]),
        (f"[{SNAPSHOT}, {PITR}]", ["s1", "p"]),
        (OLD, ["s1"]),
        (f"{OLD},\n{OLD}", ["s1", "s1"]),
    ],
)
def test_recovery_windows_text_that_is_complete_is_parsed(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"[{SNAPSHOT}, ",
        f"[{SNAPSHOT}, 'pitr', 'source_name':'p'}}]",
        f"[{SNAPSHOT}]4:43.348687511', 'end_time':'2026-11-26 18:34:43', 'source':'pitr', 'source_name':'p'}}]",
        f"[{SNAPSHOT}, {PITR[:-40]}",
        f"[{SNAPSHOT} {PITR}]",
        "[{'timestamp':'2026-03-01 12:00:00', 'source':'snapshot'}]",
        "nothing",
    ],
)
def test_recovery_windows_text_that_is_truncated_is_not_used(text: str) -> None:
    with pytest.raises(RecoveryError, match=r"windows of shop\.orders cannot be read") as refusal:
        names(text)
    assert refusal.value.reason is Reason.OTHER
