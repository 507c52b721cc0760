"""Run an application for mysql+pymysql://, which uses SQLAlchemy's MySQL features and changes only its URL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, DateTime, Engine, ForeignKey, Index, String, delete, func, inspect, select, update
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE = "co_moved"
BIG = BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql")
PRECISE = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (
        Index("ix_customer_name", "name", mysql_length={"name": 80}, mysql_using="btree"),
        {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": "utf8mb4_unicode_ci",
            "mysql_row_format": "DYNAMIC",
            "mysql_auto_increment": 1000,
        },
    )
    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    email: Mapped[str] = mapped_column(mysql.VARCHAR(100, charset="utf8mb4", collation="utf8mb4_bin"), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    visits: Mapped[int] = mapped_column(mysql.INTEGER(unsigned=True), server_default="0")
    active: Mapped[bool] = mapped_column(mysql.TINYINT(1), server_default="1")
    kind: Mapped[str] = mapped_column(mysql.ENUM("private", "company"), server_default="private")
    notes: Mapped[str | None] = mapped_column(mysql.LONGTEXT)
    photo: Mapped[bytes | None] = mapped_column(mysql.MEDIUMBLOB)
    settings: Mapped[dict | None] = mapped_column(mysql.JSON)
    seen: Mapped[dt.datetime | None] = mapped_column(PRECISE)
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "order"
    __table_args__ = ({"mysql_engine": "InnoDB"},)
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    customer_id: Mapped[int] = mapped_column(BIG, ForeignKey("customer.id", ondelete="CASCADE"))
    total: Mapped[float] = mapped_column(mysql.DECIMAL(10, 2))
    customer: Mapped[Customer] = relationship(back_populates="orders")


class Page(Base):
    __tablename__ = "page"
    path: Mapped[str] = mapped_column(mysql.VARCHAR(200), primary_key=True)
    title: Mapped[str] = mapped_column(mysql.TINYTEXT)
    hits: Mapped[int] = mapped_column(mysql.MEDIUMINT(unsigned=True))


@pytest.fixture
def engine(server: Server, admin: Admin) -> Iterator[Engine]:
    make_databases(admin, DATABASE)
    engine = server.engine(server.url(database=DATABASE))
    Base.metadata.create_all(engine)
    yield engine
    drop_databases(admin, DATABASE)


def test_mysql_models_are_reflected_as_declared(engine: Engine):
    inspector = inspect(engine)
    types = {column["name"]: column["type"].compile(engine.dialect) for column in inspector.get_columns("customer")}
    assert types["id"] == "BIGINT UNSIGNED"
    assert types["seen"] == "DATETIME(6)"
    assert [index["name"] for index in inspector.get_indexes("customer")] == ["email", "ix_customer_name"]
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_mysql_models_round_trip_unchanged(engine: Engine):
    with Session(engine) as session:
        first = Customer(
            email="a@example.org",
            name="A",
            notes="n" * 70_000,
            photo=bytes(range(256)),
            settings={"a": [1, None]},
            seen=MOMENT,
            orders=[Order(total=1.5), Order(total=2)],
        )
        session.add_all((first, Customer(email="b@example.org", name="B", kind="company")))
        session.commit()
        assert first.id == 1000
        session.expunge_all()
        found = session.scalars(select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)).all()
        assert [(c.id, c.kind, bool(c.active), c.visits) for c in found] == [
            (1000, "private", True, 0),
            (1001, "company", True, 0),
        ]
        assert (found[0].notes, found[0].photo) == ("n" * 70_000, bytes(range(256)))
        assert (found[0].settings, found[0].seen) == ({"a": [1, None]}, MOMENT)
        assert sorted(order.total for order in found[0].orders) == [1.5, 2]
        session.delete(found[0])
        session.commit()
        assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_mysql_statements_have_the_same_effect(engine: Engine):
    rows = [{"email": f"{n}@example.org", "name": str(n)} for n in range(5)]
    with engine.begin() as connection:
        connection.execute(insert(Customer), rows)
        connection.execute(update(Customer).values(active=False).with_dialect_options(mysql_limit=2))
        connection.execute(delete(Customer).where(Customer.active).with_dialect_options(mysql_limit=1))
        connection.execute(select(Customer.id).where(Customer.id == 1000).with_for_update()).one()
        found = connection.execute(select(Customer.name, Customer.active).order_by(Customer.id)).all()
    assert len(found) == 4
    assert sum(not active for _, active in found) == 2


def test_mysql_multi_table_statements_have_the_same_effect(engine: Engine):
    with Session(engine) as session:
        first = Customer(email="a@example.org", name="A", orders=[Order(total=1), Order(total=5)])
        second = Customer(email="b@example.org", name="B")
        session.add_all((first, second))
        session.flush()
        session.execute(update(Customer).values(name="bought").where(Customer.id == Order.customer_id, Order.total > 4))
        assert (first.name, second.name) == ("bought", "B")
        session.execute(
            delete(Order).where(Order.customer_id == Customer.id, Customer.name == "bought", Order.total > 4)
        )
        session.refresh(first)
        assert [order.total for order in first.orders] == [1]


def test_mysql_upserts_have_the_same_effect(engine: Engine):
    hit = insert(Page).values([{"path": "/", "hits": 1, "title": "a"}, {"path": "/b", "hits": 1, "title": "b"}])
    hit = hit.on_duplicate_key_update(hits=Page.hits + hit.inserted.hits, title=hit.inserted.title)
    with Session(engine) as session:
        session.add(Page(path="/", title="old", hits=6))
        session.commit()
        session.execute(hit)
        session.execute(insert(Page).prefix_with("IGNORE", dialect="mysql").values(path="/", title="x", hits=0))
        session.commit()
        found = session.execute(select(Page.path, Page.title, Page.hits).order_by(Page.path)).all()
    assert found == [("/", "a", 7), ("/b", "b", 1)]
