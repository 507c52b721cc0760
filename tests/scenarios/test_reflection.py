"""Reflect tables one by one and all at once, and compare them in autogenerate."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Column, event, func, text
from sqlalchemy.dialects import mysql

from sqlalchemy_matrixone.core.release import Feature
from sqlalchemy_matrixone.types import DATALINK, UUID, VECBF16, VECF16, VECF32, VECF64, VECINT8, VECUINT8

from .alembic_project import migrate
from .client import clean_up, drop_accounts, drop_databases, make_databases

DATABASE = "co_reflection"


@pytest.fixture
def engine(server, admin):
    make_databases(admin, DATABASE)
    yield server.engine(server.url(database=DATABASE))
    drop_databases(admin, DATABASE)


def types_of(release):
    """Every type that a release has, as a program would write it."""
    types = [
        sa.Boolean(),
        sa.SmallInteger(),
        sa.Integer(),
        sa.BigInteger(),
        mysql.TINYINT(),
        mysql.TINYINT(display_width=1),
        mysql.MEDIUMINT(),
        mysql.INTEGER(display_width=11),
        mysql.INTEGER(unsigned=True),
        mysql.BIGINT(unsigned=True),
        sa.Float(),
        sa.Float(10),
        sa.Double(),
        sa.Double(53),
        mysql.DOUBLE(10, 2),
        mysql.FLOAT(7, 3),
        sa.REAL(),
        sa.Numeric(),
        sa.Numeric(10, 2),
        sa.DECIMAL(38, 10),
        sa.String(20),
        sa.CHAR(5),
        sa.Unicode(20),
        sa.NVARCHAR(20),
        sa.Text(),
        sa.Text(1000),
        sa.UnicodeText(),
        mysql.TINYTEXT(),
        mysql.MEDIUMTEXT(),
        mysql.LONGTEXT(),
        mysql.VARCHAR(20, charset="utf8mb4", collation="utf8mb4_bin"),
        sa.LargeBinary(),
        sa.LargeBinary(1000),
        sa.BINARY(4),
        sa.VARBINARY(20),
        mysql.LONGBLOB(),
        sa.JSON(),
        sa.Date(),
        sa.Time(),
        sa.DateTime(),
        sa.TIMESTAMP(),
        mysql.DATETIME(fsp=6),
        mysql.TIMESTAMP(fsp=3),
        mysql.TIME(fsp=6),
        mysql.BIT(8),
        sa.Enum("a", "it's", name="letters"),
        mysql.ENUM("x", "y"),
        sa.Uuid(),
        UUID(),
        DATALINK(),
        VECF32(3),
        VECF64(4),
    ]
    if release >= (3, 0, 0):
        types += [mysql.YEAR(), mysql.SET("a", "b")]
    if Feature.NARROW_VECTORS.in_release(release):
        types += [VECF16(3), VECBF16(3), VECINT8(3), VECUINT8(3)]
    return types


def declared(release):
    """Tables with every type, default, key, index and comment that a release has."""
    metadata = sa.MetaData()
    sa.Table(
        "types",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        *(Column(f"c{number}", type_) for number, type_ in enumerate(types_of(release))),
    )
    sa.Table(
        "defaults",
        metadata,
        Column("id", sa.BigInteger, primary_key=True, autoincrement=True, comment="the key"),
        Column("a", sa.String(20), server_default="a"),
        Column("b", sa.String(20), server_default=""),
        Column("c", sa.Integer, server_default="5", nullable=False),
        Column("d", sa.Integer, server_default=text("-1")),
        Column("e", sa.Numeric(10, 2), server_default=text("1.50")),
        Column("f", sa.DateTime, server_default=func.now()),
        Column("g", mysql.TIMESTAMP(fsp=3), server_default=text("CURRENT_TIMESTAMP(3)")),
        Column("h", sa.Boolean, server_default=sa.true()),
        Column("i", sa.Boolean, server_default="0"),
        Column("j", sa.Integer, server_default=text("(1 + 2)")),
        Column("k", sa.DateTime, server_default=text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP")),
        Column("m", sa.Float, server_default="1.5"),
        Column("n", sa.String(30), server_default='{"a":1}'),
        Column("o", sa.String(30), server_default=":x"),
        Column("p", sa.Date, server_default=func.current_date()),
        Column("q", mysql.BIT(4), server_default=text("b'101'")),
        comment="a table",
    )
    # By itself, since MODIFY of another column spoils what the server copies of these: quotes and backslashes.
    sa.Table(
        "quoted",
        metadata,
        Column("id", sa.BigInteger, primary_key=True, comment="it's the key"),
        Column("a", sa.String(20), server_default="it's"),
        Column("b", sa.String(20), server_default="a\\b %"),
        comment="it's a 100% \\ table",
    )
    sa.Table(
        "parent",
        metadata,
        Column("x", sa.Integer, primary_key=True, autoincrement=False),
        Column("y", sa.Integer, primary_key=True, autoincrement=False),
        Column("z", sa.Integer, unique=True),
        Column("v", sa.Integer, index=True),
        sa.UniqueConstraint("v", "z", name="uq_v_z"),
    )
    sa.Table(
        "child",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("z", sa.ForeignKey("parent.z")),
        Column("p", sa.ForeignKey("parent.z", name="fk_p", ondelete="CASCADE", onupdate="CASCADE")),
        Column("a", sa.Integer),
        Column("b", sa.Integer),
        Column("own", sa.Integer),
        sa.ForeignKeyConstraint(["a", "b"], ["parent.x", "parent.y"], name="fk_both"),
        sa.Index("ix_a_b", "a", "b", unique=True),
    )
    sa.Table("vectors", metadata, Column("id", sa.BigInteger, primary_key=True), Column("v", VECF32(3)))
    # By itself: 2.2 and 3.0 alter no table that refers to itself.
    sa.Table(
        "tree",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("parent", sa.ForeignKey("tree.id")),
    )
    sa.Table(
        "articles",
        metadata,
        Column("id", sa.BigInteger, primary_key=True),
        Column("title", sa.String(50)),
        Column("body", sa.Text),
        Column("embedding", VECF32(3)),
        Column("MixedCase", sa.Integer),
        Column("order", sa.Integer),
        sa.Index("ix_title", "title"),
        sa.Index("title", "title"),
        sa.Index("ix_text", "title", "body", matrixone_using="fulltext", matrixone_with_parser="ngram"),
        sa.Index(
            "ix_embedding",
            "embedding",
            matrixone_using="ivfflat",
            matrixone_lists=2,
            matrixone_op_type="vector_l2_ops",
        ),
    )
    sa.Table(
        "customer",
        metadata,
        Column("Region", sa.Integer, primary_key=True, autoincrement=False),
        Column("Id", sa.Integer, primary_key=True, autoincrement=False),
        Column("Code", sa.Integer, unique=True),
    )
    # The server has their names in lower case.
    sa.Table(
        "purchase",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("customerRegion", sa.Integer),
        Column("customerId", sa.Integer),
        Column("customerCode", sa.Integer),
        sa.ForeignKeyConstraint(
            ["customerRegion", "customerId"], ["customer.Region", "customer.Id"], name="FK_Customer", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["customerCode"], ["customer.Code"], name="FK_Code"),
        sa.UniqueConstraint("id", "customerCode", name="UQ_Code"),
        sa.Index("IX_Code", "customerCode"),
        sa.Index("IX_Both", "customerCode", "customerId", unique=True),
    )
    listed = sa.Table(
        "listed", metadata, Column("id", sa.Integer, primary_key=True), Column("e", sa.Enum("a", "b", name="e"))
    )
    if release >= (3, 0, 0):
        listed.append_column(Column("s", mysql.SET("a", "b")))
    if Feature.CHECK_CONSTRAINT.in_release(release):
        sa.Table(
            "checked",
            metadata,
            Column("id", sa.Integer, primary_key=True),
            Column("x", sa.Integer),
            Column("g", sa.Integer, sa.Computed("x + 1", persisted=True)),
            sa.CheckConstraint("x > 5", name="ck_x"),
        )
    return metadata


def create(engine, metadata):
    with engine.begin() as connection:
        # What 2.2 wants before it makes these indexes; a SET of something unknown is no error.
        for name in ("experimental_ivf_index", "experimental_fulltext_index", "experimental_hnsw_index"):
            connection.execute(text(f"SET {name} = 1"))
        metadata.create_all(connection)


def differences(connection, metadata):
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return compare_metadata(context, metadata)


def facts(inspector, table):
    """Return everything that an Inspector reports for a table, in a comparable form."""
    return repr(
        (
            [{**column, "type": repr(column["type"])} for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            inspector.get_foreign_keys(table),
            inspector.get_indexes(table),
            inspector.get_unique_constraints(table),
            inspector.get_check_constraints(table),
            inspector.get_table_comment(table),
        )
    )


def facts_of_all(inspector, tables):
    columns, keys, foreign, indexes, unique, checks, comments = (
        getattr(inspector, f"get_multi_{what}")()
        for what in (
            "columns",
            "pk_constraint",
            "foreign_keys",
            "indexes",
            "unique_constraints",
            "check_constraints",
            "table_comment",
        )
    )
    return {
        table: repr(
            (
                [{**column, "type": repr(column["type"])} for column in columns[None, table]],
                *(many[None, table] for many in (keys, foreign, indexes, unique, checks, comments)),
            )
        )
        for table in tables
    }


def test_reflection_of_all_tables_equals_each_table_in_few_statements(engine, server):
    create(engine, declared(server.release))
    inspector = sa.inspect(engine)
    tables = inspector.get_table_names()
    assert tables == sorted(declared(server.release).tables)
    statements = count_statements(engine)
    together = facts_of_all(sa.inspect(engine), tables)
    assert len(statements) <= 8
    assert together == {table: facts(sa.inspect(engine), table) for table in tables}


def test_reflected_types_are_those_declared(engine, server):
    create(engine, declared(server.release))
    columns = {column["name"]: column["type"] for column in sa.inspect(engine).get_columns("types")}
    dialect = engine.dialect
    for number, type_ in enumerate(types_of(server.release)):
        back = columns[f"c{number}"]
        first, second = (each.compile(dialect=dialect).split("(")[0].split(" ")[0] for each in (type_, back))
        assert {first, second} in ({first}, {"NUMERIC", "DECIMAL"}), (type_, back)
    assert columns[f"c{[repr(type_) for type_ in types_of(server.release)].index(repr(VECF32(3)))}"].dimension == 3


def test_autogenerate_of_an_unchanged_schema_finds_nothing(engine, server):
    metadata = declared(server.release)
    create(engine, metadata)
    with engine.connect() as connection:
        assert differences(connection, metadata) == []


def test_has_table_finds_a_table_of_every_type(engine, server):
    create(engine, declared(server.release))
    create(engine, declared(server.release))
    assert sa.inspect(engine).has_table("types")


def count_statements(engine):
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    return statements


def test_reflection_of_each_table_after_get_table_names_is_batched(engine, server):
    create(engine, declared(server.release))
    statements = count_statements(engine)
    inspector = sa.inspect(engine)
    one_by_one = {table: facts(inspector, table) for table in inspector.get_table_names()}
    assert len(statements) <= 8
    assert one_by_one == facts_of_all(sa.inspect(engine), one_by_one)


def test_reflection_of_one_table_sends_two_statements(engine, three_databases):
    statements = count_statements(engine)
    table = sa.Table("child0", sa.MetaData(), autoload_with=engine, resolve_fks=False)
    assert {key.target_fullname for key in table.foreign_keys} == {"parent.Id", f"{OTHERS[1]}.parent.Id"}
    assert len(statements) == 2
    sa.inspect(engine).get_columns("child0", schema=OTHERS[0])
    assert len(statements) == 3


def test_reflection_of_one_table_inside_a_transaction_sees_its_changes(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE fresh (`Id` INT PRIMARY KEY, a INT, KEY ix_a (a))")
        connection.exec_driver_sql("CREATE TABLE refers (id INT PRIMARY KEY, `toId` INT REFERENCES fresh (`Id`))")
        table = sa.Table("fresh", sa.MetaData(), autoload_with=connection)
        assert (table.columns.keys(), [index.name for index in table.indexes]) == (["Id", "a"], ["ix_a"])


def test_get_view_definition_of_a_long_view_is_whole(engine):
    literal = "x" * 7000
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE VIEW wide AS SELECT '{literal}' AS text")
    assert literal in sa.inspect(engine).get_view_definition("wide")


def test_reflection_finds_a_table_created_after_get_table_names(engine):
    inspector = sa.inspect(engine)
    assert inspector.get_table_names() == []
    sa.Table("late", sa.MetaData(), Column("x", sa.Integer)).create(engine)
    assert [column["name"] for column in inspector.get_columns("late")] == ["x"]


OTHERS = (f"{DATABASE}_b", f"{DATABASE}_c")


def of_three_databases():
    metadata = sa.MetaData()
    for schema in (None, *OTHERS):
        prefix = f"{schema}." if schema else ""
        sa.Table("parent", metadata, Column("Id", sa.Integer, primary_key=True), Column("x", sa.Integer), schema=schema)
        for number in range(5):
            sa.Table(
                f"child{number}",
                metadata,
                Column("id", sa.Integer, primary_key=True),
                Column("parentId", sa.ForeignKey(f"{prefix}parent.Id", name=f"fk{number}")),
                Column("otherId", sa.ForeignKey(f"{OTHERS[1]}.parent.Id", name=f"fk_other{number}")),
                Column("name", sa.String(20), unique=True),
                sa.Index(f"ix{number}", "name"),
                schema=schema,
            )
    return metadata


@pytest.fixture
def three_databases(engine, admin):
    """Declare the tables of three databases, with keys into the last one."""
    make_databases(admin, *OTHERS)
    metadata = of_three_databases()
    metadata.create_all(engine)
    yield metadata
    metadata.drop_all(engine)
    drop_databases(admin, *OTHERS)


def of_these(name, type_, parents):
    return type_ != "schema" or name in (None, *OTHERS)


def test_autogenerate_of_three_databases_sends_eight_statements_each(engine, three_databases):
    opts = {"compare_type": True, "compare_server_default": True, "include_schemas": True, "include_name": of_these}
    statements = count_statements(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), three_databases) == []
    assert len(statements) <= 3 * 8 + 1


def test_autogenerate_of_a_key_into_the_default_schema_finds_no_difference(engine, three_databases):
    metadata = sa.MetaData()
    sa.Table("owner", metadata, Column("id", sa.Integer, primary_key=True))
    key = sa.ForeignKey("owner.id", name="fk_owner", ondelete="CASCADE")
    sa.Table("owned", metadata, Column("id", sa.Integer, primary_key=True), Column("ownerId", key), schema=OTHERS[0])
    metadata.create_all(engine)
    opts = {"include_schemas": True, "include_name": of_these, "include_object": lambda part, name, *_: "own" in name}
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), metadata) == []
    metadata.drop_all(engine)


def test_get_foreign_keys_into_another_database(engine, three_databases):
    keys = sa.inspect(engine).get_foreign_keys("child0", schema=OTHERS[0])
    assert [
        (key["constrained_columns"], key["referred_schema"], key["referred_table"], key["referred_columns"])
        for key in keys
    ] == [(["parentId"], OTHERS[0], "parent", ["Id"]), (["otherId"], OTHERS[1], "parent", ["Id"])]
    reflected = sa.MetaData()
    reflected.reflect(engine, schema=OTHERS[0])
    assert {table.schema for table in reflected.tables.values()} == set(OTHERS)


@pytest.mark.releases(since=(4, 2))
def test_get_foreign_keys_to_a_missing_table(engine, admin):
    admin("SET foreign_key_checks = 0")
    admin(
        f"CREATE TABLE {DATABASE}.early (id INT PRIMARY KEY, `laterId` INT, "
        f"CONSTRAINT fk_later FOREIGN KEY (`laterId`) REFERENCES {DATABASE}.later (id))"
    )
    (key,) = sa.inspect(engine).get_foreign_keys("early")
    assert (key["constrained_columns"], key["referred_table"], key["referred_columns"]) == (
        ["laterId"],
        "later",
        ["id"],
    )


def test_reflection_accepts_a_schema_in_any_case(engine, three_databases):
    schema = OTHERS[1].upper()
    inspector = sa.inspect(engine)
    names = inspector.get_table_names(schema=schema)
    assert names == inspector.get_table_names(schema=OTHERS[1])
    assert len(names) == 6
    assert {key["referred_schema"] for key in inspector.get_foreign_keys("child0", schema=schema)} == {schema}
    assert inspector.get_multi_columns(schema=schema).keys() == {(schema, name) for name in names}


def test_get_foreign_keys_after_use_of_another_database(engine, three_databases):
    with engine.connect() as connection:
        connection.exec_driver_sql(f"USE {OTHERS[1]}")
        keys = sa.inspect(connection).get_foreign_keys("child0")
        assert {key["referred_schema"] for key in keys} == {None}
        connection.exec_driver_sql(f"USE {DATABASE}")


@pytest.mark.parametrize(("name", "schema"), [("Orders", None), ("orders", DATABASE.upper())])
def test_autogenerate_of_a_table_name_in_another_case_is_refused(engine, name, schema):
    metadata = sa.MetaData()
    table = sa.Table(name, metadata, Column("id", sa.Integer, primary_key=True), schema=schema)
    metadata.create_all(engine)
    opts = {"autogenerate_plugins": ["alembic.autogenerate.*", "sqlalchemy_matrixone"]}
    said = f"'{table.fullname}' is called '{table.fullname.lower()}' on the server"
    with engine.connect() as connection, pytest.raises(CommandError, match=said):
        compare_metadata(MigrationContext.configure(connection, opts=opts), metadata)
    opts["include_object"] = lambda object_, name, type_, reflected, compare_to: False
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), metadata) == []


ACCOUNT = "co_reflection_acc"


@pytest.fixture
def account(server, admin):
    """Connect as the administrator of another account, whose catalog lacks the tables of sys."""
    clean_up(admin, accounts=(ACCOUNT,))
    of_account = server.engine(server.url(user=f"{ACCOUNT}:admin", password="111", database=None))
    with of_account.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
    yield server.engine(server.url(user=f"{ACCOUNT}:admin", password="111", database=DATABASE))
    drop_accounts(admin, ACCOUNT)


def test_reflection_by_another_account_sees_its_own_tables(engine, account, server):
    sa.Table("of_sys", sa.MetaData(), Column("x", sa.Integer)).create(engine)
    metadata = declared(server.release)
    create(account, metadata)
    statements = count_statements(account)
    with account.connect() as connection:
        assert sa.inspect(connection).get_table_names() == sorted(metadata.tables)
        statements.clear()
        assert differences(connection, metadata) == []
    assert len(statements) <= 8


@pytest.fixture
def user(engine, server, admin):
    """Who may do everything in the one database, and not read the server's catalog."""
    admin.prepare(
        "user without the catalog",
        "DROP USER IF EXISTS co_user",
        "DROP ROLE IF EXISTS co_role",
        "CREATE ROLE co_role",
        "CREATE USER co_user IDENTIFIED BY '111' DEFAULT ROLE co_role",
        "GRANT CONNECT ON ACCOUNT * TO co_role",
        f"GRANT ALL ON DATABASE {DATABASE} TO co_role",
        f"GRANT ALL ON TABLE {DATABASE}.* TO co_role",
        "GRANT co_role TO co_user",
    )
    yield server.engine(server.url(user="co_user", password="111", database=DATABASE))
    admin.unrecorded("DROP USER co_user")
    admin.unrecorded("DROP ROLE co_role")


