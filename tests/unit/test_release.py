"""The release of the server: from greetings, builds between releases, proxies and users."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, exc

import sqlalchemy_matrixone
from sqlalchemy_matrixone.core.release import (
    NEWEST,
    UNRELEASED,
    Feature,
    format_release,
    is_untested,
    parse_greeting,
    parse_release,
)
from tests.scenarios.tape import Exchange
from tests.unit.fake_server import connected_by_dialect, ok, playing, row


@pytest.mark.parametrize(
    ("greeting", "release"),
    [
        ("8.0.30-MatrixOne-v4.2.0", (4, 2, 0)),
        ("8.0.30-MatrixOne-v3.0.14", (3, 0, 14)),
        ("8.0.30-MatrixOne-v2.2.2", (2, 2, 2)),
        ("8.0.30-MatrixOne-v4.0.0-rc4", (4, 0, 0)),
        ("8.0.30-MatrixOne-v3.0.4-hotfix-20251114", (3, 0, 4)),
        ("8.0.30-MatrixOne-v", UNRELEASED),
        ("8.0.30-MatrixOne-v20260826", UNRELEASED),
        ("8.0.36", None),
        ("5.7.25-proxy", None),
        ("", None),
        (None, None),
    ],
)
def test_release_is_parsed_from_the_greeting(greeting, release):
    assert parse_greeting(greeting) == release


@pytest.mark.parametrize(
    ("greeting", "untested"),
    [
        ("8.0.30-MatrixOne-v2.2.2", False),
        ("8.0.30-MatrixOne-v{}.{}.{}".format(*NEWEST), False),
        ("8.0.30-MatrixOne-v99.0.0", True),
        ("8.0.30-MatrixOne-v", True),
        ("8.0.30-MatrixOne-v20260826", True),
        ("8.0.36", True),
    ],
)
def test_release_is_untested_if_newer_or_without_a_number(greeting, untested):
    assert is_untested(greeting) is untested


FACTS = "QUERY SELECT DATABASE(), @@transaction_isolation, @@sql_mode, @@lower_case_table_names, current_account_name()"


@pytest.mark.parametrize(
    ("version", "parameters", "logged"),
    [
        (b"v4.2.0", "", 0),
        (b"v99.0.0", "", 1),
        (b"v", "", 1),
        (b"v", "&server_version=4.2.0", 0),
    ],
)
def test_untested_server_is_logged_once_for_each_engine(caplog, version, parameters, logged):
    exchanges = connected_by_dialect(version=version)
    facts = Exchange(FACTS, row("", "READ-COMMITTED", "", "1", "sys"))
    with playing(*exchanges, facts, Exchange("QUERY ROLLBACK", ok())) as player:
        engine = create_engine(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?charset=utf8mb4{parameters}")
        for _ in range(2):
            engine.connect().invalidate()
        engine.dispose()
    assert [record.name for record in caplog.records] == ["sqlalchemy_matrixone"] * logged
    treated = "treated as the newest build that was tested, which is later than MatrixOne 4.2.0; set"
    assert all(treated in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "text", ["3.0.14", "v3.0.14", " 3.0.14 ", "8.0.30-MatrixOne-v3.0.14", "3.0.14-hotfix-20251204"]
)
def test_server_version_is_parsed(text):
    assert parse_release(text) == (3, 0, 14)


def test_server_version_without_a_patch_release_is_parsed():
    assert parse_release("3.0") == (3, 0, 0)


@pytest.mark.parametrize("text", ["", "three", "3", "3.x", "latest", "8", 3, 3.0, b"3.0.14", (3, 0, 14), False])
def test_invalid_server_version_is_refused(text):
    with pytest.raises(exc.ArgumentError, match=r"server_version=3\.0\.14"):
        parse_release(text)


def test_feature_has_a_known_release_and_sql():
    for feature in Feature:
        assert (2, 2, 0) <= feature.since <= UNRELEASED
        assert feature.sql
        assert feature.in_release(UNRELEASED)


def test_feature_is_used_in_the_package():
    code = "".join(path.read_text() for path in Path(sqlalchemy_matrixone.__file__).parent.rglob("*.py"))
    assert [feature.name for feature in Feature if f"Feature.{feature.name}" not in code] == []


def test_feature_that_a_release_lacks_is_refused_by_name():
    Feature.CLONE.require((3, 0, 0))
    with pytest.raises(exc.CompileError, match=r"VECF16 needs MatrixOne 4\.2\.0 or later; this is 3\.0\.14"):
        Feature.NARROW_VECTORS.require((3, 0, 14), "VECF16")


def test_release_is_formatted_with_three_numbers():
    assert format_release((3, 0, 14)) == "3.0.14"
