"""Create accounts with a password that works, alter and drop them."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from sqlalchemy_matrixone import AccountError, AlterAccount, CreateAccount, DropAccount, Reason

from .client import DRIVERS, Client
from .server import Admin, Server

ACCOUNT = "sc-tenant"
PASSWORD = 'it\'s %s \\ "secret" 100%'
LIST = f"SELECT status, comments FROM mo_catalog.mo_account WHERE account_name = '{ACCOUNT}'"


def log_in(server: Server, password: str) -> None:
    with server.engine(server.url(user=f"{ACCOUNT}#admin", password=password)).connect():
        pass


@pytest.mark.parametrize("driver", DRIVERS)
async def test_account_is_created_altered_and_dropped_by_each_driver(server: Server, admin: Admin, driver: str):
    admin.unrecorded(f"DROP ACCOUNT IF EXISTS `{ACCOUNT}`")
    async with Client.connected(server, driver) as client:
        await client.execute(CreateAccount(ACCOUNT, admin_name="admin", password=PASSWORD, comment="it's 100%"))
        assert admin(LIST) == [("open", "it's 100%")]
        log_in(server, PASSWORD)
        with pytest.raises(AccountError, match="exist") as refused:
            await client.execute(CreateAccount(ACCOUNT, admin_name="admin", password=PASSWORD))
        assert refused.value.reason is Reason.EXISTS
        await client.execute(CreateAccount(ACCOUNT, admin_name="admin", password="other", if_not_exists=True))
        await client.execute(AlterAccount(ACCOUNT, admin_name="admin", password="new" + PASSWORD))
        log_in(server, "new" + PASSWORD)
        await client.execute(AlterAccount(ACCOUNT, status="suspend"))
        await client.execute(AlterAccount(ACCOUNT, comment="closed"))
        assert admin(LIST) == [("suspend", "closed")]
        with pytest.raises(OperationalError):
            log_in(server, "new" + PASSWORD)
        await client.execute(DropAccount(ACCOUNT))
        await client.execute(DropAccount(ACCOUNT, if_exists=True))
        with pytest.raises(AccountError) as missing:
            await client.execute(DropAccount(ACCOUNT))
        assert missing.value.reason is Reason.NOT_FOUND
    assert admin(LIST) == []


async def test_account_within_a_transaction_is_refused_before_it_is_sent(server: Server, admin: Admin):
    async with Client.connected(server, "pymysql") as client:
        await client.sql("SELECT 1")
        with pytest.raises(AccountError, match="was not sent") as refused:
            await client.execute(DropAccount(ACCOUNT, if_exists=True))
        assert refused.value.reason is Reason.ACTIVE_TRANSACTION
        await client.rollback()
        await client.execute(DropAccount(ACCOUNT, if_exists=True))
        await client.execute(DropAccount(ACCOUNT, if_exists=True))
