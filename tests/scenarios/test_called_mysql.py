"""Dialects that are named mysql have all features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    URL,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import Recovery, as_of, time_travel
from sqlalchemy_matrixone.types import VECF32
from tests.models import Order

from .alembic_project import Project, make_database, pitrs, tables
from .client import DRIVERS, clean_up, drop_databases
from .server import Admin, Server

NAMES = {"pymysql": "mysql+matrixone", "aiomysql": "mysql+matrixone_aiomysql", "asyncmy": "mysql+matrixone_asyncmy"}


def url(server: Server, driver: str = "pymysql", database: str = "sc_shop") -> URL:
    return server.url(driver, database=database).set(drivername=NAMES[driver])


def declared() -> MetaData:
    metadata = MetaData(info={"matrixone_pitr": "7d"})
    Table("customer", metadata, Column("id", Integer, primary_key=True), mysql_engine="InnoDB", comment="who buys")
    Table(
        "goods",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("customer_id", ForeignKey("customer.id")),
        Column("name", String(20).with_variant(mysql.VARCHAR(30), "mysql"), server_default="it's"),
        Column("description", mysql.LONGTEXT),
        Column("embedding", VECF32(3)),
        UniqueConstraint("name", name="uq_goods_name"),
        Index("ix_goods_name", "name", mysql_length=30),
    )
    return metadata


def test_mysql_named_url_autogenerates_and_migrates(tmp_path: Path, server: Server, admin: Admin):
    for database in make_database(admin):
        project = Project(tmp_path, server, url(server, database=database))
        project.metadata = declared()
        written = project.autogenerate("one")
        assert "op.create_pitr(range='7d', database=True)" in written
        project.upgrade()
        assert pitrs(admin) == {"al_shop": ("database", "7d")}
        project.check()
        project.revision(
            "two",
            """
            op.alter_column("goods", "name", nullable=False, existing_type=sa.String(30))
            op.create_snapshot("al_snap", database=True)
            op.drop_snapshot("al_snap")
            """,
        )
        project.upgrade()
        assert inspect(project.engine).get_columns("goods")[2]["nullable"] is False
        project.revision("three", "op.add_column('customer', sa.Column('x', sa.Integer))\nop.execute('nonsense')")
        with pytest.raises(Exception, match="nonsense"):
            project.upgrade()
        assert "x" not in [column["name"] for column in inspect(project.engine).get_columns("customer")]
        project.downgrade("base")
        assert tables(admin) == ["alembic_version"]
        assert pitrs(admin) == {}


def work(session: Session) -> dict[str, Any]:
    recovery = Recovery(session, commit_first=True)
    recovery.create_snapshot("sc_snap", database="sc_shop")
    session.get_one(Order, 1).note = "changed"
    session.execute(mysql.insert(Order).values(id=2, note="x").on_duplicate_key_update(note="updated"))
    session.commit()
    past = as_of(Order, snapshot="sc_snap")
    seen = {
        "now": session.scalars(select(Order.note).order_by(Order.id)).all(),
        "then": session.scalars(select(past.note).order_by(past.id)).all(),
        "columns": [column["name"] for column in inspect(session.connection()).get_columns("orders")],
        "indexes": inspect(session.connection()).get_pk_constraint("orders")["constrained_columns"],
        "snapshots": [snapshot.name for snapshot in recovery.list_snapshots(database="sc_shop")],
    }
    with time_travel(session, snapshot="sc_snap"):
        seen["travelled"] = session.get_one(Order, 1).note
    recovery.restore_snapshot("sc_snap", database="sc_shop", table="orders")
    seen["restored"] = session.scalars(select(Order.note).order_by(Order.id)).all()
    recovery.drop_snapshot("sc_snap")
    return seen


@pytest.mark.parametrize("driver", DRIVERS)
async def test_mysql_named_url_has_recovery_time_travel_and_reflection(server: Server, admin: Admin, driver: str):
    clean_up(admin, "sc_shop")
    if driver == "pymysql":
        with Session(server.engine(url(server))) as session:
            seen = work(session)
    else:
        async with AsyncSession(server.async_engine(driver, url(server, driver))) as async_session:
            seen = await async_session.run_sync(work)
    assert seen == {
        "now": ["changed", "updated"],
        "then": ["first", "second"],
        "columns": ["id", "note"],
        "indexes": ["id"],
        "snapshots": ["sc_snap"],
        "travelled": "first",
        "restored": ["first", "second"],
    }
    drop_databases(admin, "sc_shop")


def test_mysql_named_url_connects_and_runs_sql(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    engine = server.engine(url(server)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        assert connection.dialect.name == "mysql"
        assert connection.dialect.server_version_info == (8, 0, 30)
        assert connection.dialect.default_account_name == "sys"
        connection.execute(text("INSERT INTO orders VALUES (3, 'third')"))
    assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(3,)]
