"""Protect a database, damage it, and bring back exactly what was damaged, one line for each step.

With the URL of a MatrixOne server, the example runs there, in a separate database, which it drops at the end.
Without one, it runs on the recorded responses of MatrixOne 4.2.0.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, ForeignKey, String, create_engine, exc, func, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from sqlalchemy_matrixone import Recovery

DATABASE = "sqlalchemy_matrixone_quickstart"
PITR = "quickstart_day"


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


PRICE_OF_ORDER_1 = select(Order.cents).where(Order.id == 1)


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
    say("Created two tables with the ORM:", engine)

    protect(engine)
    damage(engine)
    bring_back(engine)

    with Session(engine) as session:
        Recovery(session).drop_pitr(PITR)
        session.execute(text(f"DROP DATABASE {DATABASE}"))
        session.commit()
    say("Dropped the PITR and the database")
    engine.dispose()


def protect(engine: Engine) -> None:
    with Session(engine) as session:
        recovery = Recovery(session)
        recovery.drop_pitr(PITR, if_exists=True)
        pitr = recovery.create_pitr(PITR, range="1d", database=DATABASE)
    say(f"Protected the database: any time within the last {pitr.range} can be restored")
    time.sleep(1.1)


def damage(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(Order).values(cents=0))
    say("Damaged it, by an UPDATE without WHERE:", engine)
    with Session(engine) as session, session.begin():
        session.add(Order(id=4, customer_id=2, cents=7800))
        session.get_one(Order, 3).cents = 4900
    say("Others have written since:", engine)


def bring_back(engine: Engine) -> None:
    with Session(engine) as session:
        recovery = Recovery(session)
        change = recovery.find_change(PRICE_OF_ORDER_1, precision=dt.timedelta(milliseconds=1))
        say(f"Found when: {change.value_before} became {change.value_after} after {change.before:%H:%M:%S.%f} UTC")
        preview = recovery.preview_rows(Order, timestamp=change.before, where=Order.cents == 0)
        rows = (
            f"order {row.key['id']} would cost {row.old['cents'] / 100:.2f} again" for row in preview.rows if row.old
        )
        say(f"Previewed the restore: {', '.join(sorted(rows))}")
    with Session(engine) as session, session.begin():
        done = Recovery(session).restore_rows(Order, timestamp=change.before, where=Order.cents == 0)
        session.get_one(Customer, 1).name = "Ada, informed"  # committed together with it, or not at all
    say(f"Restored {done.updated} rows in a transaction, and kept what was written since:", engine)


def say(line: str, engine: Engine | None = None) -> None:
    """Print a line; with an engine, add the current orders."""
    if engine is not None:
        with Session(engine) as session:
            rows = session.execute(select(Customer.name, Order.cents).join(Order.customer).order_by(Order.id)).all()
        line += " " + "; ".join(f"{name} {cents / 100:.2f}" for name, cents in rows)
    print(f"  {line}")


@contextmanager
def recorded_server() -> Iterator[URL]:
    """Serve the recorded packets of a MatrixOne server on a port of this machine."""
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    from tests.scenarios.archive import Archive, installed_line
    from tests.scenarios.tape import Player

    tape = Archive(root / "tests/scenarios/tapes").load("test_examples/test_quickstart_restores_rows", "4.2.0")
    if tape is None:
        sys.exit("There is no recording here: give the URL of a server, as --help shows")
    print(f"No URL given: on the recorded responses of {tape.server}, {tape.recorded}")
    player = Player(tape.of_line(installed_line()))
    try:
        yield make_url(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?ssl_disabled=true")
    finally:
        player.close()


def run(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="matrixone+pymysql://dump:111@127.0.0.1:6001")
    given = parser.parse_args(arguments).url
    if given is None:
        with recorded_server() as url:
            main(url)
        return
    try:
        url = make_url(given)
    except (exc.ArgumentError, ValueError):
        parser.error("the URL cannot be read: write matrixone+pymysql://USER:PASSWORD@HOST:6001")
    try:
        main(url)
    except exc.OperationalError as error:
        sys.exit(f"{error.orig.args[-1] if error.orig else error}")


if __name__ == "__main__":
    run()
