"""Clone a database as it was into a scratch database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import (
    AsyncRecovery,
    BranchError,
    MatrixOneCompileError,
    Reason,
    Recovery,
    RecoveryError,
    RecoveryWarning,
)

from .client import clean_up, moment
from .server import Admin, Server

SHOP = "sc_rehearsed"
SNAPSHOT = "sc_rehearsed_snap"
clones = pytest.mark.releases(since=(3, 0))


@pytest.fixture
def shop(admin: Admin) -> Iterator[None]:
    clean_up(admin, SHOP)
    for (name,) in admin.unrecorded("SHOW DATABASES"):
        if name.startswith(f"{SHOP}__"):
            admin.unrecorded(f"DROP DATABASE `{name}`")
    admin(f"CREATE SNAPSHOT {SNAPSHOT} FOR DATABASE {SHOP}")
    yield
    clean_up(admin)
    admin(f"DROP DATABASE {SHOP}")


def scratch_databases(admin: Admin) -> list[str]:
    return [name for (name,) in admin("SHOW DATABASES") if name.startswith(f"{SHOP}__")]


@clones
@pytest.mark.usefixtures("shop")
def test_rehearsal_of_a_snapshot_leaves_the_transaction_alone(server: Server, admin: Admin):
    with Session(server.engine(server.url(database=SHOP))) as session:
        session.execute(text("DELETE FROM orders WHERE id = 1"))
        with Recovery(session).rehearsal(database=SHOP, snapshot=SNAPSHOT) as scratch:
            assert scratch_databases(admin) == [scratch]
            assert session.scalar(text(f"SELECT COUNT(*) FROM {scratch}.orders")) == 2
        assert scratch_databases(admin) == []
        session.rollback()
        assert session.scalar(text("SELECT COUNT(*) FROM orders")) == 2


@clones
@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_asynchronous_rehearsal_of_an_instant(server: Server, admin: Admin, driver: str):
    before = moment(server, admin)
    admin(f"DROP TABLE {SHOP}.orders")
    async with AsyncSession(server.async_engine(driver)) as session:
        recovery = AsyncRecovery(session)
        async with recovery.rehearsal(database=SHOP, timestamp=before) as scratch:
            assert await session.scalar(text(f"SELECT COUNT(*) FROM {scratch}.orders")) == 2
        assert scratch_databases(admin) == []
        with pytest.raises(ZeroDivisionError):
            async with recovery.rehearsal(database=SHOP, snapshot=SNAPSHOT):
                raise ZeroDivisionError
    assert scratch_databases(admin) == []


@clones
@pytest.mark.usefixtures("shop")
def test_scratch_database_is_dropped_after_an_error(server: Server, admin: Admin):
    with (
        server.engine().connect() as connection,
        pytest.raises(ZeroDivisionError),
        Recovery(connection).rehearsal(database=SHOP.upper(), snapshot=SNAPSHOT),
    ):
        raise ZeroDivisionError
    assert scratch_databases(admin) == []


@clones
@pytest.mark.usefixtures("shop")
def test_scratch_database_that_an_open_transaction_has_written_to_is_named(server: Server, admin: Admin):
    written: list[str] = []

    def write(connection: Connection) -> None:
        with Recovery(connection).rehearsal(database=SHOP, snapshot=SNAPSHOT) as scratch:
            connection.execute(text(f"DELETE FROM {scratch}.orders WHERE id = 1"))
            written.append(scratch)

    def write_and_fail(connection: Connection) -> None:
        with Recovery(connection).rehearsal(database=SHOP, snapshot=SNAPSHOT) as scratch:
            connection.execute(text(f"DELETE FROM {scratch}.orders WHERE id = 1"))
            written.append(scratch)
            raise ZeroDivisionError

    with server.engine().connect() as connection:
        with pytest.raises(RecoveryError, match="was not dropped, because an open transaction") as refused:
            write(connection)
        assert refused.value.reason is Reason.ACTIVE_TRANSACTION
        with pytest.raises(ZeroDivisionError) as error:
            write_and_fail(connection)
        assert written[1] in error.value.__notes__[0]
        connection.rollback()
    assert sorted(scratch_databases(admin)) == sorted(written)
    for name in written:
        admin(f"DROP DATABASE {name}")


@clones
@pytest.mark.usefixtures("shop")
def test_rehearsal_of_unprotected_past_warns_and_of_none_is_refused(server: Server, admin: Admin):
    recovery = Recovery(server.engine().connect())
    old = moment(server, admin) - dt.timedelta(days=9)
    with (
        pytest.warns(RecoveryWarning, match="no PITR or snapshot keeps"),
        pytest.raises(BranchError),
        recovery.rehearsal(database=SHOP, timestamp=old),
    ):
        pass
    with pytest.raises(BranchError), recovery.rehearsal(database=SHOP, snapshot="sc_no_such_snapshot"):
        pass
    assert scratch_databases(admin) == []


@pytest.mark.releases(until=(3, 0))
@pytest.mark.usefixtures("shop")
def test_rehearsal_before_3_0_names_the_release_that_has_it(server: Server):
    with (
        server.engine().connect() as connection,
        pytest.raises(MatrixOneCompileError, match=r"needs MatrixOne 3\.0\.0 or later"),
        Recovery(connection).rehearsal(database=SHOP, snapshot=SNAPSHOT),
    ):
        pass
