"""Violations of constraints and types are raised as IntegrityError and DataError, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import exc

from .client import DRIVERS, Client, drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_violations"

INTEGRITY = [
    "INSERT INTO parent (id, name) VALUES (1, 'again')",
    "INSERT INTO parent (id, name) VALUES (2, NULL)",
    "INSERT INTO parent (id) VALUES (2)",
    "UPDATE parent SET name = NULL WHERE id = 1",
    "INSERT INTO child VALUES (2, 99)",
    "UPDATE child SET parent_id = 99",
    "DELETE FROM parent WHERE id = 1",
    "UPDATE parent SET id = 9 WHERE id = 1",
]

DATA = [
    "INSERT INTO parent (id, name) VALUES (2, 'connection reset')",
    "UPDATE parent SET name = 'much too long'",
    "UPDATE parent SET name = concat(name, 'much too long')",
    "INSERT INTO parent (id, name, small) VALUES (2, 'b', 999)",
    "UPDATE parent SET small = -999",
    "INSERT INTO parent (id, name, price) VALUES (2, 'b', 99999.5)",
    "INSERT INTO parent (id, name, price) VALUES (2, 'b', 'nonsense')",
    "INSERT INTO parent (id, name, ratio) VALUES (2, 'b', 1e300)",
    "INSERT INTO parent (id, name, at) VALUES (2, 'b', 'nonsense')",
    "INSERT INTO parent (id, name, since) VALUES (2, 'b', '2020-02-31')",
    "INSERT INTO parent (id, name, stamp) VALUES (2, 'b', 'nonsense')",
    "INSERT INTO parent (id, name, bits) VALUES (2, 'b', 99)",
    "INSERT INTO parent (id, name, token) VALUES (2, 'b', 'context canceled')",
    "INSERT INTO parent (id, name, embedding) VALUES (2, 'b', '[1, 2]')",
    "INSERT INTO parent (id, name, embedding) VALUES (2, 'b', 'nonsense')",
    "UPDATE parent SET small = 1 / 0",
    "INSERT INTO parent (id, name, small) VALUES (2, 'b', 'nonsense')",
    "INSERT INTO parent (id, name, color) VALUES (2, 'b', 'blue')",
    "INSERT INTO parent (id, name, doc) VALUES (2, 'b', '{x')",
]


@pytest.fixture
def database(admin: Admin) -> Iterator[str]:
    make_databases(admin, DATABASE)
    admin.prepare(
        "tables with constraints in sc_violations",
        f"CREATE TABLE {DATABASE}.parent (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL, small TINYINT, "
        "price DECIMAL(5, 2), at DATETIME, since DATE, stamp TIMESTAMP NULL, bits BIT(4), "
        "ratio FLOAT, token UUID, embedding VECF32(3), color ENUM('red', 'green'), doc JSON)",
        f"CREATE TABLE {DATABASE}.child (id INT PRIMARY KEY, parent_id INT NOT NULL, "
        f"FOREIGN KEY (parent_id) REFERENCES {DATABASE}.parent (id))",
        f"CREATE TABLE {DATABASE}.checked (id INT PRIMARY KEY, size INT, CONSTRAINT positive CHECK (size > 0))",
        f"INSERT INTO {DATABASE}.parent (id, name, small) VALUES (1, 'a', 1)",
        f"INSERT INTO {DATABASE}.child VALUES (1, 1)",
    )
    yield DATABASE
    drop_databases(admin, DATABASE)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_constraint_violation_is_an_integrity_or_data_error(server: Server, database: str, driver: str) -> None:
    async with Client.connected(server, driver, database=database) as client:
        for statements, kind in ((INTEGRITY, exc.IntegrityError), (DATA, exc.DataError)):
            for statement in statements:
                with pytest.raises(kind) as raised:
                    await client.rows(statement)
                assert type(raised.value) is kind, statement
                assert not raised.value.connection_invalidated
                await client.rollback()
        assert await client.rows("SELECT id, name, small FROM parent") == [(1, "a", 1)]


@pytest.mark.releases(since=(4, 2))
async def test_check_constraint_violation_is_an_integrity_error(server: Server, database: str) -> None:
    async with Client.connected(server, "pymysql", database=database) as client:
        with pytest.raises(exc.IntegrityError, match="'positive' is violated"):
            await client.rows("INSERT INTO checked VALUES (1, -1)")
        await client.rollback()


async def test_sql_error_keeps_its_dbapi_class(server: Server, database: str) -> None:
    async with Client.connected(server, "pymysql", database=database) as client:
        for statement in ("SELECT nothing FROM parent", "DROP TABLE parent"):
            with pytest.raises(exc.DBAPIError) as raised:
                await client.rows(statement)
            assert not isinstance(raised.value, (exc.IntegrityError, exc.DataError)), statement
            await client.rollback()
