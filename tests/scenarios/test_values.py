"""Values of every type are stored, compared and returned unchanged."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import mysql

from sqlalchemy_matrixone.core.release import Feature
from sqlalchemy_matrixone.types import DATALINK, UUID, VECBF16, VECF16, VECF32, VECF64, VECINT8, VECUINT8, Vector

from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE = "co_values"
SOME_UUID = uuid.UUID("6d1c6a3e-8d5f-4c0e-9a55-0d0d7f1d3c11")
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


VALUES: list[tuple[sa.types.TypeEngine[Any], Any]] = [
    (sa.Boolean(), True),
    (sa.Boolean(), False),
    (sa.SmallInteger(), -3),
    (mysql.TINYINT(unsigned=True), 255),
    (mysql.MEDIUMINT(), -8388608),
    (mysql.INTEGER(unsigned=True), 4294967295),
    (mysql.BIGINT(unsigned=True), 2**64 - 1),
    (sa.Float(), 1.5),
    (mysql.FLOAT(7, 3), 1.125),
    (sa.Double(53), 0.1),
    (sa.Double(), 1e300),
    (mysql.DOUBLE(10, 2, asdecimal=False), 1.25),
    (sa.Numeric(10, 2), Decimal("1.50")),
    (sa.Numeric(10, 2, asdecimal=False), 1.5),
    (sa.DECIMAL(38, 10), Decimal("12345678901234567890.0123456789")),
    (sa.String(20), "é%'\\😀"),
    (sa.CHAR(5), "ab"),
    (mysql.LONGTEXT(), "x" * 300),
    (sa.LargeBinary(), bytes(range(256))),
    (sa.BINARY(4), b"ab\0\0"),
    (sa.VARBINARY(20), b"\xff\0'"),
    (sa.JSON(), {"a": [1, None, "é", 1.5, True]}),
    (sa.Date(), dt.date(2026, 2, 28)),
    (sa.Time(), dt.time(1, 2, 3)),
    (mysql.TIME(fsp=6), dt.time(1, 2, 3, 4)),
    (sa.DateTime(), MOMENT),
    (mysql.DATETIME(fsp=6), MOMENT.replace(microsecond=6)),
    (mysql.TIMESTAMP(fsp=3), MOMENT.replace(microsecond=6000)),
    (sa.Interval(), dt.timedelta(days=1, seconds=3)),
    (mysql.BIT(8), 5),
    (mysql.BIT(64), 2**63 + 1),
    (sa.Enum("a", "it's"), "it's"),
    (sa.Enum(Color), Color.BLUE),
    (mysql.ENUM("x", "y"), "y"),
    (mysql.SET("b", "a", "c"), {"a", "c"}),
    (mysql.SET("b", "a"), set()),
    (mysql.SET("b", "a", retrieve_as_bitwise=True), {"b"}),
    (mysql.YEAR(), 2026),
    (sa.Uuid(), SOME_UUID),
    (sa.Uuid(as_uuid=False), str(SOME_UUID)),
    (UUID(), SOME_UUID),
    (DATALINK(), "file:///tmp/x.txt"),
    (VECF32(3), [1.0, 2.5, -3.0]),
    (VECF64(2), [0.1, 1e300]),
    (VECF16(2), [1.0, 0.5]),
    (VECBF16(2), [1.0, 0.5]),
    (VECINT8(2), [1, -2]),
    (VECUINT8(2), [1, 255]),
]


def _lacks(release: tuple[int, ...], type_: Any) -> bool:
    if isinstance(type_, Vector):
        return type_.feature is not None and not type_.feature.in_release(release)
    if isinstance(type_, mysql.SET) and type_.retrieve_as_bitwise and Feature.SET_AS_TEXT.in_release(release):
        return not Feature.SET_AS_NUMBER.in_release(release)
    features = {mysql.SET: Feature.SET, mysql.YEAR: Feature.YEAR}
    return type(type_) in features and not features[type(type_)].in_release(release)


def _compares(release: tuple[int, ...], type_: Any) -> bool:
    """Return whether the server can compare the type with anything."""
    if isinstance(type_, mysql.YEAR):
        return release >= (4, 0)
    return not isinstance(type_, (DATALINK, sa.JSON))


@pytest.fixture
def database(admin: Admin) -> Iterator[str]:
    make_databases(admin, DATABASE)
    yield DATABASE
    drop_databases(admin, DATABASE)


def check(connection: Connection, release: tuple[int, ...]) -> None:
    for number, (type_, value) in enumerate(VALUES):
        if _lacks(release, type_):
            continue
        table = sa.Table(
            f"t{number}", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("v", type_)
        )
        table.create(connection)
        connection.execute(table.insert(), {"v": value})
        connection.execute(table.insert(), [{"v": value}, {"v": None}])
        found = connection.scalars(sa.select(table.c.v).order_by(table.c.id)).all()
        assert (found, type(found[0])) == ([value, value, None], type(value)), type_
        if _compares(release, type_):
            for same in (table.c.v == value, table.c.v.in_([value])):
                assert connection.scalar(sa.select(sa.func.count()).where(same)) == 2, same
        connection.commit()


# SQLAlchemy's own BIT and YEAR.
pytestmark = pytest.mark.filterwarnings("ignore:Type object .* does not refer to an OperatorClass")


def test_values_of_every_type_round_trip(server: Server, database: str):
    with server.engine(server.url(database=database)).connect() as connection:
        check(connection, server.release)


@pytest.mark.releases(since=(4, 2))
@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_values_of_every_type_round_trip_with_an_async_engine(server: Server, database: str, driver: str):
    async with server.async_engine(driver, server.url(driver, database=database)).connect() as connection:
        await connection.run_sync(check, server.release)


@pytest.mark.releases(since=(4, 2))
def test_bytes_are_not_sent_as_text(server: Server, database: str):
    blobs = sa.Table("blobs", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("v", sa.BLOB))
    large = b"\xff" * 65_536
    with server.engine(server.url(database=database)).begin() as connection:
        blobs.create(connection)
        connection.execute(blobs.insert(), [{"id": 1, "v": large}, {"id": 2, "v": None}])
        assert connection.scalars(sa.select(blobs.c.id).where(blobs.c.v == large)).all() == [1]
        assert connection.scalars(sa.select(sa.func.coalesce(blobs.c.v, b"\xfe")).where(blobs.c.id == 2)).all() == [
            b"\xfe"
        ]


def test_columns_combined_with_bound_values_keep_their_type(server: Server, database: str):
    values = {
        sa.Date(): dt.date(2026, 1, 2),
        sa.DateTime(): MOMENT,
        mysql.DATETIME(fsp=6): MOMENT.replace(microsecond=6),
        sa.TIMESTAMP(): MOMENT,
        sa.Time(): dt.time(1, 2, 3),
        mysql.TIME(fsp=6): dt.time(1, 2, 3, 4),
        sa.Interval(): dt.timedelta(days=1, seconds=3),
        mysql.BIT(8): 5,
    }
    with server.engine(server.url(database=database)).begin() as connection:
        for number, (type_, value) in enumerate(values.items()):
            table = sa.Table(f"c{number}", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("v", type_))
            table.create(connection)
            connection.execute(table.insert(), [{"id": 1, "v": value}, {"id": 2, "v": None}])
            combined = sa.func.coalesce(table.c.v, value), sa.case((table.c.id == 2, sa.literal(value, type_)))
            found = connection.execute(sa.select(*combined).order_by(table.c.id)).all()
            assert [tuple(row) for row in found] == [(value, None), (value, value)], type_


def test_quotient_of_integers_is_a_decimal(server: Server, database: str):
    with server.engine(server.url(database=database)).begin() as connection:
        quotient = connection.scalar(sa.select(sa.literal(7) / sa.literal(2)))
        assert (quotient, type(quotient)) == (Decimal("3.5"), Decimal)
        assert connection.scalar(sa.select(sa.literal(-7) // sa.literal(2))) == -4
