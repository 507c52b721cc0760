"""The Alembic implementation: its registration, transactional DDL, and no effect on other dialects."""

import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import render_python_code
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.operations.ops import AddColumnOp, UpgradeOps
from alembic.testing.fixtures import op_fixture
from sqlalchemy import Column, Index, Integer, MetaData, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql, registry
from sqlalchemy.schema import CreateTable

from sqlalchemy_matrixone.alembic.compare.defaults import canonical_default
from sqlalchemy_matrixone.alembic.compare.indexes import index_differences
from sqlalchemy_matrixone.alembic.compare.names import as_declared, foreign_keys_as_declared
from sqlalchemy_matrixone.alembic.compare.types import canonical_type
from sqlalchemy_matrixone.types import GEOMETRY, VECF32

FOUND = """
from alembic import op
from alembic.autogenerate import render_python_code
from alembic.ddl.impl import DefaultImpl
from alembic.runtime.plugins import Plugin
from sqlalchemy.engine import make_url
from alembic.util.langhelpers import PriorityDispatcher
import sqlalchemy_matrixone.alembic.plugin
dialect = make_url("matrixone+pymysql://h/d").get_dialect()()
assert DefaultImpl.get_by_dialect(dialect).__module__ == "sqlalchemy_matrixone.alembic.impl"
assert op.create_pitr
Plugin.populate_autogenerate_priority_dispatch(PriorityDispatcher(), ["sqlalchemy_matrixone"])
"""


@pytest.mark.parametrize(
    "first",
    [
        "import alembic",
        "import sqlalchemy_matrixone, alembic",
        "import sqlalchemy_matrixone.alembic.op",
        "import sqlalchemy_matrixone.alembic.pitrs",
        "from alembic.autogenerate import renderers",
    ],
)
def test_alembic_impl_is_registered_for_any_import_order(first):
    subprocess.run([sys.executable, "-W", "error", "-c", first + FOUND], check=True)


def test_package_imports_without_alembic():
    """It does not import the module unless that is requested."""
    code = "import sys, sqlalchemy_matrixone.pymysql; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_alembic_plugin_is_iterable_for_older_releases():
    from sqlalchemy_matrixone.alembic import plugin

    assert list(plugin) == [plugin]


def assert_operation(call, expected, dialect="matrixone"):
    context = op_fixture(dialect, as_sql=True)
    call(op)
    context.assert_(expected)  # noqa: PT009 (Alembic's)


ALTERS = [
    (
        lambda op: op.alter_column("t", "c", server_default=sa.text("'5'"), existing_type=sa.Integer),
        "ALTER TABLE t ALTER COLUMN c SET DEFAULT '5'",
    ),
    (
        lambda op: op.alter_column("t", "c", server_default=None, existing_type=sa.Integer),
        "ALTER TABLE t ALTER COLUMN c DROP DEFAULT",
    ),
    (
        lambda op: op.alter_column("t", "c", type_=sa.String(9), nullable=False, comment="it's", server_default="x"),
        "ALTER TABLE t MODIFY c VARCHAR(9) NOT NULL DEFAULT 'x' COMMENT 'it''s'",
    ),
    (
        lambda op: op.alter_column("t", "c", existing_type=sa.Integer, autoincrement=True, schema="s"),
        "ALTER TABLE s.t MODIFY c INTEGER NULL AUTO_INCREMENT",
    ),
    (
        lambda op: op.alter_column("t", "c", new_column_name="d", existing_type=sa.Integer),
        "ALTER TABLE t CHANGE c d INTEGER NULL",
    ),
    (lambda op: op.drop_constraint("f", "t", type_="foreignkey"), "ALTER TABLE t DROP FOREIGN KEY f"),
    (lambda op: op.rename_table("t", "u"), "ALTER TABLE t RENAME TO u"),
    (lambda op: op.create_table_comment("t", "c"), "ALTER TABLE t COMMENT 'c'"),
]


def test_drop_unique_constraint_names_its_table():
    assert_operation(lambda op: op.drop_constraint("u", "t", type_="unique", schema="s"), "DROP INDEX u ON s.t")


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("it's", "('it''s')"),
        ("x", "'x'"),
        (sa.func.concat("a", "b"), "(concat('a', 'b'))"),
        (sa.func.now(), "now()"),
        (sa.text("CURRENT_TIMESTAMP(6)"), "CURRENT_TIMESTAMP(6)"),
        (sa.text("(1 + 2)"), "(1 + 2)"),
    ],
)
def test_alter_column_renders_a_server_default(default, said):
    def alter(op):
        op.alter_column("t", "c", existing_type=sa.String(9), server_default=default)

    assert_operation(alter, f"ALTER TABLE t ALTER COLUMN c SET DEFAULT {said}")


