"""Properties of the dialect that need no server."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pymysql.err import IntegrityError, OperationalError
from sqlalchemy import create_engine, exc
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import sqlalchemy_matrixone
from sqlalchemy_matrixone import time_travel, types
from sqlalchemy_matrixone.aiomysql import MatrixOneDialect_aiomysql
from sqlalchemy_matrixone.asyncmy import MatrixOneDialect_asyncmy
from sqlalchemy_matrixone.base import MatrixOneDialect
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

DIALECTS = [MatrixOneDialect_pymysql, MatrixOneDialect_aiomysql, MatrixOneDialect_asyncmy]


@pytest.mark.parametrize("cls", [*DIALECTS, MatrixOneDialect])
def test_dialect_class_enables_statement_caching_itself(cls):
    assert cls.__dict__["supports_statement_cache"] is True


@pytest.mark.parametrize("cls", DIALECTS)
def test_dialect_url_selects_the_driver(cls):
    url = make_url(f"matrixone+{cls.driver}://dump:111@localhost/shop?server_version=3.0.14")
    made = url.get_dialect()
    assert issubclass(made, cls)
    assert made.__dict__["supports_statement_cache"] is True
    assert (made().server_release, made.default_schema_name, made.default_account_name) == ((3, 0, 14), "shop", "sys")


def test_dialect_url_without_a_driver_uses_pymysql_or_aiomysql():
    assert create_engine("matrixone://dump@localhost").dialect.driver == "pymysql"
    assert create_async_engine("matrixone://dump@localhost").dialect.driver == "aiomysql"


def test_server_version_is_not_passed_to_the_driver():
    url = make_url("matrixone+pymysql://dump@localhost/shop?server_version=3.0.14&charset=utf8mb4")
    _, arguments = MatrixOneDialect_pymysql(dbapi=MatrixOneDialect_pymysql.import_dbapi()).create_connect_args(url)
    assert "server_version" not in arguments
    assert arguments["charset"] == "utf8mb4"


def test_server_version_argument_of_create_engine():
    assert create_engine("matrixone://dump@localhost", server_version="2.2").dialect.server_release == (2, 2, 0)


def test_server_version_that_is_not_a_release_is_refused():
    with pytest.raises(exc.ArgumentError, match="not a release"):
        create_engine("matrixone://dump@localhost?server_version=latest")


@pytest.mark.parametrize(
    ("login", "account"),
    [
        ("dump", "sys"),
        ("acc1:admin", "acc1"),
        ("acc1#admin", "acc1"),
        ("acc1:admin:accountadmin", "acc1"),
        (None, None),
    ],
)
def test_account_is_parsed_from_the_login(login, account):
    url = make_url("matrixone+pymysql://localhost").set(username=login)
    assert url.get_dialect().default_account_name == account


@pytest.mark.parametrize(
    "text",
    ["context canceled", "backend connection closed", "no available backend", "rpc client closed"],
)
def test_is_disconnect_by_the_error_text_of_the_server(text):
    dialect = MatrixOneDialect_pymysql(dbapi=MatrixOneDialect_pymysql.import_dbapi())
    assert dialect.is_disconnect(OperationalError(1105, text), None, None)
    assert dialect.is_disconnect(OperationalError(2013, "Lost connection"), None, None)
    assert not dialect.is_disconnect(OperationalError(20101, "internal error: pitr p does not exist"), None, None)


def test_is_disconnect_ignores_values_in_error_texts():
    dialect = MatrixOneDialect_pymysql(dbapi=MatrixOneDialect_pymysql.import_dbapi())
    duplicate = IntegrityError(1062, "Duplicate entry 'connection reset by bob' for key 'name'")
    assert not dialect.is_disconnect(duplicate, None, None)


def test_dialect_initialize_that_fails_can_be_repeated(monkeypatch):
    dialect = MatrixOneDialect_pymysql()

    class Connection:
        def exec_driver_sql(self, statement):
            return create_engine("sqlite://").connect().exec_driver_sql("SELECT 'd', 'READ-COMMITTED', '', '1', 'sys'")

    def fail(self, connection):
        raise OSError

    monkeypatch.setattr(MySQLDialect, "initialize", fail)
    with pytest.raises(OSError):  # noqa: PT011
        dialect.initialize(Connection())
    assert dialect._initializing is False


def test_facts_that_the_driver_returns_as_bytes_are_decoded(monkeypatch):
    """The server does so with ``use_unicode=0``."""
    dialect = MatrixOneDialect_pymysql()

    class Connection:
        def exec_driver_sql(self, statement):
            return create_engine("sqlite://").connect().exec_driver_sql("SELECT x'64', '', x'', x'32', x'737973'")

    monkeypatch.setattr(MySQLDialect, "initialize", lambda self, connection: self._detect_casing(connection))
    dialect.initialize(Connection())
    assert (dialect._casing, dialect.default_account_name) == (2, "sys")


def test_dialect_that_has_connected_supports_sequences(monkeypatch):
    """SQLAlchemy 2.0 sets the flag when it connects, by the version of MariaDB."""
    dialect = MatrixOneDialect_pymysql()

    class Connection:
        def exec_driver_sql(self, statement):
            return create_engine("sqlite://").connect().exec_driver_sql("SELECT 'd', 'READ-COMMITTED', '', '1', 'sys'")

    monkeypatch.setattr(MySQLDialect, "initialize", lambda self, connection: setattr(self, "supports_sequences", False))
    dialect.initialize(Connection())
    assert dialect.supports_sequences


IMPORT_ORDERS = [
    "import sqlalchemy_matrixone",
    "import sqlalchemy; sqlalchemy.create_engine('matrixone+pymysql://dump@localhost')",
    "import sqlalchemy_matrixone.aiomysql, sqlalchemy_matrixone.asyncmy",
    "import sqlalchemy_matrixone.recovery.catalog",
    "import sqlalchemy_matrixone.sql.ddl_compiler",
]


@pytest.mark.parametrize("code", IMPORT_ORDERS)
def test_package_imports_in_any_order_without_a_warning(code):
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_package_imports_without_greenlet():
    code = """
