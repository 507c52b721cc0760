"""The models of a small shop, and how far back their data can be restored."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    # Any point in time of the last three months can be restored, in the whole database of these tables.
    metadata = MetaData(info={"matrixone_pitr": "3mo"})


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", name="fk_orders_customer"))
    ordered_at: Mapped[dt.datetime]
    price_in_cents: Mapped[int]