@pytest.mark.parametrize(("call", "sql"), ALTERS, ids=[sql for _, sql in ALTERS])
def test_alter_operations_render_as_for_mysql(call, sql):
    assert_operation(call, sql)
    assert_operation(call, sql, "mysql")


def test_transactional_ddl_is_enabled_only_for_matrixone():
    assert DefaultImpl.get_by_dialect(registry.load("matrixone")()).transactional_ddl is True
    assert DefaultImpl.get_by_dialect(mysql.dialect()).transactional_ddl is False


@pytest.mark.parametrize("declared", ["7d", (7, "d"), None])
def test_create_table_omits_the_declared_pitr(declared):
    table = Table("t", MetaData(), Column("id", Integer), matrixone_pitr=declared, comment="c")
    sql = str(CreateTable(table).compile(dialect=registry.load("matrixone")()))
    assert "PITR" not in sql
    assert "COMMENT='c'" in sql
    assert "PITR" not in str(CreateTable(table).compile(dialect=mysql.dialect()))


MATRIXONE = registry.load("matrixone")()

SAME_TYPES = [
    (sa.Numeric(), mysql.DECIMAL(38, 0)),
    (sa.Numeric(10), mysql.DECIMAL(10, 0)),
    (mysql.DECIMAL(10, 2, unsigned=True), mysql.DECIMAL(10, 2)),
    (sa.Integer(), mysql.INTEGER(display_width=11)),
    (mysql.INTEGER(display_width=10, zerofill=True), sa.Integer()),
    (sa.String(), mysql.VARCHAR(65535)),
    (mysql.VARCHAR(20, charset="utf8mb4", collation="utf8mb4_bin"), sa.String(20)),
    (sa.NVARCHAR(20), sa.String(20)),
    (sa.Uuid(), sa.CHAR(32)),
    (sa.CHAR(), sa.CHAR(1)),
    (mysql.BIT(), mysql.BIT(1)),
    (sa.LargeBinary(20), mysql.LONGBLOB()),
    (sa.Float(23), mysql.FLOAT()),
    (sa.Float(24), mysql.DOUBLE()),
    (mysql.FLOAT(7, 3, unsigned=True), mysql.FLOAT(7, 3)),
    (sa.REAL(), sa.DOUBLE_PRECISION()),
    (VECF32(), VECF32(65535)),
    (mysql.DATETIME(fsp=0), sa.DateTime()),
    (mysql.YEAR(4), mysql.YEAR()),
    (mysql.ENUM("a", "b", charset="utf8mb4"), sa.Enum("a", "b")),
]
OTHER_TYPES = [
    (sa.Integer(), mysql.INTEGER(unsigned=True)),
    (sa.Integer(), sa.BigInteger()),
    (sa.DateTime(), mysql.DATETIME(fsp=6)),
    (sa.Time(), mysql.TIME(fsp=6)),
    (mysql.SET("a"), mysql.SET("a", "b")),
    (sa.Enum("a", "b"), sa.Enum("b", "a")),
    (sa.Enum("A"), sa.Enum("a")),
    (sa.Numeric(10, 2), sa.Numeric()),
    (mysql.DOUBLE(), mysql.DOUBLE(10, 2)),
    (mysql.FLOAT(), mysql.FLOAT(7, 3)),
    (sa.String(20), sa.String()),
    (VECF32(3), VECF32()),
    (GEOMETRY("POINT"), GEOMETRY("POINT", 4326)),
    (sa.Boolean(), mysql.TINYINT()),
    (sa.Text(), sa.String()),
]


@pytest.mark.parametrize("types", SAME_TYPES, ids=repr)
def test_canonical_types_that_the_server_stores_alike_are_equal(types):
    first, second = (canonical_type(MATRIXONE, type_) for type_ in types)
    assert first == second


@pytest.mark.parametrize("types", OTHER_TYPES, ids=repr)
def test_canonical_types_that_the_server_distinguishes_differ(types):
    first, second = (canonical_type(MATRIXONE, type_) for type_ in types)
    assert first != second


def spelled(default, type_):
    return canonical_default(MATRIXONE.ddl_compiler(MATRIXONE, None), Column("c", type_, server_default=default), type_)


