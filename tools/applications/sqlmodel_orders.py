"""SQLModel: tables, relationships, and the usual queries."""

import datetime as dt
import enum
import uuid
from decimal import Decimal

from checks import check, run
from pydantic import NaiveDatetime
from sqlalchemy import JSON, Column, func
from sqlmodel import Field, Relationship, Session, SQLModel, col, create_engine, select


class Kind(enum.Enum):
    private = "private"
    company = "company"


class Customer(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    name: str = Field(index=True, unique=True, max_length=40)
    kind: Kind = Kind.private
    active: bool = True
    settings: dict = Field(default_factory=dict, sa_column=Column(JSON))
    since: NaiveDatetime = Field(default_factory=lambda: dt.datetime(2026, 1, 2, 3, 4, 5))
    orders: list["Order"] = Relationship(back_populates="customer", cascade_delete=True)


class Order(SQLModel, table=True):
    __tablename__ = "orders"
    id: int | None = Field(default=None, primary_key=True)
    total: Decimal = Field(max_digits=8, decimal_places=2)
    customer_id: uuid.UUID = Field(foreign_key="customer.id", ondelete="CASCADE")
    customer: Customer = Relationship(back_populates="orders")


@check
def create(url: str) -> None:
    """creates tables, and rows with their relationships"""
    engine = create_engine(url)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Customer(name="Ada", settings={"a": [1]}, orders=[Order(total=Decimal("9.50")), Order(total=1)]))
        session.add(Customer(name="Charles", kind=Kind.company, active=False))
        session.commit()


@check
def query(url: str) -> None:
    """selects, joins, groups, and reads every type as it was"""
    with Session(create_engine(url)) as session:
        ada = session.exec(select(Customer).where(Customer.name == "Ada")).one()
        assert (ada.kind, ada.active, ada.settings, ada.since.second) == (Kind.private, True, {"a": [1]}, 5)
        assert isinstance(ada.id, uuid.UUID)
        totals = select(Customer.name, func.sum(Order.total)).join(Order).group_by(Customer.name)
        assert session.exec(totals).all() == [("Ada", Decimal("10.50"))]
        assert len(session.exec(select(Customer).order_by(col(Customer.name).desc()).offset(1).limit(5)).all()) == 1


@check
def change(url: str) -> None:
    """updates, and deletes with the cascade"""
    engine = create_engine(url)
    with Session(engine) as session:
        ada = session.exec(select(Customer).where(Customer.name == "Ada")).one()
        ada.sqlmodel_update({"active": False})
        session.add(ada)
        session.commit()
        session.refresh(ada)
        assert ada.active is False
        session.delete(ada)
        session.commit()
        assert session.exec(select(func.count()).select_from(Order)).one() == 0


run("sqlmodel")
