"""Migrations are applied completely or not at all, and Alembic's operations for MySQL work."""

import pytest
from alembic.util import CommandError
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from .alembic_project import DATABASE, database_fixture, project_fixture, tables, versions  # noqa: F401
from .client import drop_databases, make_databases


def three_revisions(project):
    """A table with rows; another one, filled from it and altered; then one that fails in its last step."""
    project.revision(
        "one",
        """
        name = sa.Column("name", sa.String(20))
        users = op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), name)
        op.bulk_insert(users, [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}])
        """,
    )
    project.revision(
        "two",
        """
        op.create_table("names", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20)))
        op.execute("INSERT INTO names SELECT id, upper(name) FROM users")
        op.add_column("users", sa.Column("age", sa.Integer))
        op.create_index("ix_name", "users", ["name"])
        """,
    )
    project.revision(
        "three",
        """
        op.execute("UPDATE users SET age = 40")
        op.drop_column("users", "name")
        op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO orders VALUES (1), (1)")
        """,
    )


def test_failed_upgrade_is_rolled_back(project, admin):
    three_revisions(project)

    with pytest.raises(DBAPIError, match=r"Duplicate entry|duplicate"):
        project.upgrade()

    assert tables(admin) == []


def test_transaction_per_migration_keeps_earlier_revisions(project, admin):
    project.options["transaction_per_migration"] = True
    three_revisions(project)

    with pytest.raises(DBAPIError, match=r"Duplicate entry|duplicate"):
        project.upgrade()

    assert versions(admin) == ["two"]
    assert tables(admin) == ["alembic_version", "names", "users"]
    assert admin(f"SELECT * FROM {DATABASE}.users ORDER BY id") == [(1, "ann", None), (2, "bob", None)]
    assert admin(f"SELECT name FROM {DATABASE}.names ORDER BY id") == [("ANN",), ("BOB",)]


def test_failed_downgrade_is_rolled_back(project, admin):
    project.revision("one", 'op.create_table("users", sa.Column("id", sa.Integer))', 'op.drop_table("no_such_table")')
    project.revision("two", 'op.create_table("orders", sa.Column("id", sa.Integer))', 'op.drop_table("orders")')
    project.upgrade()

    with pytest.raises(DBAPIError):
        project.downgrade("base")

    assert versions(admin) == ["two"]
    assert tables(admin) == ["alembic_version", "orders", "users"]


def test_alembic_operations_of_mysql_work(project, admin):
    project.revision(
        "one",
        """
        op.create_table(
            "users",
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("name", sa.String(20), server_default="x"),
            sa.Column("seen", sa.DateTime),
            comment="people",
        )
        op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("user_id", sa.Integer))
        op.execute("INSERT INTO users (id) VALUES (1)")
        op.execute("INSERT INTO orders VALUES (1, 1)")
        """,
    )
    project.revision(
        "two",
        """
        op.alter_column("users", "name", server_default="y", existing_type=sa.String(20))
        op.alter_column("users", "name", server_default=None, existing_type=sa.String(20))
        op.alter_column("users", "name", type_=sa.String(50), nullable=False, comment="it's", server_default="it's")
        op.alter_column("users", "name", new_column_name="full_name", existing_type=sa.String(50),
                        existing_server_default="z", existing_nullable=False, existing_comment="100 % sure")
        op.alter_column("users", "seen", server_default=sa.func.now(), existing_type=sa.DateTime)
        op.create_unique_constraint("uq_name", "users", ["full_name"])
        op.create_index("ix_user", "orders", ["user_id", sa.text("id DESC")])
        op.create_foreign_key("fk_user", "orders", "users", ["user_id"], ["id"], ondelete="CASCADE")
        op.rename_table("orders", "purchases")
        op.create_table_comment("users", "persons", existing_comment="people")
        """,
        """
        op.rename_table("purchases", "orders")
        op.drop_constraint("fk_user", "orders", type_="foreignkey")
        op.drop_index("ix_user", "orders")
        op.drop_constraint("uq_name", "users", type_="unique")
        op.drop_table_comment("users", existing_comment="persons")
        op.drop_constraint("whatever", "users", type_="primary")
        op.create_primary_key(None, "users", ["id"])
        op.alter_column("users", "full_name", new_column_name="name", existing_type=sa.String(50))
        op.drop_column("users", "seen")
        """,
    )
    project.upgrade()

    [(_, users)] = admin(f"SHOW CREATE TABLE {DATABASE}.users")
    assert "`full_name` varchar(50) NOT NULL" in users
    assert "COMMENT '100 % sure'" in users
    # SHOW CREATE TABLE goes on to show the comment that the table was created with.
    assert admin(
        f"SELECT rel_comment FROM mo_catalog.mo_tables WHERE reldatabase = '{DATABASE}' AND relname = 'users'"
    ) == [("persons",)]
    assert "UNIQUE KEY `uq_name`" in users
    [(_, purchases)] = admin(f"SHOW CREATE TABLE {DATABASE}.purchases")
    assert "CONSTRAINT `fk_user`" in purchases
    assert "ix_user" in purchases
    admin(f"INSERT INTO {DATABASE}.users (id, full_name) VALUES (2, 'bob')")
    assert admin(f"SELECT id FROM {DATABASE}.users WHERE seen IS NOT NULL") == [(2,)]

    project.downgrade("one")

    [(_, users)] = admin(f"SHOW CREATE TABLE {DATABASE}.users")
    assert "`name` varchar(50)" in users
    assert "seen" not in users
    assert "PRIMARY KEY (`id`)" in users
    assert "uq_name" not in users
    [(_, orders)] = admin(f"SHOW CREATE TABLE {DATABASE}.orders")
    assert "fk_user" not in orders
    assert "ix_user" not in orders