import sys
sys.modules["greenlet"] = None
import sqlalchemy_matrixone, sqlalchemy_matrixone.pymysql
from sqlalchemy_matrixone import *
assert Recovery is sqlalchemy_matrixone.Recovery
assert "AsyncRecovery" not in globals()
assert "sqlalchemy.ext.asyncio" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_of_the_dialect_does_not_import_what_only_recoveries_need():
    code = """
import sys
import sqlalchemy_matrixone, sqlalchemy_matrixone.pymysql
assert "sqlalchemy_matrixone.recovery.session" not in sys.modules
assert {"Recovery", "Timeline", "RowsPreview"} <= set(dir(sqlalchemy_matrixone))
assert sqlalchemy_matrixone.Recovery.__module__ == "sqlalchemy_matrixone.recovery.session"
assert "Recovery" in vars(sqlalchemy_matrixone)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_at_the_package_root():
    names: dict[str, object] = {}
    exec("from sqlalchemy_matrixone import *", names)
    assert names.keys() >= set(sqlalchemy_matrixone.__all__) >= {"AsyncRecovery", "VECF32", "insert", *types.__all__}
    assert len(set(sqlalchemy_matrixone.__all__)) == len(sqlalchemy_matrixone.__all__)
    assert names["insert"] is mysql.insert


def test_package_import_leaves_other_dialects_unchanged():
    code = """
import sqlalchemy as sa, sqlalchemy.event.registry as registry
from sqlalchemy.dialects import mysql, sqlite
before = dict(vars(mysql.dialect)), dict(vars(mysql.dialect.ddl_compiler)), len(registry._key_to_collection)
import sqlalchemy_matrixone
after = dict(vars(mysql.dialect)), dict(vars(mysql.dialect.ddl_compiler)), len(registry._key_to_collection)
assert before == after
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_time_travel_leaves_no_listener():
    session = Session(create_engine("matrixone+pymysql://dump@h/shop"))

    def listeners():
        names = (name for name in dir(session.dispatch) if not name.startswith("_"))
        return {name: list(getattr(session.dispatch, name)) for name in names if name != "join"}

    before = listeners()
    with time_travel(session, snapshot="s"):
        assert listeners() != before
    assert listeners() == before
