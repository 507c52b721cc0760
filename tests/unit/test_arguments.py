"""Invalid arguments are refused when the construct is created, with an error that states what to do."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import MetaData, Table, exc

from sqlalchemy_matrixone import (
    AlterPitr,
    AsyncRecovery,
    CreatePitr,
    CreateSnapshot,
    DropSnapshot,
    MatrixOneArgumentError,
    Recovery,
    RestorePitr,
    RestoreSnapshot,
)
from sqlalchemy_matrixone.recovery.pitr_range import PitrRange

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

REFUSED = [
    (lambda: CreateSnapshot("s", cluster=True, database="d"), "cluster=True is the whole cluster"),
    (lambda: CreateSnapshot("s", cluster=True, account="a"), "cluster=True is the whole cluster"),
    (lambda: CreateSnapshot("s", account="a", database="d"), "of the current account only"),
    (lambda: CreatePitr("p", range="1d", account="a", table="t", database="d"), "of the current account only"),
    (lambda: CreateSnapshot("s", table="t"), "pass database=… as well"),
    (lambda: CreateSnapshot("s", table=object()), "neither a mapped class, a Table nor a name"),
    (lambda: CreateSnapshot("s", database=""), "database='' is not a name"),
    (lambda: CreateSnapshot("s", account=3), "account=3 is not a name"),
    (lambda: CreateSnapshot("s", database="a\\b"), "contains a quote or a backslash"),
    (lambda: CreateSnapshot("s", table=Table("a\\b", MetaData())), "contains a quote or a backslash"),
    (lambda: CreateSnapshot("s", table="o'x", database="d"), "contains a quote or a backslash"),
    (lambda: CreatePitr("p", range="1d", database='o"x'), "contains a quote or a backslash"),
    (lambda: RestoreSnapshot("s", account="o`x"), "contains a quote or a backslash"),
    (lambda: RestoreSnapshot("s", account="a", to_account="o'x"), "contains a quote or a backslash"),
    (lambda: RestorePitr("p", timestamp=NOON, table=Table("t", MetaData(), schema="o'x")), "a quote or a backslash"),
    (lambda: CreateSnapshot("s", publication="o'x", from_account="a"), "contains a quote or a backslash"),
    (lambda: CreateSnapshot("s", database="d", publication="p"), "must be passed together"),
    (lambda: CreateSnapshot("s", cluster=True, publication="p", from_account="a"), "databases and tables"),
    (lambda: RestoreSnapshot("s"), "specify which one, with cluster=True"),
    (lambda: RestorePitr("p", timestamp=NOON), "specify which one, with cluster=True"),
    (lambda: RestoreSnapshot("s", cluster=True, to_account="a"), "cannot be restored to_account"),
    (lambda: RestorePitr("p", timestamp=NOON, database="d", to_account="a"), "only a whole account"),
    (lambda: RestorePitr("p", database="d"), "exactly one of timestamp="),
    (lambda: RestorePitr("p", timestamp=NOON, mo_ts=1, database="d"), "exactly one of timestamp="),
    (lambda: RestorePitr("p", timestamp=NOON, server_time="2026-03-01 12:00:00", database="d"), "exactly one of"),
    (lambda: CreateSnapshot(""), "snapshot='' is not a name"),
    (lambda: CreateSnapshot(None), "snapshot=None is not a name"),
    (lambda: CreateSnapshot("x" * 65), "has 65 characters"),
    (lambda: DropSnapshot("a b"), "leave out spaces"),
    (lambda: AlterPitr("a`b", range="1d"), "leave out spaces"),
    (lambda: Recovery(object()), "Session, scoped_session or Connection"),
    (lambda: AsyncRecovery(object()), "AsyncSession, async_scoped_session or AsyncConnection"),
]


@pytest.mark.parametrize(("make", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_invalid_construct_arguments_are_refused(make, why):
    with pytest.raises(MatrixOneArgumentError, match=why) as refusal:
        make()
    assert isinstance(refusal.value, exc.ArgumentError)


def test_snapshot_name_of_64_and_longer_pitr_name_are_accepted():
    assert CreateSnapshot("x" * 64).name == "x" * 64
    assert CreatePitr("x" * 65, range="1d").name == "x" * 65


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7d", "7d"),
        ("1h", "1h"),
        ("3mo", "3mo"),
        ("3 mo", "3mo"),
        ("100Y", "100y"),
        ((12, "h"), "12h"),
        (dt.timedelta(days=2), "2d"),
        (dt.timedelta(hours=36), "36h"),
        (dt.timedelta(hours=24), "1d"),
    ],
)
def test_pitr_range_is_parsed_from_each_notation(written, meant):
    assert str(PitrRange.of(written)) == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "", "d", "7", "7w", "7m", "0d", "101d", "-1d", "1.5d", "٣d", (7,), (7, "w"), (True, "d"), (1.5, "d"), 7, None,
        dt.timedelta(0), dt.timedelta(minutes=90), dt.timedelta(days=101), dt.timedelta(hours=101),
        dt.timedelta(days=-1),
    ],
)  # fmt: skip
def test_invalid_pitr_range_is_refused(wrong):
    with pytest.raises(MatrixOneArgumentError, match="range="):
        CreatePitr("p", range=wrong)
