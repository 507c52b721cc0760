"""Account constructs: their SQL, and that no password is shown."""

from __future__ import annotations

import logging
import pickle
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, exc

from sqlalchemy_matrixone import AccountError, AlterAccount, CreateAccount, DropAccount, MatrixOneArgumentError
from tests.scenarios.tape import Exchange

from .compiling import assert_compile
from .fake_server import connected_by_dialect, ok, packet, playing

SECRET = "s3cr'et%"
CREATE = CreateAccount("acc2", admin_name="ad'min", password=SECRET, comment="100%", if_not_exists=True)
SENT = "QUERY CREATE ACCOUNT IF NOT EXISTS `acc2` ADMIN_NAME 'ad''min' IDENTIFIED BY 's3cr\\'et%' COMMENT '100%'"


def test_sql_of_accounts_shows_no_password():
    assert_compile(
        CREATE,
        "CREATE ACCOUNT IF NOT EXISTS `acc2` ADMIN_NAME 'ad''min' IDENTIFIED BY '***' COMMENT '100%%'",
    )
    assert_compile(
        CreateAccount("a", admin_name="b", password=SECRET, suspended=True),
        "CREATE ACCOUNT `a` ADMIN_NAME 'b' IDENTIFIED BY '***' SUSPEND",
    )
    assert_compile(
        AlterAccount("a", admin_name="b", password=SECRET, if_exists=True),
        "ALTER ACCOUNT IF EXISTS `a` ADMIN_NAME 'b' IDENTIFIED BY '***'",
    )
    assert_compile(AlterAccount("a", status="suspend"), "ALTER ACCOUNT `a` SUSPEND")
    assert_compile(AlterAccount("a", comment="it's"), "ALTER ACCOUNT `a` COMMENT 'it''s'")
    assert_compile(DropAccount("a-b", if_exists=True), "DROP ACCOUNT IF EXISTS `a-b`")


def test_account_construct_as_text_shows_no_password():
    for shown in (str(CREATE), repr(CREATE), repr(vars(CREATE))):
        assert "s3cr" not in shown
    assert pickle.loads(pickle.dumps(CREATE)).password == SECRET


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"admin_name": "a"},
        {"password": SECRET},
        {"status": "open", "comment": ""},
        {"status": "closed"},
        {"status": "open", "admin_name": "a", "password": SECRET},
        {"admin_name": "a", "password": ""},
        {"status": "open", "if_exists": 1},
        {"comment": 5},
    ],
)
def test_alter_account_changes_exactly_one_thing(arguments):
    with pytest.raises(MatrixOneArgumentError) as refused:
        AlterAccount("a", **arguments)
    assert "s3cr" not in str(refused.value)


def test_refused_account_password_is_not_in_the_message():
    with pytest.raises(MatrixOneArgumentError) as refused:
        CreateAccount("a", admin_name="b", password=SECRET.encode())  # type: ignore[arg-type]
    assert "s3cr" not in str(refused.value)


def test_account_construct_needs_a_matrixone_engine():
    connection = SimpleNamespace(dialect=create_engine("mysql+pymysql://").dialect)
    with pytest.raises(MatrixOneArgumentError, match="needs an engine of matrixone"):
        CREATE.run_on(connection, {}, None)  # type: ignore[arg-type]


def error(message: str) -> bytes:
    return packet(1, b"\xff" + (20101).to_bytes(2, "little") + b"#HY000" + message.encode())


@pytest.mark.parametrize(
    "answer", [ok(), error("internal error: invalid input near 's3cr'et%'")], ids=["ok", "refused"]
)
def test_account_password_is_sent_and_is_in_no_log_or_error(answer: bytes, caplog: pytest.LogCaptureFixture):
    exchanges = connected_by_dialect(Exchange(SENT, answer), *[Exchange("QUERY ROLLBACK", ok())] * 2)
    with playing(*exchanges) as player:
        engine = create_engine(
            f"matrixone+pymysql://dump@127.0.0.1:{player.port}/?ssl_disabled=true&server_version=4.2.0",
            echo="debug",
            _initialize=False,
            pool_reset_on_return=None,
        )
        caplog.set_level(logging.DEBUG)
        with engine.connect() as connection:
            if answer == ok():
                connection.execute(CREATE)
            else:
                with pytest.raises(AccountError) as refused:
                    connection.execute(CREATE)
                assert refused.value.__cause__ is None
                assert "***" in str(refused.value)
                assert "s3cr" not in str(refused.value)
        engine.dispose()
    assert player.misses == []
    assert "IDENTIFIED BY %s" in caplog.text
    assert "s3cr" not in caplog.text


def test_account_driver_error_shows_no_parameter():
    exchanges = connected_by_dialect(
        Exchange(SENT, error("internal error: other")), *[Exchange("QUERY ROLLBACK", ok())] * 2
    )
    with playing(*exchanges) as player:
        engine = create_engine(
            f"matrixone+pymysql://dump@127.0.0.1:{player.port}/?ssl_disabled=true&server_version=4.2.0",
            _initialize=False,
            pool_reset_on_return=None,
        )
        with engine.connect() as connection, pytest.raises(AccountError) as refused:
            connection.execute(CREATE)
        engine.dispose()
    cause = refused.value.__cause__
    assert isinstance(cause, exc.DBAPIError)
    assert "s3cr" not in str(cause)
    assert "s3cr" not in repr(cause.params)


@pytest.mark.parametrize("comment", [True, 0, 1.5, b"x", ["x"], object()])
def test_account_comment_that_is_not_a_str_is_refused(comment):
    for make in (
        lambda: CreateAccount("a", admin_name="admin", password="secret", comment=comment),
        lambda: AlterAccount("a", comment=comment),
    ):
        with pytest.raises(MatrixOneArgumentError, match="comment="):
            make()
