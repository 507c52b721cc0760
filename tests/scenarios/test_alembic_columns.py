"""Changes of columns by which MatrixOne changes more than was requested, or keeps what was not."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SAWarning

from .alembic_project import (
    DATABASE,
    Project,
    database_fixture,  # noqa: F401
    project_fixture,  # noqa: F401
)
from .server import Admin

NOW = "CURRENT_TIMESTAMP"


def test_autogenerate_removes_on_update_once(project: Project, admin: Admin) -> None:
    admin(
        f"CREATE TABLE {DATABASE}.orders (id INT PRIMARY KEY, first TIMESTAMP NULL DEFAULT {NOW} ON UPDATE {NOW}, "
        f"second DATETIME NOT NULL DEFAULT {NOW} ON UPDATE {NOW}, third DATETIME NULL ON UPDATE {NOW})"
    )
    sa.Table(
        "orders",
        project.metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.TIMESTAMP),
        sa.Column("second", sa.DateTime, server_default=sa.text(NOW), nullable=False),
        sa.Column("third", sa.DateTime),
    )
    project.options["compare_server_default"] = True
    assert project.autogenerate("one").count("op.alter_column") == 6  # in both directions
    project.upgrade()
    project.check()
    project.downgrade("base")
    project.upgrade()
    project.check()


def test_default_that_is_removed_by_hand_takes_its_on_update_along(project: Project, admin: Admin) -> None:
    admin(
        f"CREATE TABLE {DATABASE}.orders "
        f"(id INT PRIMARY KEY, at DATETIME(3) NOT NULL DEFAULT {NOW}(3) ON UPDATE {NOW}(3) COMMENT 'kept')"
    )
    project.revision("one", 'op.alter_column("orders", "at", server_default=None)')
    project.upgrade()
    with project.engine.connect() as connection:
        column = sa.inspect(connection).get_columns("orders")[1]
    assert isinstance(column["type"], mysql.DATETIME)
    assert column["type"].fsp == 3
    assert (column["nullable"], column["default"], column["comment"]) == (False, None, "kept")


def test_renaming_a_primary_key_column_keeps_the_rows_of_its_indexes(project: Project, admin: Admin) -> None:
    admin(
        f"CREATE TABLE {DATABASE}.orders "
        "(id INT PRIMARY KEY, tenant VARCHAR(5), n INT, KEY k (tenant), UNIQUE KEY u (n))"
    )
    admin(f"INSERT INTO {DATABASE}.orders VALUES (1, 't1', 1), (2, 't2', 2), (3, 't2', 3)")
    project.revision(
        "one",
        'op.alter_column("orders", "id", new_column_name="ident", existing_type=sa.Integer, existing_nullable=False)',
    )
    project.upgrade()
    admin(f"INSERT INTO {DATABASE}.orders VALUES (4, 't2', 4)")
    assert admin(f"SELECT count(*) FROM {DATABASE}.orders WHERE tenant = 't2'") == [(3,)]
    assert admin(f"SELECT ident FROM {DATABASE}.orders WHERE n = 4") == [(4,)]


@pytest.mark.releases(until=(4, 1))
@pytest.mark.parametrize("key", ["id", "ID"])
def test_index_migration_with_the_key_creates_an_index_without_it(project: Project, admin: Admin, key: str) -> None:
    admin(f"CREATE TABLE {DATABASE}.orders (id INT PRIMARY KEY, tenant VARCHAR(5))")
    project.revision("one", f'op.create_index("k", "orders", ["tenant", "{key}"])')
    with pytest.warns(SAWarning, match=f"Index 'k' is created without '{key}'"):
        project.upgrade()
    admin(f"INSERT INTO {DATABASE}.orders VALUES (1, 't1'), (2, 't2')")
    assert admin(f"SELECT id FROM {DATABASE}.orders WHERE tenant = 't2'") == [(2,)]


@pytest.mark.releases(since=(4, 2))
@pytest.mark.parametrize(
    "operation",
    [
        'op.add_column("orders", sa.Column("w", sa.Integer))',
        'op.drop_column("orders", "n")',
        'op.alter_column("orders", "n", type_=sa.BigInteger, existing_type=sa.Integer)',
    ],
)
def test_alter_of_a_table_with_a_branch_error_says_how(project: Project, admin: Admin, operation: str) -> None:
    admin(f"CREATE TABLE {DATABASE}.orders (id INT PRIMARY KEY, n INT)")
    admin(f"DATA BRANCH CREATE TABLE {DATABASE}.orders_dev FROM {DATABASE}.orders")
    project.revision("one", operation)
    with pytest.raises(CommandError, match=r"'orders' was not changed.*\.autocommit_block\(\)"):
        project.upgrade()
    project.last = None
    project.revision("one", f"with op.get_context().autocommit_block():\n    {operation}")
    project.upgrade()


def test_column_that_differs_only_in_case_is_renamed(project: Project, admin: Admin) -> None:
    admin(f"CREATE TABLE {DATABASE}.orders (id INT PRIMARY KEY, note VARCHAR(20) NOT NULL DEFAULT 'none', n INT)")
    admin(f"INSERT INTO {DATABASE}.orders (id, note) VALUES (1, 'kept')")
    orders = sa.Table(
        "orders",
        project.metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("Note", sa.String(20), nullable=False, server_default="none"),
        sa.Column("m", sa.Integer),
    )
    script = project.autogenerate("one")
    assert "new_column_name='Note'" in script
    assert (script.count("op.add_column"), script.count("op.drop_column")) == (2, 2)  # of m and n
    project.upgrade()
    project.check()
    with project.engine.connect() as connection:
        assert connection.execute(sa.select(orders)).all() == [(1, "kept", None)]
    project.downgrade("base")
    project.upgrade()
    project.check()
