"""Put back, refuse or report what a restore would lose."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import exc, text
from sqlalchemy.engine import Connection

from sqlalchemy_matrixone import Reason, Recovery, RestoreError, RestoreSnapshot, RestoreWarning
from sqlalchemy_matrixone.core.release import UNRELEASED
from sqlalchemy_matrixone.recovery import preservation

from .client import clean_up, drop_accounts, drop_databases
from .server import Admin, Server

ACCOUNT, SUBSCRIBER = "sc_keep", "sc_subscriber"
SHOP = "shop"
SET_UP = (
    f"CREATE DATABASE {SHOP}",
    f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY, note VARCHAR(40))",
    f"INSERT INTO {SHOP}.orders VALUES (1, 'first')",
    f"CREATE TABLE {SHOP}.secret (id INT PRIMARY KEY)",
    "CREATE ROLE clerk",
    "CREATE USER u IDENTIFIED BY '111'",
    "GRANT clerk TO u",
    "GRANT CONNECT ON ACCOUNT * TO clerk",
)
LEVELS = ["table", "database", "account"]
TARGETS: dict[str, dict[str, Any]] = {
    "table": {"table": "orders", "database": SHOP},
    "database": {"database": SHOP},
    "account": {"account": ACCOUNT},
}


@pytest.fixture
def connection(server: Server, admin: Admin) -> Iterator[Connection]:
    clean_up(admin, accounts=(ACCOUNT,))
    engine = server.engine(server.url(user=f"{ACCOUNT}:admin", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        run(connection, *SET_UP)
        yield connection
    admin(f"DROP ACCOUNT {ACCOUNT}")


def run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def snapshot(connection: Connection, level: str) -> None:
    Recovery(connection).create_snapshot("sc_keep", **({} if level == "account" else {"database": SHOP}))


def restore(connection: Connection, level: str, **kw: Any) -> None:
    Recovery(connection).restore_snapshot("sc_keep", **TARGETS[level], **kw)


@contextmanager
def user(server: Server) -> Iterator[Connection]:
    engine = server.engine(server.url(user=f"{ACCOUNT}:u:clerk", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("level", LEVELS)
def test_restore_puts_back_grants_on_restored_objects(server: Server, connection: Connection, level: str) -> None:
    run(
        connection,
        f"GRANT SELECT, INSERT ON TABLE {SHOP}.orders TO clerk",
        f"GRANT CREATE TABLE ON DATABASE {SHOP} TO clerk WITH GRANT OPTION",
    )
    snapshot(connection, level)
    restore(connection, level)
    with user(server) as u:
        run(u, f"INSERT INTO {SHOP}.orders VALUES (2, 'second')", f"CREATE TABLE {SHOP}.mine (id INT PRIMARY KEY)")
        assert u.exec_driver_sql(f"SELECT COUNT(*) FROM {SHOP}.orders").scalar() == 2
        with pytest.raises(exc.DBAPIError, match="privilege"):
            run(u, f"SELECT * FROM {SHOP}.secret")
        with pytest.raises(exc.DBAPIError, match="privilege"):
            run(u, f"DELETE FROM {SHOP}.orders")


def test_restore_that_may_lose_grants_does_not_put_them_back(server: Server, connection: Connection) -> None:
    run(connection, f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk")
    snapshot(connection, "table")
    restore(connection, "table", lose=("grants",))
    with user(server) as u, pytest.raises(exc.DBAPIError, match="privilege"):
        run(u, f"SELECT * FROM {SHOP}.orders")


def test_restore_puts_back_each_kind_of_grant(server: Server, connection: Connection) -> None:
    grants = [
        f"SELECT, UPDATE ON TABLE {SHOP}.orders",
        f"OWNERSHIP ON TABLE {SHOP}.orders",
        f"ALL ON TABLE {SHOP}.secret",
        f"DELETE ON TABLE {SHOP}.*",
        f"ALL ON DATABASE {SHOP}",
        f"OWNERSHIP ON DATABASE {SHOP}",
        f"SHOW TABLES, CREATE VIEW ON DATABASE {SHOP}",
    ]
    if server.release >= (3, 0):
        grants.append(f"SELECT ON VIEW {SHOP}.v")
    run(connection, f"CREATE VIEW {SHOP}.v AS SELECT id FROM {SHOP}.orders")
    run(connection, *(f"GRANT {grant} TO clerk" for grant in grants))
    before = effective(connection)
    assert len(before) == len(grants) + 2
    snapshot(connection, "database")
    restore(connection, "database")
    assert effective(connection) == before


def effective(connection: Connection) -> set[tuple[str, ...]]:
    """Return the privileges on objects that exist."""
    rows = connection.exec_driver_sql(
        "SELECT p.obj_type, t.relname, p.privilege_name FROM mo_catalog.mo_role_privs AS p "
        "JOIN mo_catalog.mo_tables AS t ON t.rel_id = p.obj_id WHERE p.role_name = 'clerk' "
        "AND p.obj_type <> 'database' AND t.reldatabase = 'shop' "
        "UNION SELECT p.obj_type, d.datname, p.privilege_name FROM mo_catalog.mo_role_privs AS p "
        "JOIN mo_catalog.mo_database AS d ON d.dat_id = p.obj_id WHERE p.role_name = 'clerk' AND d.datname = 'shop'"
    )
    return {tuple(row) for row in rows}


@pytest.mark.parametrize("since", ["DROP TABLE shop.orders", "TRUNCATE TABLE shop.orders", "DELETE FROM shop.orders"])
def test_restore_of_a_replaced_table_puts_back_its_grants(server: Server, connection: Connection, since: str) -> None:
    run(connection, f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk", f"GRANT SELECT ON TABLE {SHOP}.secret TO clerk")
    snapshot(connection, "database")
    run(connection, f"REVOKE SELECT ON TABLE {SHOP}.secret FROM clerk", since)
    restore(connection, "database")
    with user(server) as u:
        assert u.exec_driver_sql(f"SELECT COUNT(*) FROM {SHOP}.orders").scalar() == 1
        with pytest.raises(exc.DBAPIError, match="privilege"):
            run(u, f"SELECT * FROM {SHOP}.secret")


@pytest.mark.parametrize("level", ["database", "account"])
def test_restore_creates_sequences_again_with_their_values(connection: Connection, level: str, caplog: Any) -> None:
    run(
        connection,
        f"USE {SHOP}",
        "CREATE SEQUENCE called INCREMENT BY 5 START WITH 10",
        "SELECT NEXTVAL('called')",
        "SELECT NEXTVAL('called')",
        "CREATE SEQUENCE fresh AS INT INCREMENT BY -2 MINVALUE -50 MAXVALUE 0 START WITH -3 CYCLE",
        "CREATE SEQUENCE `my-seq` AS SMALLINT UNSIGNED",
    )
    names = ("called", "fresh", "`my-seq`")
    before = {name: connection.exec_driver_sql(f"SELECT * FROM {name}").one() for name in names}
    types = connection.exec_driver_sql("SHOW SEQUENCES").all()
    snapshot(connection, level)
    run(connection, "SELECT NEXTVAL('called')", "DROP SEQUENCE fresh", "CREATE SEQUENCE later")
    with caplog.at_level(logging.INFO, "sqlalchemy_matrixone.recovery"):
        restore(connection, level)
    assert "put back after the restore: CREATE SEQUENCE IF NOT EXISTS `shop`.`called`" in caplog.text
    run(connection, f"USE {SHOP}")
    assert {name: connection.exec_driver_sql(f"SELECT * FROM {name}").one() for name in names} == before
    assert sorted(connection.exec_driver_sql("SHOW SEQUENCES").all()) == sorted(types)
    assert connection.exec_driver_sql("SELECT NEXTVAL('called')").scalar() == "20"
    assert connection.exec_driver_sql("SELECT NEXTVAL('fresh')").scalar() == "-3"


@pytest.mark.parametrize("level", LEVELS)
def test_restore_puts_back_publications_and_subscribers_read_on(
    server: Server, admin: Admin, connection: Connection, level: str
) -> None:
    admin(f"DROP ACCOUNT IF EXISTS {SUBSCRIBER}")
    admin(f"CREATE ACCOUNT {SUBSCRIBER} ADMIN_NAME 'admin' IDENTIFIED BY '111'")
    run(
        connection,
        f"CREATE PUBLICATION some DATABASE {SHOP} TABLE orders, secret ACCOUNT {SUBSCRIBER} COMMENT 'some tables'",
        f"CREATE PUBLICATION whole DATABASE {SHOP} ACCOUNT {SUBSCRIBER}",
    )
    engine = server.engine(server.url(user=f"{SUBSCRIBER}:admin", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as subscriber:
        run(subscriber, f"CREATE DATABASE some FROM {ACCOUNT} PUBLICATION some")
        snapshot(connection, level)
        restore(connection, level)
        assert subscriber.exec_driver_sql("SELECT note FROM some.orders").scalars().all() == ["first"]
        run(subscriber, "DROP DATABASE some")
    shown = connection.exec_driver_sql("SHOW PUBLICATIONS").all()
    run(connection, "DROP PUBLICATION some", "DROP PUBLICATION whole")
    admin(f"DROP ACCOUNT {SUBSCRIBER}")
    assert sorted((row[0], row[1], set(row[2].split(",")), row[3], row[7]) for row in shown) == [
        ("some", SHOP, {"orders", "secret"}, SUBSCRIBER, "some tables"),
        ("whole", SHOP, {"*"}, SUBSCRIBER, ""),
    ]


@pytest.mark.releases(since=(3, 0))
def test_restore_of_the_cluster_keeps_publications_of_sys(server: Server, admin: Admin) -> None:
    clean_up(admin, "sc_shop", accounts=(SUBSCRIBER,))
    admin(f"CREATE PUBLICATION sc_orders DATABASE sc_shop ACCOUNT {SUBSCRIBER}")
    engine = server.engine(server.url(user=f"{SUBSCRIBER}:admin", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as subscriber:
        run(subscriber, "CREATE DATABASE orders FROM sys PUBLICATION sc_orders")
    with server.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as sys:
        Recovery(sys).create_snapshot("sc_keep", cluster=True)
        run(sys, "DELETE FROM sc_shop.orders WHERE id = 1")
        with pytest.warns(RestoreWarning, match="all other accounts"):
            Recovery(sys).restore_snapshot("sc_keep", cluster=True)
        published = [row[0] for row in sys.exec_driver_sql("SHOW PUBLICATIONS").all()]
    engine.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as subscriber:
        read = subscriber.exec_driver_sql("SELECT COUNT(*) FROM orders.orders").scalar()
        run(subscriber, "DROP DATABASE orders")
    admin("DROP PUBLICATION sc_orders")
    admin(f"DROP ACCOUNT {SUBSCRIBER}")
    drop_databases(admin, "sc_shop")
    assert (published, read) == (["sc_orders"], 2)


PUBLICATIONS = {
    "dropped account": (
        ["CREATE PUBLICATION sc_orders DATABASE sc_shop ACCOUNT {0}", "DROP ACCOUNT {0}"],
        r"`sc_orders` of account sys \(its accounts no longer exist\)",
    ),
    "dropped table": (
        ["CREATE PUBLICATION sc_orders DATABASE sc_shop TABLE orders ACCOUNT {0}", "DROP TABLE sc_shop.orders"],
        r"`sc_orders` of account sys \(its tables no longer exist\)",
    ),
    "quoted name": (
        ["CREATE PUBLICATION `sc-orders` DATABASE sc_shop ACCOUNT {0}"],
        r"`sc-orders` of account sys \(the name 'sc-orders' would need quotes\)",
    ),
    "reserved word": (
        [
            "CREATE TABLE sc_shop.`order` (id INT PRIMARY KEY)",
            "CREATE PUBLICATION sc_orders DATABASE sc_shop TABLE `order` ACCOUNT {0}",
        ],
        r"`sc_orders` of account sys \(the name 'order' would need quotes\)",
    ),
    "comment": (
        ["CREATE PUBLICATION sc_orders DATABASE sc_shop ACCOUNT {0} COMMENT 'it''s'"],
        r"`sc_orders` of account sys \(a quote or backslash in its comment\)",
    ),
}


@pytest.mark.parametrize("kind", PUBLICATIONS)
def test_restore_of_the_cluster_that_cannot_publish_again_names_the_publication(
    server: Server, admin: Admin, kind: str
) -> None:
    if kind == "comment" and server.release < (4, 0):
        pytest.skip("2.2 and 3.0 refuse a quote in a comment")
    clean_up(admin, "sc_shop", accounts=(SUBSCRIBER,))
    statements, message = PUBLICATIONS[kind]
    for statement in statements:
        admin(statement.format(SUBSCRIBER))
    with server.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as sys:
        recovery = Recovery(sys)
        recovery.create_snapshot("sc_keep", cluster=True)
        admin("CREATE TABLE sc_shop.later (id INT PRIMARY KEY)")
        with pytest.raises(RestoreError, match=f"nothing was changed: .*{message}") as refused:
            recovery.restore_snapshot("sc_keep", cluster=True)
        assert (refused.value.reason, refused.value.done) == (Reason.UNSUPPORTED, False)
        assert admin("SELECT * FROM sc_shop.later") == []
    admin(f"DROP PUBLICATION `{'sc-orders' if kind == 'quoted name' else 'sc_orders'}`")
    admin(f"DROP ACCOUNT IF EXISTS {SUBSCRIBER}")
    drop_databases(admin, "sc_shop")


def test_restore_of_the_cluster_after_a_publisher_was_dropped_is_refused(server: Server, admin: Admin) -> None:
    clean_up(admin, "sc_shop", accounts=(ACCOUNT, SUBSCRIBER))
    engine = server.engine(server.url(user=f"{ACCOUNT}:admin", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as publisher:
        run(publisher, "CREATE DATABASE shop", f"CREATE PUBLICATION sc_theirs DATABASE shop ACCOUNT {SUBSCRIBER}")
    engine.dispose()
    with server.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as sys:
        recovery = Recovery(sys)
        recovery.create_snapshot("sc_keep", cluster=True)
        again = (f"DROP ACCOUNT {ACCOUNT}", f"CREATE ACCOUNT {ACCOUNT} ADMIN_NAME 'a' IDENTIFIED BY '111'")
        for statement in (*again, "CREATE TABLE sc_shop.later (id INT PRIMARY KEY)"):
            admin(statement)
        with pytest.raises(RestoreError, match=r"was not sent: .*`sc_theirs` at that time were dropped") as refused:
            recovery.restore_snapshot("sc_keep", cluster=True)
        assert (refused.value.reason, refused.value.done) == (Reason.UNSUPPORTED, False)
        assert admin("SELECT * FROM sc_shop.later") == []
        recovery.drop_snapshot("sc_keep")
    drop_accounts(admin, ACCOUNT, SUBSCRIBER)
    drop_databases(admin, "sc_shop")


# Before 3.0 the server refuses to restore an external table.
@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("level", ["database", "account"])
def test_restore_that_loses_external_tables_names_them(connection: Connection, level: str) -> None:
    run(connection, f"CREATE EXTERNAL TABLE {SHOP}.files (id INT) INFILE{{'filepath'='/tmp/none.csv'}}")
    snapshot(connection, level)
    run(connection, f"UPDATE {SHOP}.orders SET note = 'changed'")
    with pytest.warns(RestoreWarning, match=r"but lost: external table `shop`\.`files`"):
        restore(connection, level)
    assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "first"
    restore(connection, level, lose="external_tables")


@pytest.mark.releases(since=(4, 1))
def test_restore_that_doubles_quotes_of_defaults_warns(connection: Connection) -> None:
    run(connection, f"CREATE TABLE {SHOP}.quoted (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s', b INT DEFAULT 1)")
    snapshot(connection, "database")
    with pytest.warns(RestoreWarning, match="default of `shop`.`quoted`.`a` has become 'it''''s'") as told:
        restore(connection, "database")
    assert "`b`" not in str(told[0].message)


@pytest.mark.releases(until=(3, 0))
@pytest.mark.parametrize("level", ["table", "database"])
def test_default_with_a_backslash_that_a_restore_changes_is_told_and_seen_by_verify(
    connection: Connection, level: str
) -> None:
    default = r"a VARCHAR(20) DEFAULT 'it''s a\\b'"
    run(connection, f"CREATE TABLE {SHOP}.orders2 (id INT PRIMARY KEY, {default}, b INT DEFAULT 1)")
    snapshot(connection, "database")
    target = {"database": SHOP} | ({"table": "orders2"} if level == "table" else {})
    with (
        pytest.warns(RestoreWarning, match="default of `shop`.`orders2`.`a` has become") as told,
        pytest.raises(RestoreError, match="default of column") as differs,
    ):
        Recovery(connection).restore_snapshot("sc_keep", **target, verify=True)
    assert (differs.value.reason, differs.value.done) == (Reason.INCOMPLETE, True)
    message = str(told[0].message)
    run(connection, message[message.index("ALTER TABLE") :], f"INSERT INTO {SHOP}.orders2 (id) VALUES (1)")
    assert connection.exec_driver_sql(f"SELECT a FROM {SHOP}.orders2").scalar() == r"it's a\b"


TEXTS = (
    f"CREATE TABLE {SHOP}.texts (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'a`b', b INT COMMENT 'a\\\\b') "
    "COMMENT 'a\\\\b'",
    f"CREATE VIEW {SHOP}.pattern AS SELECT 'a\\\\b' AS a",
)


@pytest.mark.parametrize("level", ["database", "account"])
def test_text_with_a_backslash_in_a_definition_is_kept_or_put_back_or_named(connection: Connection, level: str) -> None:
    run(connection, *TEXTS)
    snapshot(connection, level)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        restore(connection, level)
    messages = " ".join(str(warning.message) for warning in told)
    of_table = connection.exec_driver_sql(
        "SELECT rel_comment FROM mo_catalog.mo_tables WHERE reldatabase = 'shop' AND relname = 'texts'"
    ).scalar()
    of_column = connection.exec_driver_sql(
        "SELECT att_comment FROM mo_catalog.mo_columns WHERE att_database = 'shop' AND att_relname = 'texts' "
        "AND attname = 'b'"
    ).scalar()
    assert of_table == "a\\b"
    assert (of_column == "a\\b") != ("the comment of `shop`.`texts`.`b` has become" in messages)
    run(connection, f"INSERT INTO {SHOP}.texts (id) VALUES (1)")
    default = connection.exec_driver_sql(f"SELECT a FROM {SHOP}.texts").scalar()
    assert (default == "a`b") != ("the default of `shop`.`texts`.`a` has become" in messages)
    pattern = connection.exec_driver_sql(f"SELECT a FROM {SHOP}.pattern").scalar()
    assert (pattern == "a\\b") != ("CREATE OR REPLACE VIEW `shop`.`pattern` AS SELECT 'a\\\\b' AS a" in messages)


@pytest.mark.parametrize("level", ["database", "account"])
def test_restore_of_a_default_that_the_server_cannot_read_names_what_to_alter(
    server: Server, connection: Connection, level: str
) -> None:
    if (4, 0) <= server.release < (4, 2) or server.release >= UNRELEASED:
        pytest.skip("4.1 and builds after 4.2.0 restore it with a changed default, and warn")
    run(connection, f"CREATE TABLE {SHOP}.ends (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s \\\\')")
    snapshot(connection, level)
    run(connection, f"UPDATE {SHOP}.orders SET note = 'changed'")
    if (3, 0) <= server.release < (4, 0):
        restore(connection, level)
    else:
        with pytest.raises(RestoreError, match=r"nothing was changed: .*: the default of `shop`.`ends`.`a`") as caught:
            restore(connection, level)
        assert (caught.value.reason, caught.value.done) == (Reason.UNSUPPORTED, False)
        assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "changed"
        run(connection, str(caught.value).partition("ALTER TABLE")[2].partition(". Later")[0].join(("ALTER TABLE", "")))
        Recovery(connection).drop_snapshot("sc_keep")
        snapshot(connection, level)
        restore(connection, level)
    run(connection, f"INSERT INTO {SHOP}.ends (id) VALUES (1)")
    kept = connection.exec_driver_sql(f"SELECT a FROM {SHOP}.ends").scalar()
    assert kept == (None if server.release < (3, 0) else "it's \\")


@pytest.mark.releases(since=UNRELEASED)
@pytest.mark.parametrize("level", ["database", "account"])
def test_restore_that_changes_a_default_with_a_backslash_names_what_sets_it_back(
    connection: Connection, level: str
) -> None:
    run(connection, f"CREATE TABLE {SHOP}.ends (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s \\\\')")
    snapshot(connection, level)
    with pytest.warns(RestoreWarning, match="default of `shop`.`ends`.`a` has become") as told:
        restore(connection, level)
    message = str(told[0].message)
    run(connection, message[message.index("ALTER TABLE") :], f"INSERT INTO {SHOP}.ends (id) VALUES (1)")
    assert connection.exec_driver_sql(f"SELECT a FROM {SHOP}.ends").scalar() == "it's \\"


@pytest.mark.releases(since=(4, 0))
def test_difference_that_another_restore_would_make_again_is_told_with_what_sets_it_back(
    connection: Connection,
) -> None:
    run(connection, f"CREATE TABLE {SHOP}.quoted (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s')")
    snapshot(connection, "database")
    with pytest.warns(RestoreWarning), pytest.raises(RestoreError, match="Another restore would") as caught:
        restore(connection, "database", verify=True)
    message = str(caught.value)
    assert "restore it again" not in message
    run(connection, message[message.index("ALTER TABLE") :].removesuffix("."))
    run(connection, f"INSERT INTO {SHOP}.quoted (id) VALUES (1)")
    assert connection.exec_driver_sql(f"SELECT a FROM {SHOP}.quoted").scalar() == "it's"


@pytest.mark.releases(since=(4, 0), until=(4, 1))
def test_defaults_that_a_restore_changes_are_set_back_by_the_statements_and_stay(connection: Connection) -> None:
    defaults = "a VARCHAR(9) DEFAULT 'it''s', b VARCHAR(9) DEFAULT 'o''k', c VARCHAR(9) DEFAULT 'x''y\\\\'"
    run(connection, f"CREATE TABLE {SHOP}.quoted (id INT PRIMARY KEY, {defaults})")
    snapshot(connection, "database")
    with pytest.warns(RestoreWarning) as told:
        restore(connection, "database")
    statements = re.findall("ALTER TABLE .*? SET DEFAULT x'[0-9A-F]+'", str(told[0].message))
    assert len(statements) == 3
    run(connection, *statements, f"ALTER TABLE {SHOP}.quoted ADD COLUMN d INT")
    run(connection, f"INSERT INTO {SHOP}.quoted (id) VALUES (1)")
    assert connection.exec_driver_sql(f"SELECT a, b, c FROM {SHOP}.quoted").one() == ("it's", "o'k", "x'y\\")


@pytest.mark.releases(since=(3, 0))
def test_values_of_an_enum_that_a_restore_changes_are_named(connection: Connection) -> None:
    run(
        connection,
        f"CREATE TABLE {SHOP}.kinds (id INT PRIMARY KEY, k ENUM('a\\\\b', 'c'))",
        f"INSERT INTO {SHOP}.kinds VALUES (1, 'a\\\\b')",
    )
    snapshot(connection, "database")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        restore(connection, "database")
    messages = " ".join(str(warning.message) for warning in told)
    kind = connection.exec_driver_sql(f"SELECT k FROM {SHOP}.kinds").scalar()
    assert (kind == "a\\b") != ("the values of `shop`.`kinds`.`k` have become" in messages)


def test_changed_definitions_are_not_named_when_they_may_be_lost(connection: Connection, recwarn: Any) -> None:
    run(connection, *TEXTS)
    snapshot(connection, "database")
    restore(connection, "database", lose=("definitions", "defaults"))
    assert not [warning for warning in recwarn if issubclass(warning.category, RestoreWarning)]


@pytest.mark.parametrize("level", ["database", "account"])
def test_view_that_was_created_with_capitals_is_found_after_a_restore(
    server: Server, connection: Connection, level: str
) -> None:
    run(connection, f"USE {SHOP}", "CREATE VIEW `Totals` AS SELECT COUNT(*) AS a, 'x%%' AS b FROM Orders")
    if server.release >= (3, 0):
        run(connection, f"GRANT SELECT ON VIEW {SHOP}.totals TO clerk")
    snapshot(connection, level)
    for _ in range(2):  # the second one finds what the server has left
        restore(connection, level)
        assert connection.exec_driver_sql(f"SELECT a, b FROM {SHOP}.totals").one() == (1, "x%")


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("level", ["database", "account"])
def test_restore_rebuilds_vector_indexes(connection: Connection, level: str) -> None:
    run(
        connection,
        "SET experimental_ivf_index = 1",
        f"CREATE TABLE {SHOP}.vectors (id INT PRIMARY KEY, v VECF32(3))",
        f"INSERT INTO {SHOP}.vectors VALUES (1, '[1,0,0]'), (2, '[0,1,0]'), (3, '[0,0,1]')",
        f"CREATE INDEX nearest USING IVFFLAT ON {SHOP}.vectors (v) LISTS = 2 OP_TYPE 'vector_l2_ops'",
    )
    snapshot(connection, level)
    restore(connection, level)
    for number, vector in ((1, "[1,0,0]"), (2, "[0,1,0]"), (3, "[0,0,1]")):
        nearest = f"SELECT id FROM {SHOP}.vectors ORDER BY L2_DISTANCE(v, '{vector}') LIMIT 1"
        assert connection.exec_driver_sql(nearest).scalar() == number


@pytest.mark.releases(since=(3, 0))
def test_hnsw_index_finds_neighbors_after_a_restore(connection: Connection) -> None:
    run(
        connection,
        "SET experimental_hnsw_index = 1",
        f"CREATE TABLE {SHOP}.vectors (id BIGINT PRIMARY KEY, v VECF32(3))",
        f"INSERT INTO {SHOP}.vectors VALUES (1, '[1,0,0]'), (2, '[0,1,0]'), (3, '[0,0,1]')",
        f"CREATE INDEX nearest USING HNSW ON {SHOP}.vectors (v) OP_TYPE 'vector_l2_ops'",
    )
    snapshot(connection, "database")
    restore(connection, "database")
    nearest = f"SELECT id FROM {SHOP}.vectors ORDER BY L2_DISTANCE(v, '[0,1,0]') LIMIT 1"
    assert connection.exec_driver_sql(nearest).scalar() == 2


def test_restore_of_an_account_by_sys_names_the_pitrs_that_it_deactivates(
    server: Server, connection: Connection, admin: Admin
) -> None:
    Recovery(connection).create_pitr("sc_keep", range="1h", database=SHOP)
    admin(f"CREATE SNAPSHOT sc_keep_sys FOR ACCOUNT {ACCOUNT}")
    with server.engine().connect() as sys:
        with pytest.warns(RestoreWarning, match=rf"lost in account '{ACCOUNT}': .*active PITRs"):
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT)
        Recovery(sys).drop_snapshot("sc_keep_sys")


def test_restore_of_another_account_warns_of_what_only_that_sees(
    server: Server, admin: Admin, connection: Connection
) -> None:
    run(connection, f"CREATE TABLE {SHOP}.quoted (id INT PRIMARY KEY, a VARCHAR(9) DEFAULT 'it''s')")
    run(connection, f"CREATE VIEW {SHOP}.`Totals` AS SELECT 1 AS a")
    admin(f"CREATE SNAPSHOT sc_keep_sys FOR ACCOUNT {ACCOUNT}")
    with server.engine().connect() as sys:
        with pytest.warns(RestoreWarning, match=f"in account '{ACCOUNT}': grants.* views, defaults. A restore") as told:
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT)
        assert [warning.filename for warning in told] == [__file__]
        Recovery(sys).drop_snapshot("sc_keep_sys")


def test_restore_of_another_account_that_has_nothing_to_lose_warns_of_nothing_else(
    server: Server, admin: Admin, connection: Connection
) -> None:
    admin(f"CREATE SNAPSHOT sc_keep_sys FOR ACCOUNT {ACCOUNT}")
    with server.engine().connect() as sys, warnings.catch_warnings():
        warnings.simplefilter("error", RestoreWarning)
        Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT, lose=("grants", "vector_indexes"))
        Recovery(sys).drop_snapshot("sc_keep_sys")


@pytest.mark.releases(since=UNRELEASED)
def test_restore_of_another_account_that_would_mix_up_sequences_is_refused(
    server: Server, admin: Admin, connection: Connection
) -> None:
    run(connection, f"USE {SHOP}", "CREATE SEQUENCE numbers")
    admin(f"CREATE SNAPSHOT sc_keep_sys FOR ACCOUNT {ACCOUNT}")
    run(connection, f"UPDATE {SHOP}.orders SET note = 'changed'")
    with server.engine().connect() as sys:
        with pytest.raises(RestoreError, match=r"`shop`\.`numbers` of account 'sc_keep' would get the values of those"):
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT)
        with pytest.raises(RestoreError, match="Unknown database"):
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT, lose=["sequences"])
        Recovery(sys).drop_snapshot("sc_keep_sys")
    assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "changed"


@pytest.mark.releases(until=UNRELEASED)
def test_restore_of_another_account_that_would_lose_its_sequences_is_refused(
    server: Server, admin: Admin, connection: Connection
) -> None:
    run(connection, f"USE {SHOP}", "CREATE SEQUENCE numbers")
    admin(f"CREATE SNAPSHOT sc_keep_sys FOR ACCOUNT {ACCOUNT}")
    run(connection, f"UPDATE {SHOP}.orders SET note = 'changed'")
    with server.engine().connect() as sys:
        with pytest.raises(RestoreError, match=r"it would lose the sequences `shop`\.`numbers` of account 'sc_keep'"):
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT)
        assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "changed"
        with pytest.warns(RestoreWarning, match="grants"):
            Recovery(sys).restore_snapshot("sc_keep_sys", account=ACCOUNT, lose=["sequences"])
        Recovery(sys).drop_snapshot("sc_keep_sys")
    assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "first"


def test_restore_that_cannot_put_back_an_object_warns_with_the_statements(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(connection, f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk")
    snapshot(connection, "database")
    run(connection, f"UPDATE {SHOP}.orders SET note = 'changed'")
    clerk = server.engine(server.url(user=f"{ACCOUNT}:u:clerk", password="111"))
    monkeypatch.setattr(preservation, "second_engine", lambda engine: nullcontext(clerk))
    with pytest.raises(
        RestoreError, match="The restore was carried out, but not everything that it loses was put back"
    ) as failed:
        restore(connection, "database")
    assert failed.value.done is True
    assert failed.value.reason is Reason.INCOMPLETE
    assert "GRANT SELECT ON TABLE `shop`.`orders` TO `clerk`;" in str(failed.value)
    assert connection.exec_driver_sql(f"SELECT note FROM {SHOP}.orders").scalar() == "first"


def test_restore_that_is_refused_puts_nothing_back(connection: Connection, caplog: Any) -> None:
    run(connection, f"USE {SHOP}", f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk", "CREATE SEQUENCE numbers")
    Recovery(connection).create_snapshot("sc_keep", database=SHOP, table="secret")
    with caplog.at_level(logging.INFO, "sqlalchemy_matrixone.recovery"), pytest.raises(RestoreError) as refused:
        restore(connection, "database")
    assert refused.value.done is False
    assert not caplog.records


def test_pitr_restore_puts_back_what_there_was_at_its_time(server: Server, connection: Connection) -> None:
    run(connection, f"USE {SHOP}", "CREATE SEQUENCE numbers", f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk")
    recovery = Recovery(connection)
    recovery.create_pitr("sc_keep", range="1d", database=SHOP)
    time.sleep(1.1 * server.live)
    run(connection, "SELECT NEXTVAL('numbers')", "SELECT NEXTVAL('numbers')")
    time.sleep(2.1 * server.live)  # the moment is a second that has passed since
    moment = int(connection.exec_driver_sql("SELECT UNIX_TIMESTAMP() - 1").scalar_one()) * 10**9
    run(connection, "SELECT NEXTVAL('numbers')", f"DELETE FROM {SHOP}.orders")
    recovery.restore_pitr("sc_keep", mo_ts=moment, database=SHOP)
    run(connection, f"USE {SHOP}")
    assert connection.exec_driver_sql("SELECT NEXTVAL('numbers')").scalar() == "3"
    with user(server) as u:
        assert u.exec_driver_sql(f"SELECT COUNT(*) FROM {SHOP}.orders").scalar() == 1


def test_restore_within_a_session_leaves_its_transaction_usable(server: Server, connection: Connection) -> None:
    run(connection, f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk", f"CREATE SEQUENCE {SHOP}.s")
    snapshot(connection, "database")
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as other, other.begin():
        Recovery(other).restore_snapshot("sc_keep", database=SHOP)
        other.execute(text(f"INSERT INTO {SHOP}.orders VALUES (2, 'second')"))
    with user(server) as u:
        assert u.exec_driver_sql(f"SELECT COUNT(*) FROM {SHOP}.orders").scalar() == 2


def test_restore_by_alembic_puts_grants_and_sequences_back(server: Server, connection: Connection) -> None:
    run(connection, f"USE {SHOP}", "CREATE SEQUENCE numbers", f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk")
    snapshot(connection, "database")
    run(connection, f"DELETE FROM {SHOP}.orders")
    Operations(MigrationContext.configure(connection)).restore_snapshot("sc_keep", database=SHOP)  # type: ignore[attr-defined]
    run(connection, f"USE {SHOP}")
    assert connection.exec_driver_sql("SELECT NEXTVAL('numbers')").scalar() == "1"
    with user(server) as u:
        assert u.exec_driver_sql(f"SELECT COUNT(*) FROM {SHOP}.orders").scalar() == 1


def test_restore_by_a_bare_construct_puts_nothing_back(server: Server, connection: Connection) -> None:
    run(connection, f"GRANT SELECT ON TABLE {SHOP}.orders TO clerk")
    snapshot(connection, "database")
    connection.execute(RestoreSnapshot("sc_keep", database=SHOP))
    with user(server) as u, pytest.raises(exc.DBAPIError, match="privilege"):
        run(u, f"SELECT * FROM {SHOP}.orders")
