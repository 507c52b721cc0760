"""A program that uses the installed package, as a type checker sees it."""

from __future__ import annotations

import datetime as dt
from typing import assert_type

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import (
    AsyncRecovery,
    CreatePitr,
    MatrixOneInspector,
    Pitr,
    Reason,
    Recovery,
    RecoveryError,
    RecoveryWindow,
    RestorePitr,
    Snapshot,
)


def use(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(CreatePitr("p", range=dt.timedelta(days=7), database="shop"))
        session.execute(RestorePitr("p", dt.datetime.now(dt.UTC), database="shop"))
        recovery = Recovery(session, commit_first=True)
        assert_type(recovery.create_snapshot("s", database="shop"), Snapshot)
        assert_type(recovery.get_pitr("p"), Pitr | None)
        assert_type(recovery.list_pitrs(level="database"), list[Pitr])
        assert_type(recovery.recovery_windows(), list[RecoveryWindow])
        assert_type(recovery.list_snapshots()[0].created_at, dt.datetime)
        try:
            recovery.drop_pitr("p")
        except RecoveryError as error:
            assert_type(error.reason, Reason)
    inspector = inspect(engine)
    if isinstance(inspector, MatrixOneInspector):
        assert_type(inspector.get_snapshots(), list[Snapshot])


async def use_async(session: AsyncSession) -> None:
    recovery = AsyncRecovery(session)
    assert_type(await recovery.create_snapshot("s", database="shop"), Snapshot)
    assert_type(await recovery.alter_pitr("p", range="2h"), Pitr)
    assert_type(await recovery.recovery_windows(), list[RecoveryWindow])


if __name__ == "__main__":
    engine = create_engine("matrixone+pymysql://dump@localhost?server_version=3.0.14")
    print(engine.dialect.name, engine.dialect.driver)
