"""Use the constructs on a mysql+pymysql:// engine, for applications that have not changed their URL yet."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import exc, inspect

from sqlalchemy_matrixone import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    MatrixOneArgumentError,
    Recovery,
    RestorePitr,
    RestoreSnapshot,
)

from ..models import Order
from .client import clean_up, moment
from .server import Admin, Server


def test_recovery_constructs_run_on_a_plain_mysql_engine(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    url = server.url(database="sc_shop").set(drivername="mysql+pymysql")
    with server.engine(url).connect() as connection:
        for construct in (
            CreateSnapshot("sc_%snap", table=Order),
            CreatePitr("sc_pitr", range="1d", database="sc_shop"),
            AlterPitr("sc_pitr", range="2h"),
        ):
            connection.execute(construct)
            connection.commit()
        before = moment(server, admin).strftime("%Y-%m-%d %H:%M:%S")
        admin("DELETE FROM sc_shop.orders")
        connection.execute(RestoreSnapshot("sc_%snap", account="sys", table=Order))
        connection.commit()
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM sc_shop.orders").scalar() == 2
        connection.commit()
        admin("DELETE FROM sc_shop.orders")
        connection.execute(RestorePitr("sc_pitr", server_time=before, table=Order))
        connection.commit()
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM sc_shop.orders").scalar() == 2
        connection.commit()
        for construct in (DropPitr("sc_pitr"), DropSnapshot("sc_%snap")):
            connection.execute(construct)
            connection.commit()


def test_recovery_on_a_plain_mysql_engine_names_the_needed_url(server: Server, admin: Admin):
    engine = server.engine(server.url().set(drivername="mysql+pymysql"))
    with engine.connect() as connection:
        with pytest.raises(exc.CompileError, match="connected matrixone engine"):
            connection.execute(RestorePitr("p", timestamp=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), database="d"))
        with pytest.raises(MatrixOneArgumentError, match=r"needs an engine of matrixone\+pymysql://"):
            Recovery(connection).list_pitrs()
        with pytest.raises(MatrixOneArgumentError, match=r"needs an engine of matrixone\+pymysql://"):
            Recovery(connection).drop_pitr("sc_pitr")
        assert not hasattr(inspect(connection), "get_pitrs")


@pytest.mark.releases(until=(4, 0))
def test_restore_on_a_plain_mysql_engine_needs_account_before_4_0(server: Server, admin: Admin):
    engine = server.engine(server.url().set(drivername="mysql+pymysql"))
    with engine.connect() as connection, pytest.raises(exc.CompileError, match="pass account="):
        connection.execute(RestoreSnapshot("sc_snap", database="sc_shop"))
