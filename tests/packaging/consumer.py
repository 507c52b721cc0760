"""A program that uses the installed package, as a type checker sees it."""

from __future__ import annotations

import datetime as dt
from typing import Any, assert_type

from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.util import AliasedClass
from sqlalchemy.sql.selectable import FromClauseAlias

from sqlalchemy_matrixone import (
    VECF32,
    AsyncRecovery,
    CloneTable,
    CreatePitr,
    DiffBranch,
    MatrixOneInspector,
    PickBranch,
    Pitr,
    Reason,
    Recovery,
    RecoveryError,
    RecoveryWindow,
    RestoredRows,
    RestorePitr,
    Snapshot,
    Vector,
    as_of,
    insert,
    time_travel,
)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    embedding: Mapped[list[float] | None] = mapped_column(VECF32(3))


ITEMS = Table("items", MetaData(), Column("id", Integer, primary_key=True))


def use(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(CreatePitr("p", range=dt.timedelta(days=7), database="shop"))
        session.execute(RestorePitr("p", timestamp=dt.datetime.now(dt.UTC), database="shop"))
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
        recovery.create_snapshot("s", table=Order)
        recovery.create_snapshot("s", table=Order.__table__)
        recovery.create_snapshot("s", table=7)  # type: ignore[arg-type]
        recovery.restore_snapshot("s", databse="shop")  # type: ignore[call-arg]  # codespell:ignore databse
        done = recovery.restore_rows([Order, ITEMS], snapshot="s", where={ITEMS: [ITEMS.c.id > 1]}, columns=[Order.id])
        assert_type(done, RestoredRows)
        recovery.restore_rows(Order, snapshot="s", where=Order.id == 1, columns="id")
        recovery.restore_rows("orders", snapshot="s")  # type: ignore[arg-type]
    inspector = inspect(engine)
    if isinstance(inspector, MatrixOneInspector):
        assert_type(inspector.get_snapshots(), list[Snapshot])


def read_the_past(session: Session, polymorphic: AliasedClass[Order]) -> None:
    old = as_of(Order, snapshot="s")
    assert_type(old, type[Order])
    assert_type(session.scalars(select(old)).all()[0].id, int)
    assert_type(as_of(ITEMS, mo_ts=1), FromClauseAlias[Any])
    assert_type(as_of(polymorphic, snapshot="s"), AliasedClass[Order])
    with time_travel(session, timestamp=dt.datetime.now(dt.UTC)) as travelling:
        assert_type(travelling, Session)


def write(session: Session, vector: Vector) -> None:
    session.execute(insert(Order).values(id=1).on_duplicate_key_update(embedding=[1, 2, 3]))
    assert_type(session.get_one(Order, 1).embedding, list[float] | None)
    assert_type(vector.dimension, int | None)


def copy(session: Session) -> None:
    session.execute(CloneTable("orders_then", as_of(Order, snapshot="s")))
    session.execute(CloneTable("items_copy", ITEMS, if_not_exists=True))
    session.execute(PickBranch("orders_dev", Order, keys={1, 2}))
    session.execute(PickBranch("orders_dev", Order, keys=select(Order.id).union(select(ITEMS.c.id))))
    for row in session.execute(DiffBranch("orders_dev", Order, columns=[Order.id, "id"])):
        print(row.flag)


async def use_async(session: AsyncSession) -> None:
    recovery = AsyncRecovery(session)
    assert_type(await recovery.create_snapshot("s", database="shop"), Snapshot)
    assert_type(await recovery.alter_pitr("p", range="2h"), Pitr)
    assert_type(await recovery.recovery_windows(), list[RecoveryWindow])


if __name__ == "__main__":
    engine = create_engine("matrixone+pymysql://dump@localhost?server_version=3.0.14")
    print(engine.dialect.name, engine.dialect.driver)
