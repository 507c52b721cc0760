"""Tables are made, protected, damaged and restored.

    python docs/examples/quickstart.py matrixone+pymysql://dump:111@127.0.0.1:6001

Without a URL it runs on what a MatrixOne 4.2.0 server has answered when this was recorded.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, ForeignKey, String, create_engine, delete, func, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from sqlalchemy_matrixone import Recovery

DATABASE = "sqlalchemy_matrixone_quickstart"


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    orders: Mapped[list[Order]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    cents: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="orders")


def main(url: URL) -> None:
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        say(f"Connected to {connection.scalar(select(func.version()))}")
        connection.execute(text(f"DROP DATABASE IF EXISTS {DATABASE}"))
        connection.execute(text(f"CREATE DATABASE {DATABASE}"))

    engine = create_engine(url.set(database=DATABASE))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, name="Ada", orders=[Order(id=1, cents=1200), Order(id=2, cents=3400)]))
        session.add(Customer(id=2, name="Charles", orders=[Order(id=3, cents=5600)]))
    say("Made two tables through the ORM:", engine)

    with Session(engine) as session:
        recovery = Recovery(session)
        recovery.drop_pitr("quickstart_day", if_exists=True)
        recovery.drop_snapshot("quickstart_before_import", if_exists=True)

        pitr = recovery.create_pitr("quickstart_day", range="1d", database=DATABASE)
        say(f"Protected the database: any moment of the last {pitr.range} can be restored")
        snapshot = recovery.create_snapshot("quickstart_before_import", table=Order)
        say(f"Took a snapshot of the table {snapshot.table}, {snapshot.name}")

        session.execute(delete(Order))
        session.commit()
        say("A DELETE without WHERE, committed:", engine)
        recovery.restore_snapshot("quickstart_before_import", table=Order)
        say("Restored the table from the snapshot:", engine)

        time.sleep(1.1)
        before = dt.datetime.fromtimestamp(session.scalars(select(func.unix_timestamp())).one(), dt.UTC)
        session.execute(update(Order).values(cents=0))
        session.commit()
        say("An UPDATE without WHERE, committed:", engine)
        recovery.restore_pitr("quickstart_day", timestamp=before, table=Order)
        say("Restored the table to the moment before it:", engine)

        recovery.drop_snapshot("quickstart_before_import")
        recovery.drop_pitr("quickstart_day")
        session.execute(text(f"DROP DATABASE {DATABASE}"))
        session.commit()
        say("Dropped the snapshot, the PITR and the database")


def say(line: str, engine: Engine | None = None) -> None:
    """A line a step; with an engine, the orders as they now are."""
    if engine is not None:
        with Session(engine) as session:
            rows = session.execute(select(Customer.name, Order.cents).join(Order.customer).order_by(Order.id)).all()
        line += " " + (", ".join(f"{name} {cents / 100:.2f}" for name, cents in rows) or "no orders")
    print(f"  {line}")


@contextmanager
def recorded_server() -> Iterator[URL]:
    """A server of packets that a MatrixOne has sent before, on a port of this machine."""
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    from tests.scenarios.archive import Archive, installed_line
    from tests.scenarios.tape import Player

    tape = Archive(root / "tests/scenarios/tapes").load("test_examples/test_quickstart_restores_rows", "4.2.0")
    assert tape is not None
    print(f"No URL given: on the recorded answers of {tape.server}, {tape.recorded}")
    player = Player(tape.of_line(installed_line()))
    try:
        yield make_url(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?ssl_disabled=true")
    finally:
        player.close()


if __name__ == "__main__":
    if sys.argv[1:]:
        main(make_url(sys.argv[1]))
    else:
        with recorded_server() as url:
            main(url)