SAME_DEFAULTS = [
    (text("NULL"), None, sa.String()),
    (text("(null)"), None, sa.Integer()),
    ("1.50", text("1.5"), sa.Numeric(10, 2)),
    ("007", text("7"), sa.Integer()),
    (sa.true(), "1", sa.Boolean()),
    (text("'true'"), text("(1)"), sa.Boolean()),
    (text("now()"), text("CURRENT_TIMESTAMP"), sa.DateTime()),
    (text("NOW(3)"), text("current_timestamp( 3 )"), mysql.DATETIME(fsp=3)),
    (text("(1 + 2)"), text("1+2"), sa.Integer()),
    (text("CONCAT('A' , 'b')"), text("concat('A','b')"), sa.String()),
    ("it's", text("'it''s'"), sa.String()),
    (text("5"), "5", sa.String()),
]
OTHER_DEFAULTS = [
    ("NULL", None, sa.String()),
    ("1.10", "1.1", sa.String()),
    ("007", "7", sa.String()),
    ("a b", "ab", sa.String()),
    ("A", "a", sa.String()),
    (text("concat('A', 'b')"), text("concat('a', 'b')"), sa.String()),
    (text("concat('a b')"), text("concat('ab')"), sa.String()),
    (text("concat(')', 'now()')"), text("concat(')', 'current_timestamp')"), sa.String()),
    ("now()", text("now()"), sa.String()),
]


@pytest.mark.parametrize(("first", "second", "type_"), SAME_DEFAULTS, ids=str)
def test_canonical_defaults_of_the_same_value_are_equal(first, second, type_):
    assert spelled(first, type_) == spelled(second, type_)


@pytest.mark.parametrize(("first", "second", "type_"), OTHER_DEFAULTS, ids=str)
def test_canonical_defaults_of_different_values_differ(first, second, type_):
    assert spelled(first, type_) != spelled(second, type_)


def test_server_defaults_of_several_columns_are_rendered_by_one_compiler(monkeypatch):
    created = []

    def ddl_compiler(*args):
        created.append(args)
        return type(MATRIXONE).ddl_compiler(*args)

    monkeypatch.setattr(MATRIXONE, "ddl_compiler", ddl_compiler, raising=False)
    impl = DefaultImpl.get_by_dialect(MATRIXONE)(MATRIXONE, None, False, None, None, {})
    columns = [Column("c", Integer, server_default=default) for default in ("1", "2")]
    assert not impl.compare_server_default(columns[0], columns[0], None, None)
    assert impl.compare_server_default(*columns, None, None)
    assert len(created) == 1


def index(**options):
    table = Table("t", MetaData(), Column("v", VECF32(3)), Column("c", sa.String(20)))
    return Index("ix", table.c.v, table.c.c, **{f"matrixone_{name}": value for name, value in options.items()})


IVFFLAT = {"using": "ivfflat", "lists": 2, "op_type": "vector_l2_ops"}


@pytest.mark.parametrize(
    ("declared", "reflected"),
    [
        ({"using": "IVFFLAT"}, IVFFLAT),
        ({**IVFFLAT, "op_type": "VECTOR_L2_OPS"}, IVFFLAT),
        ({**IVFFLAT, "async": False, "day": 0}, IVFFLAT),
        ({**IVFFLAT, "force_sync": True, "m": 16}, IVFFLAT),
        ({**IVFFLAT, "include": ["C", "b"]}, {**IVFFLAT, "include": ["c", "b"]}),
        ({**IVFFLAT, "include": sa.column("c")}, {**IVFFLAT, "include": ["c"]}),
        ({"prefix": "FULLTEXT"}, {"using": "fulltext", "with_parser": "ngram"}),
        ({"using": "btree"}, {}),
        ({"comment": None, "lists": None}, {}),
        ({}, {"length": {"c": 5}}),
        ({"length": 5}, {"length": {"v": 5, "c": 5}}),
        ({}, {"comment": "said in SQL"}),
    ],
)
def test_equivalent_indexes_have_no_differences(declared, reflected):
    assert list(index_differences(index(**declared), index(**reflected), lambda column, length: True)) == []