@pytest.mark.parametrize(
    "change",
    ['op.create_check_constraint("ck", "users", "id > 0")', 'op.drop_constraint("ck", "users", type_="check")'],
)
def test_check_constraint_change_of_an_existing_table_is_refused(project, admin, change):
    project.revision("one", f'op.create_table("users", sa.Column("id", sa.Integer))\n{change}')

    with pytest.raises(CommandError, match="CHECK constraint 'ck' was not changed"):
        project.upgrade()

    assert tables(admin) == []


def test_alter_column_keeps_server_default(project, admin, server):
    """From 4.0 on each ALTER that copies the table doubles the quotes of a default, unless it is written otherwise."""
    project.revision(
        "defaults",
        """
        op.create_table(
            "d",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("note", sa.String(20), server_default="it's"),
            sa.Column("said", sa.String(20), server_default="x"),
        )
        op.add_column("d", sa.Column("more", sa.Integer))
        op.add_column("d", sa.Column("less", sa.Integer))
        op.drop_column("d", "less")
        op.alter_column("d", "said", existing_type=sa.String(20), type_=sa.String(30), existing_server_default="x")
        op.alter_column("d", "said", existing_type=sa.String(30), server_default="that's")
        op.execute("INSERT INTO d (id) VALUES (1)")
        """,
    )
    project.upgrade()
    assert admin(f"SELECT note, said FROM {DATABASE}.d") == [("it's", "that's")]


def test_alter_column_sets_an_expression_as_server_default(project, admin):
    """It is in parentheses, as the server requires; on 2.2, 4.0 and 4.1 with its strings in hexadecimal."""
    project.revision(
        "defaults",
        """
        op.create_table("d", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.String(20)))
        op.alter_column("d", "note", existing_type=sa.String(20), server_default=sa.func.concat("a", "b"))
        op.add_column("d", sa.Column("more", sa.Integer))
        op.execute("INSERT INTO d (id) VALUES (1)")
        """,
    )
    project.upgrade()
    assert admin(f"SELECT note FROM {DATABASE}.d") == [("ab",)]


def test_drop_constraint_of_a_unique_key_in_another_database(project, admin):
    """ALTER TABLE … DROP INDEX looks for the index's own table in the connection's database."""
    make_databases(admin, "mig_other")
    project.revision(
        "unique",
        """
        columns = sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Integer)
        op.create_table("t", *columns, sa.UniqueConstraint("a", name="uq_a"), schema="mig_other")
        op.drop_constraint("uq_a", "t", type_="unique", schema="mig_other")
        op.execute("INSERT INTO mig_other.t VALUES (1, 7), (2, 7)")
        """,
    )
    project.upgrade()
    assert admin("SELECT COUNT(*) FROM mig_other.t") == [(2,)]
    drop_databases(admin, "mig_other")


def with_a_check(project):
    """Two tables with a foreign key between them, and a revision that changes a CHECK of the referred one."""
    project.revision(
        "one",
        """
        op.create_table(
            "users",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("age", sa.Integer, server_default="1"),
            sa.CheckConstraint("age > 0", name="ck_age"),
        )
        op.create_index("ix_age", "users", ["age"])
        op.create_table(
            "orders",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.Integer),
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user", ondelete="CASCADE"),
        )
        op.execute("INSERT INTO users VALUES (1, 10), (2, 20)")
        op.execute("INSERT INTO orders VALUES (1, 1), (2, 2)")
        """,
    )
    project.revision(
        "two",
        """
        with op.batch_alter_table("users") as batch:
            batch.create_check_constraint("ck_old", "age > 5")
        """,
    )


def test_batch_mode_changes_a_check_of_a_referenced_table(project, admin):
    with_a_check(project)

    project.upgrade()

    assert admin(f"SELECT id, age FROM {DATABASE}.users ORDER BY id") == [(1, 10), (2, 20)]
    inspector = inspect(project.engine)
    [key] = inspector.get_foreign_keys("orders")
    assert (key["name"], key["referred_table"], key["options"]) == ("fk_user", "users", {"ondelete": "CASCADE"})
    assert [index["name"] for index in inspector.get_indexes("users")] == ["ix_age"]
    if project.server.release >= (4, 2):
        checks = {check["name"] for check in inspector.get_check_constraints("users")}
        assert checks == {"ck_age", "ck_old"}
        with project.engine.connect() as connection, pytest.raises(DBAPIError, match="ck_old"):
            connection.exec_driver_sql("INSERT INTO users VALUES (3, 4)")
    admin(f"DELETE FROM {DATABASE}.users WHERE id = 1")
    assert admin(f"SELECT id FROM {DATABASE}.orders") == [(2,)]


@pytest.mark.releases(until=(4, 2))
def test_batch_mode_drop_of_a_check_that_the_release_does_not_keep_is_refused(project):
    with_a_check(project)
    project.upgrade()
    project.revision(
        "three",
        """
        with op.batch_alter_table("users") as batch:
            batch.drop_constraint("ck_old", type_="check")
        """,
    )
    with pytest.raises(CommandError, match="CHECK constraint 'ck_old' of table 'users' cannot be dropped, and nothing"):
        project.upgrade()


def test_batch_mode_is_rolled_back_with_the_upgrade(project, admin):
    with_a_check(project)
    project.revision("three", "op.execute('nonsense')")

    with pytest.raises(DBAPIError, match="nonsense"):
        project.upgrade()

    assert tables(admin) == []


def test_alter_of_a_check_constraint_error_suggests_batch_mode(project):
    project.revision("one", "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True))")
    project.revision("two", "op.create_check_constraint('ck', 'users', 'id > 0')")

    with pytest.raises(CommandError, match="batch_alter_table"):
        project.upgrade()
