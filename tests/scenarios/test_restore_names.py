"""Refuse restores in which MatrixOne before 4.2 would use names as LIKE patterns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sqlalchemy_matrixone import BranchError, CloneDatabase, MatrixOneArgumentError, Reason, Recovery, RestoreError

from .client import clean_up, drop_databases, make_databases, moment
from .server import Admin, Server

DATABASE = "sc_names"
by_pattern = pytest.mark.releases(until=(4, 2))


@pytest.fixture
def recovery(server: Server, admin: Admin) -> Iterator[Recovery]:
    clean_up(admin)
    make_databases(admin, DATABASE)
    with server.engine(server.url(database=DATABASE)).connect() as connection:
        yield Recovery(connection)
    drop_databases(admin, DATABASE)


def create(admin: Admin, *tables: str) -> None:
    for table in tables:
        admin(f"CREATE TABLE {DATABASE}.`{table}` (id INT PRIMARY KEY)")
        admin(f"INSERT INTO {DATABASE}.`{table}` VALUES (1)")


def ids(admin: Admin, table: str) -> list[int]:
    return [number for (number,) in admin(f"SELECT id FROM {DATABASE}.`{table}` ORDER BY id")]


def test_table_with_an_underscore_is_restored_if_nothing_else_matches(recovery: Recovery, admin: Admin) -> None:
    create(admin, "user_roles", "users")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    admin(f"DELETE FROM {DATABASE}.user_roles WHERE id = 1")
    recovery.restore_snapshot("sc_snap", table="user_roles", database=DATABASE)
    assert ids(admin, "user_roles") == [1]
    recovery.drop_snapshot("sc_snap")


@by_pattern
def test_restore_that_would_restore_another_table_is_refused(recovery: Recovery, admin: Admin) -> None:
    create(admin, "user-roles")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    create(admin, "user_roles")
    admin(f"INSERT INTO {DATABASE}.`user-roles` VALUES (2)")
    with pytest.raises(RestoreError, match="would restore 'user-roles' instead") as refusal:
        recovery.restore_snapshot("sc_snap", table="User_Roles", database=DATABASE)
    assert refusal.value.reason is Reason.NOT_FOUND
    assert ids(admin, "user-roles") == [1, 2]
    recovery.drop_snapshot("sc_snap")


@pytest.mark.parametrize("name", ["a_b", "a%"])
@by_pattern
def test_restore_of_table_whose_name_matches_others_is_refused(recovery: Recovery, admin: Admin, name: str) -> None:
    create(admin, name, "axb")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    with pytest.raises(RestoreError, match="matches 'axb' of 'sc_names' too") as refusal:
        recovery.restore_snapshot("sc_snap", table=name, database=DATABASE)
    assert refusal.value.reason is Reason.UNSUPPORTED
    recovery.drop_snapshot("sc_snap")


@pytest.mark.releases(since=(4, 2))
def test_table_is_restored_by_its_exact_name_since_4_2(recovery: Recovery, admin: Admin) -> None:
    create(admin, "a_b", "axb")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    for table in ("a_b", "axb"):
        admin(f"INSERT INTO {DATABASE}.`{table}` VALUES (2)")
    recovery.restore_snapshot("sc_snap", table="a_b", database=DATABASE)
    assert (ids(admin, "a_b"), ids(admin, "axb")) == ([1], [1, 2])
    recovery.drop_snapshot("sc_snap")


@by_pattern
def test_pitr_restore_of_table_whose_name_matches_others_is_unsupported(
    recovery: Recovery, admin: Admin, server: Server
) -> None:
    create(admin, "a_b", "axb")
    recovery.create_pitr("sc_pitr", range="1d", database=DATABASE)
    when = moment(server, admin)
    with pytest.raises(RestoreError) as refusal:
        recovery.restore_pitr("sc_pitr", timestamp=when, table="a_b", database=DATABASE)
    assert refusal.value.reason is Reason.UNSUPPORTED
    recovery.drop_pitr("sc_pitr")


def test_database_with_braces_in_its_name_is_restored(server: Server, admin: Admin) -> None:
    clean_up(admin)
    name = "sc_{names}"
    make_databases(admin, f"`{name}`")
    for statement in ("CREATE TABLE `{}`.orders (id INT)", "CREATE SEQUENCE `{}`.numbers"):
        admin(statement.format(name))
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_snap", database=name)
        admin(f"DROP TABLE `{name}`.orders")
        recovery.restore_snapshot("sc_snap", database=name)
        recovery.drop_snapshot("sc_snap")
    assert admin(f"SELECT COUNT(*) FROM `{name}`.orders") == [(0,)]
    drop_databases(admin, f"`{name}`")


def test_restore_from_missing_snapshot_is_not_found(recovery: Recovery, admin: Admin) -> None:
    create(admin, "a_b")
    with pytest.raises(RestoreError) as refusal:
        recovery.restore_snapshot("sc_nowhere", table="a_b", database=DATABASE)
    assert refusal.value.reason is Reason.NOT_FOUND


@pytest.mark.releases(until=(4, 1))
def test_restore_that_would_drop_tables_named_like_those_of_the_server_is_refused(
    recovery: Recovery, admin: Admin
) -> None:
    create(admin, "demo_index_x", "orders")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    with pytest.raises(RestoreError, match=r"mistakes sc_names\.demo_index_x for internal tables") as refused:
        recovery.restore_snapshot("sc_snap", database=DATABASE)
    assert refused.value.reason is Reason.UNSUPPORTED
    assert ids(admin, "demo_index_x") == [1]
    recovery.drop_snapshot("sc_snap")


@pytest.mark.releases(since=(3,), until=(4, 1))
def test_clone_that_would_lack_tables_named_like_those_of_the_server_is_refused(
    recovery: Recovery, admin: Admin, server: Server
) -> None:
    create(admin, "demo_tmp_x", "orders")
    with (
        server.engine(server.url(database=DATABASE)).connect() as connection,
        pytest.raises(BranchError, match=r"mistakes sc_names\.demo_tmp_x for internal tables"),
    ):
        connection.execute(CloneDatabase("sc_names_copy", DATABASE))


@pytest.mark.releases(since=(4, 1))
def test_tables_named_like_those_of_the_server_are_restored_since_4_1(recovery: Recovery, admin: Admin) -> None:
    create(admin, "demo_index_x", "demo_tmp_x")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    admin(f"INSERT INTO {DATABASE}.demo_index_x VALUES (2)")
    recovery.restore_snapshot("sc_snap", database=DATABASE)
    assert (ids(admin, "demo_index_x"), ids(admin, "demo_tmp_x")) == ([1], [1])
    recovery.drop_snapshot("sc_snap")


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_names_with_quotes_do_not_reach_the_sql_of_the_server(recovery: Recovery, quote: str) -> None:
    for call in (
        lambda **table: recovery.restore_snapshot("sc_snap", **table),
        lambda **table: recovery.recovery_windows(**table),
        lambda **table: recovery.create_snapshot("sc_snap", **table),
    ):
        with pytest.raises(MatrixOneArgumentError, match="a quote or a backslash"):
            call(table=f"x{quote} or {quote}1{quote}={quote}1", database=DATABASE)


@by_pattern
def test_restore_of_a_database_with_a_view_whose_name_needs_quotes_names_it(recovery: Recovery, admin: Admin) -> None:
    create(admin, "items")
    admin(f"CREATE VIEW {DATABASE}.`order` AS SELECT * FROM {DATABASE}.items")
    recovery.create_snapshot("sc_snap", database=DATABASE)
    with pytest.raises(RestoreError, match=f"nothing was changed: .*{DATABASE}.order, because of its name") as refusal:
        recovery.restore_snapshot("sc_snap", database=DATABASE)
    assert refusal.value.reason is Reason.UNSUPPORTED
    assert admin(f"SELECT * FROM {DATABASE}.`order`") == [(1,)]
    recovery.drop_snapshot("sc_snap")