@pytest.mark.parametrize(
    ("declared", "reflected", "difference"),
    [
        ({"using": "hnsw"}, IVFFLAT, "ivfflat to hnsw"),
        ({"using": "fulltext"}, {}, "btree to fulltext"),
        ({}, {"using": "fulltext"}, "fulltext to btree"),
        ({**IVFFLAT, "lists": 3}, IVFFLAT, "lists 2 to 3"),
        ({**IVFFLAT, "op_type": "vector_cosine_ops"}, IVFFLAT, "op_type vector_l2_ops to vector_cosine_ops"),
        ({**IVFFLAT, "async": True}, IVFFLAT, "async None to true"),
        ({**IVFFLAT, "async": False}, {**IVFFLAT, "async": True}, "async true to None"),
        ({**IVFFLAT, "include": ["c"]}, {**IVFFLAT, "include": ["c", "b"]}, "include ['c', 'b'] to ['c']"),
        ({"using": "hnsw", "m": 16}, {"using": "hnsw"}, "m None to 16"),
        (
            {"using": "hnsw", "quantization": "f16"},
            {"using": "hnsw", "quantization": "bf16"},
            "quantization bf16 to f16",
        ),
        ({"using": "fulltext", "with_parser": "json"}, {"using": "fulltext"}, "with_parser None to json"),
        ({"comment": "Near"}, {"comment": "near"}, "comment near to Near"),
        ({"length": {"c": 10}}, {"length": {"c": 5}}, "length {'c': 5} to {'c': 10}"),
        ({"length": {"c": 10}}, {}, "length {} to {'c': 10}"),
    ],
)
def test_different_indexes_name_the_difference(declared, reflected, difference):
    differences = list(index_differences(index(**declared), index(**reflected), lambda column, length: True))
    assert differences == [difference]


def test_index_prefix_lengths_are_compared_only_if_kept():
    assert list(index_differences(index(length=5), index(), lambda column, length: False)) == []
    hides_rows = list(index_differences(index(length=5), index(length={"c": 5}), lambda column, length: False))
    assert hides_rows == ["length {'c': 5} to {}"]


def keyed(name, of=UniqueConstraint, **options):
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Integer))
    return of(table.c.a, name=name, **options) if of is UniqueConstraint else of(name, table.c.a, **options)


def test_reflected_index_name_takes_the_declared_case():
    uniques, indexes = set(), {keyed("ix_a", Index), keyed("uq_a", Index, unique=True), keyed("ix_b", Index)}
    as_declared(uniques, indexes, {keyed("UQ_A")}, {keyed("IX_A", Index), keyed("ix_b", Index)})
    assert [(type(part), part.name) for part in uniques] == [(UniqueConstraint, "UQ_A")]
    assert sorted(part.name for part in indexes) == ["IX_A", "ix_b"]


def referring(to, **options):
    """Return a foreign key of a table in the schema ``other``."""
    metadata = MetaData()
    Table(to.rpartition(".")[2], metadata, Column("a", Integer), schema=to.rpartition(".")[0] or None)
    key = sa.ForeignKeyConstraint(["a"], [f"{to}.a"], **options)
    Table("child", metadata, Column("a", Integer), key, schema="other")
    return key


@pytest.mark.parametrize(
    ("declared", "compared"),
    [("t", "t.a"), ("T", "t.a"), ("main.t", "main.t.a"), ("u", "main.t.a"), ("other.t", "main.t.a")],
)
def test_reflected_foreign_key_into_the_default_schema_takes_the_declared_form(declared, compared):
    reflected = {referring("main.t", name="fk", ondelete="CASCADE")}
    foreign_keys_as_declared(reflected, {referring(declared)}, "main")
    (key,) = reflected
    assert ([element.target_fullname for element in key.elements], key.ondelete) == ([compared], "CASCADE")
    assert key.table.fullname == "other.child"


def test_reflected_foreign_key_name_takes_the_declared_case():
    reflected, declared = (referring("t", name=name) for name in ("myfk", "MyFK"))
    foreign_keys_as_declared({reflected}, {declared}, None)
    assert reflected.name == "MyFK"


@pytest.mark.parametrize("prefix", [None, "my.types."])
def test_autogenerate_renders_matrixone_types_with_their_module(prefix):
    context = MigrationContext.configure(dialect=MATRIXONE, opts={"user_module_prefix": prefix})
    upgrade = UpgradeOps([AddColumnOp("t", Column("v", VECF32(3)))])
    source = render_python_code(upgrade, migration_context=context, user_module_prefix=prefix)
    assert "sa.Column('v', sqlalchemy_matrixone.types.VECF32(dimension=3), nullable=True)" in source