def test_reflection_without_catalog_privileges_uses_show_create(engine, user, server):
    """SHOW CREATE TABLE omits MEDIUMINT and quotes differently; everything else is equal."""
    metadata = declared(server.release)
    create(engine, metadata)

    def is_shown(object_, name, type_, reflected, compare_to):
        return name != "quoted" and not isinstance(getattr(object_, "type", None), mysql.MEDIUMINT)

    inspector = sa.inspect(user)
    assert inspector.get_table_names() == sorted(metadata.tables)
    assert inspector.get_view_names() == []
    assert inspector.has_table("child")
    if server.release >= (3, 0):
        assert DATABASE in inspector.get_schema_names()
    with user.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_object": is_shown}
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), metadata) == []


def test_reflection_of_views_and_comments_without_catalog_privileges(engine, user, admin):
    admin(f"CREATE TABLE {DATABASE}.told (a INT, b INT COMMENT 'a) CLUSTER BY b', c INT)")
    admin(f"CREATE VIEW {DATABASE}.seen AS SELECT a, c FROM {DATABASE}.told")
    inspector = sa.inspect(user)
    assert [column["name"] for column in inspector.get_columns("told")] == ["a", "b", "c"]
    assert [(column["name"], str(column["type"])) for column in inspector.get_columns("seen")] == [
        ("a", "INTEGER"),
        ("c", "INTEGER"),
    ]


