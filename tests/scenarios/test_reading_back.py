"""Read snapshots and PITRs with the Inspector and Recovery: filters, privileges, and rows of other accounts."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect

from sqlalchemy_matrixone import MatrixOneArgumentError, MatrixOneInspector, PitrError, Reason, Recovery

from ..models import Order
from .client import PREFIX, clean_up, drop_accounts
from .server import Admin, Server

ACCOUNT = "sc_acc"


def names(values: list) -> set[str]:
    return {value.name for value in values if value.name.startswith(PREFIX)}


@pytest.fixture
def shop(admin: Admin) -> None:
    clean_up(admin, "sc_shop", "sc_shop2", accounts=(ACCOUNT,))
    admin.prepare(
        "snapshots and PITRs of all levels",
        "CREATE SNAPSHOT sc_cl FOR CLUSTER",
        "CREATE SNAPSHOT sc_ac FOR ACCOUNT",
        f"CREATE SNAPSHOT sc_ot FOR ACCOUNT {ACCOUNT}",
        "CREATE SNAPSHOT sc_db FOR DATABASE sc_shop",
        "CREATE SNAPSHOT sc_tb FOR TABLE sc_shop orders",
        "CREATE SNAPSHOT sc_d2 FOR DATABASE sc_shop2",
        f"CREATE PITR sc_ot FOR ACCOUNT {ACCOUNT} RANGE 1 'd'",
        "CREATE PITR sc_db FOR DATABASE sc_shop RANGE 1 'd'",
        "CREATE PITR sc_tb FOR TABLE sc_shop orders RANGE 2 'mo'",
        "CREATE PITR sc_d2 FOR DATABASE sc_shop2 RANGE 3 'h'",
    )


FILTERS = [
    ({}, {"sc_cl", "sc_ac", "sc_ot", "sc_db", "sc_tb", "sc_d2"}),
    ({"level": "cluster"}, {"sc_cl"}),
    ({"cluster": True}, {"sc_cl"}),
    ({"level": "account"}, {"sc_ac", "sc_ot"}),
    ({"account": ACCOUNT}, {"sc_ot"}),
    ({"level": "account", "account": "sys"}, {"sc_ac"}),
    ({"account": "sys"}, {"sc_ac", "sc_db", "sc_tb", "sc_d2"}),
    ({"level": "database"}, {"sc_db", "sc_d2"}),
    ({"database": "sc_shop"}, {"sc_db", "sc_tb"}),
    ({"database": "SC_Shop"}, {"sc_db", "sc_tb"}),
    ({"level": "database", "database": "sc_shop"}, {"sc_db"}),
    ({"table": "orders", "database": "sc_shop"}, {"sc_tb"}),
    ({"table": Order}, {"sc_tb"}),
    ({"table": "nowhere", "database": "sc_shop"}, set()),
]


def test_list_snapshots_filters_by_object(server: Server, admin: Admin, shop: None):
    engine = server.engine(server.url(database="sc_shop"))
    inspector = inspect(engine)
    assert isinstance(inspector, MatrixOneInspector)
    with engine.connect() as connection:
        recovery = Recovery(connection)
        for what, expected in FILTERS:
            assert names(recovery.list_snapshots(**what)) == names(inspector.get_snapshots(**what)) == expected, what
            of_pitrs = expected - {"sc_cl", "sc_ac"}
            assert names(recovery.list_pitrs(**what)) == names(inspector.get_pitrs(**what)) == of_pitrs, what
        with pytest.raises(MatrixOneArgumentError, match="none of cluster, account"):
            recovery.list_pitrs(level="schema")
    clean_up(admin)


def test_inspector_finds_snapshots_and_pitrs_by_name(server: Server, admin: Admin, shop: None):
    engine = server.engine(server.url(database="sc_shop"))
    inspector = inspect(engine)
    assert inspector.has_snapshot("SC_DB")
    assert inspector.has_pitr("sc_tb")
    assert not inspector.has_pitr("sc_cl")
    [pitr] = inspector.get_pitrs(name="sc_tb")
    assert (pitr.range, pitr.length, pitr.unit) == ("2mo", 2, "mo")
    assert inspector.get_recovery_windows(table=Order)
    assert inspector.get_recovery_windows(database="sc_shop2")
    admin("DROP PITR sc_tb")
    assert not inspector.has_pitr("sc_tb")
    clean_up(admin)


def test_list_snapshots_and_pitrs_omits_reserved_names(server: Server, admin: Admin, shop: None):
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        for value in [*recovery.list_pitrs(), *recovery.list_snapshots()]:
            assert not value.name.startswith(("sys_mo", "__mo", "ccpr_"))
        assert ("sys_mo_catalog_pitr",) in admin("SELECT pitr_name FROM mo_catalog.mo_pitr")


def test_list_snapshots_and_pitrs_of_another_account_as_sys(server: Server, admin: Admin, shop: None):
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        theirs = Recovery(connection)
        theirs.create_snapshot("sc_theirs")
        theirs.create_pitr("sc_theirs", range="1d")
        assert names(theirs.list_snapshots()) == names(theirs.list_pitrs()) == {"sc_theirs"}
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        assert {value.name for value in recovery.list_pitrs()} == {row[0] for row in admin("SHOW PITR")}
        assert {value.name for value in recovery.list_snapshots()} == {row[0] for row in admin("SHOW SNAPSHOTS")}
        assert "sc_theirs" not in names(recovery.list_pitrs()) | names(recovery.list_snapshots())
    clean_up(admin)
    drop_accounts(admin, ACCOUNT)


def test_list_pitrs_of_another_account_is_refused_in_a_transaction(server: Server, admin: Admin):
    """For PITRs it has only SHOW PITR, which the server refuses there; snapshots can be read."""
    clean_up(admin, accounts=(ACCOUNT,))
    engine = server.engine(server.url(user=f"{ACCOUNT}:admin", password="111"))
    with engine.connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_snap")
        recovery.create_pitr("sc_pitr", range="1d")
        connection.exec_driver_sql("SELECT 1")
        assert names(recovery.list_snapshots()) == {"sc_snap"}
        assert inspect(connection).has_snapshot("sc_snap")
        with pytest.raises(PitrError, match="SHOW PITR was not sent") as refusal:
            recovery.list_pitrs()
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        assert inspect(engine).has_pitr("sc_pitr")
    drop_accounts(admin, ACCOUNT)