def test_get_indexes_returns_index_options(engine, server):
    create(engine, declared(server.release))
    indexes = {index["name"]: index for index in sa.inspect(engine).get_indexes("articles")}
    assert indexes["ix_text"]["column_names"] == ["title", "body"]
    assert indexes["ix_text"]["dialect_options"] == {
        "matrixone_using": "fulltext",
        "matrixone_with_parser": "ngram",
    }
    assert indexes["ix_embedding"]["dialect_options"] == {
        "matrixone_using": "ivfflat",
        "matrixone_lists": 2,
        "matrixone_op_type": "vector_l2_ops",
    }


def test_get_indexes_returns_the_comment(engine):
    metadata = sa.MetaData()
    table = sa.Table("commented", metadata, sa.Column("id", sa.Integer), sa.Column("note", sa.String(20)))
    comment = r"100% of 'a\b'"
    sa.Index("ix_note", table.c.note, matrixone_comment=comment)
    metadata.create_all(engine)
    [index] = sa.inspect(engine).get_indexes("commented")
    assert index["dialect_options"] == {"matrixone_comment": comment}
    with engine.connect() as connection:
        assert differences(connection, metadata) == []


def test_reflected_key_columns_keep_their_order_after_a_flush_to_disk(engine, admin):
    metadata = sa.MetaData()
    sa.Table("pair", metadata, *(Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in "xy"))
    sa.Table(
        "user",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("a", sa.Integer),
        Column("b", sa.Integer),
        sa.ForeignKeyConstraint(["b", "a"], ["pair.x", "pair.y"], name="fk_pair"),
    )
    metadata.create_all(engine)
    admin("SELECT mo_ctl('dn', 'flush', 'mo_catalog.mo_foreign_keys')")
    (key,) = sa.inspect(engine).get_foreign_keys("user")
    assert (key["constrained_columns"], key["referred_columns"]) == (["b", "a"], ["x", "y"])
    with engine.connect() as connection:
        assert differences(connection, metadata) == []


def test_reflected_primary_key_is_whole_after_its_column_was_renamed(engine):
    """Check the key although the catalog keeps the former name: without the column, rows would share a key."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE `lines` (doc INT, num INT, txt VARCHAR(9), PRIMARY KEY (doc, num))"))
        connection.execute(text("CREATE TABLE docs (id INT PRIMARY KEY, txt VARCHAR(9))"))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE `lines` RENAME COLUMN num TO line"))
        connection.execute(text("ALTER TABLE docs RENAME COLUMN id TO doc"))
    metadata = sa.MetaData()
    metadata.reflect(engine)
    keys = {name: list(table.primary_key.columns.keys()) for name, table in metadata.tables.items()}
    assert keys == {"lines": ["doc", "line"], "docs": ["doc"]}
    assert sa.inspect(engine).get_pk_constraint("lines")["constrained_columns"] == ["doc", "line"]


def test_reflection_omits_internal_tables_columns_and_databases(engine, server):
    create(engine, declared(server.release))
    inspector = sa.inspect(engine)
    assert not [name for name in inspector.get_table_names() if name.startswith("__mo_")]
    assert not {"mo_catalog", "information_schema", "system"} & set(inspector.get_schema_names())
    assert "__mo_fake_pk_col" not in repr(inspector.get_multi_columns())
    assert inspector.get_table_names("mo_catalog")  # for who asks by name


def retyped(table, column, type_):
    def change(metadata):
        metadata.tables[table].c[column].type = type_

    return change


def reindexed(table, name, *columns, **options):
    def change(metadata):
        without(metadata.tables[table].indexes, name)
        sa.Index(name, *(metadata.tables[table].c[column] for column in columns), **options)

    return change


CHANGES = {
    "a column": lambda metadata: metadata.tables["child"].append_column(Column("new", sa.Integer)),
    "a type": retyped("parent", "v", sa.BigInteger()),
    "a length": retyped("defaults", "a", sa.String(30)),
    "no length": retyped("defaults", "a", sa.String()),
    "a sign": retyped("parent", "v", mysql.INTEGER(unsigned=True)),
    "no precision": retyped("defaults", "e", sa.Numeric()),
    "microseconds": retyped("defaults", "f", mysql.DATETIME(fsp=6)),
    "a number for a boolean": retyped("defaults", "i", mysql.TINYINT()),
    "a value of an ENUM": retyped("listed", "e", sa.Enum("a", "b", "c", name="e")),
    "a dimension": retyped("vectors", "v", VECF32(4)),
    "a null": lambda metadata: setattr(metadata.tables["child"].c.a, "nullable", False),
    "a default": lambda metadata: setattr(
        metadata.tables["defaults"].c.c, "server_default", sa.DefaultClause("6", for_update=False)
    ),
    "a comment": lambda metadata: setattr(metadata.tables["defaults"], "comment", "it's another"),
    "an index": lambda metadata: sa.Index("ix_new", metadata.tables["child"].c.b),
    "a unique key": lambda metadata: metadata.tables["child"].append_constraint(
        sa.UniqueConstraint("own", "b", name="uq_new")
    ),
    "a foreign key": lambda metadata: metadata.tables["articles"].append_constraint(
        sa.ForeignKeyConstraint(["order"], ["child.id"], name="fk_new")
    ),
    "a table": lambda metadata: sa.Table("fresh", metadata, Column("v", VECF64(2)), Column("id", sa.Integer)),
    "a full-text index": lambda metadata: sa.Index(
        "ix_new", metadata.tables["articles"].c.title, matrixone_using="fulltext"
    ),
    "a vector index": lambda metadata: sa.Index(
        "ix_new",
        metadata.tables["vectors"].c.v,
        matrixone_using="ivfflat",
        matrixone_lists=2,
        matrixone_op_type="vector_l2_ops",
    ),
    "a column's comment": lambda metadata: setattr(metadata.tables["defaults"].c.a, "comment", "new"),
    "no column": lambda metadata: metadata.tables["child"]._columns.remove(metadata.tables["child"].c.own),
    "no default": lambda metadata: setattr(metadata.tables["defaults"].c.a, "server_default", None),
    "no comment": lambda metadata: setattr(metadata.tables["defaults"], "comment", None),
    "no comment of a column": lambda metadata: setattr(metadata.tables["defaults"].c.id, "comment", None),
    "no index": lambda metadata: without(metadata.tables["child"].indexes, "ix_a_b"),
    "no index named as its column": lambda metadata: without(metadata.tables["articles"].indexes, "title"),
    "no index with capitals": lambda metadata: without(metadata.tables["purchase"].indexes, "IX_Both"),
    "no full-text index": lambda metadata: without(metadata.tables["articles"].indexes, "ix_text"),
    "no vector index": lambda metadata: without(metadata.tables["articles"].indexes, "ix_embedding"),
    "no unique key": lambda metadata: without(metadata.tables["parent"].constraints, "uq_v_z"),
    "no unique key with capitals": lambda metadata: without(metadata.tables["purchase"].constraints, "UQ_Code"),
    "no foreign key": lambda metadata: without(metadata.tables["child"].constraints, "fk_both"),
    "no foreign key with capitals": lambda metadata: without(metadata.tables["purchase"].constraints, "FK_Code"),
    "no table": lambda metadata: metadata.remove(metadata.tables["tree"]),
}
CHANGES_OF_3 = {"a value of a SET": retyped("listed", "s", mysql.SET("a", "b", "c"))}
CHANGES_OF_4_2 = {
    "a generated column": lambda metadata: metadata.tables["checked"].append_column(
        Column("h", sa.Integer, sa.Computed("x * 2", persisted=True))
    ),
    "no generated column": lambda metadata: metadata.tables["checked"]._columns.remove(metadata.tables["checked"].c.g),
}
# An index cannot be altered: it is dropped and created again.
REPLACED = {
    "a parser": reindexed(
        "articles", "ix_text", "title", "body", matrixone_using="fulltext", matrixone_with_parser="json"
    ),
    "lists": reindexed("articles", "ix_embedding", "embedding", matrixone_using="ivfflat", matrixone_lists=3),
    "an operator": reindexed(
        "articles", "ix_embedding", "embedding", matrixone_using="ivfflat", matrixone_op_type="vector_cosine_ops"
    ),
    "hnsw for ivfflat": reindexed("articles", "ix_embedding", "embedding", matrixone_using="hnsw", matrixone_m=16),
    "fulltext for an ordinary index": reindexed("articles", "ix_title", "title", matrixone_using="fulltext"),
    "an ordinary index for fulltext": reindexed("articles", "ix_text", "title"),
}
REPLACED_OF_4_2 = {
    "a prefix": reindexed("articles", "ix_title", "title", mysql_length=50),
    "included columns": reindexed(
        "articles",
        "ix_embedding",
        "embedding",
        matrixone_using="ivfflat",
        matrixone_include=["MixedCase", "order"],
        matrixone_async=True,
        matrixone_quantization="float16",
        # Without a quote, which breaks the server's own INSERT into mo_indexes.
        matrixone_comment="near",
    ),
}


def without(parts, name):
    parts.remove(next(part for part in parts if part.name == name))


@pytest.mark.parametrize("change", CHANGES)
def test_autogenerate_detects_and_applies_single_change(engine, server, change):
    is_found_and_applied(engine, server.release, CHANGES[change], 1)


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("change", CHANGES_OF_3)
def test_autogenerate_detects_single_change_since_3_0(engine, server, change):
    is_found_and_applied(engine, server.release, CHANGES_OF_3[change], 1)


@pytest.mark.releases(since=(4, 2))
@pytest.mark.parametrize("change", CHANGES_OF_4_2)
def test_autogenerate_detects_single_change_since_4_2(engine, server, change):
    is_found_and_applied(engine, server.release, CHANGES_OF_4_2[change], 1)


@pytest.mark.parametrize("change", REPLACED)
def test_autogenerate_replaces_a_changed_index(engine, server, change):
    is_found_and_applied(engine, server.release, REPLACED[change], 2)


@pytest.mark.releases(since=(4, 0))
@pytest.mark.parametrize("change", REPLACED_OF_4_2)
def test_autogenerate_replaces_a_changed_index_since_4_2(engine, server, change):
    if change != "a prefix" and server.release < (4, 2):
        pytest.skip("not before 4.2")
    is_found_and_applied(engine, server.release, REPLACED_OF_4_2[change], 2)


def is_found_and_applied(engine, release, change, count):
    create(engine, declared(release))
    metadata = declared(release)
    change(metadata)
    with engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=opts)
        assert len(compare_metadata(context, metadata)) == count
        migrate(context, metadata)
        connection.commit()
        assert differences(connection, metadata) == []


@pytest.mark.releases(since=(4, 2))
def test_vector_values_round_trip_unchanged(engine, server):
    metadata = declared(server.release)
    create(engine, metadata)
    table = metadata.tables["articles"]
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"id": 1, "embedding": [1.0, 2.5, 3.0]}, {"id": 2, "embedding": None}])
        assert connection.execute(sa.select(table.c.embedding).order_by(table.c.id)).scalars().all() == [
            [1.0, 2.5, 3.0],
            None,
        ]
        distance = table.c.embedding.l2_distance([1.0, 2.5, 4.0])
        assert connection.scalar(sa.select(distance).where(table.c.id == 1)) == 1.0
