"""Column types: their SQL, and the conversion of values in both directions."""

import contextlib
import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path

import numpy
import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateIndex, CreateTable

from sqlalchemy_matrixone import types
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.types import DATALINK, GEOMETRY, UUID, VECF32, VECF64, VECINT8, VECTORS, MatrixOneBoolean

DIALECT = MatrixOneDialect_pymysql()
OLD = MatrixOneDialect_pymysql(server_version="3.0.14")


@pytest.mark.parametrize(
    ("type_", "spelling"),
    [
        (VECF32(3), "VECF32(3)"),
        (VECF64(), "VECF64"),
        (VECINT8(3), "VECINT8(3)"),
        (DATALINK(), "DATALINK"),
        (UUID(), "UUID"),
        (GEOMETRY("point", 4326), "POINT SRID 4326"),
        (sa.Boolean(), "BOOL"),
        (sa.Text(1000), "TEXT"),
        (mysql.LONGTEXT(), "TEXT"),
        (mysql.MEDIUMBLOB(), "BLOB"),
        (sa.LargeBinary(100), "BLOB"),
        (sa.String(), "VARCHAR"),
        (sa.NVARCHAR(5), "VARCHAR(5)"),
        (sa.REAL(), "DOUBLE"),
        (sa.Double(53), "DOUBLE"),
        (sa.Uuid(), "CHAR(32)"),
    ],
)
def test_type_is_rendered_as_the_server_spells_it(type_, spelling):
    assert type_.compile(dialect=DIALECT) == spelling


def test_narrow_vector_before_4_2_names_the_needed_release():
    with pytest.raises(exc.CompileError, match=r"VECINT8 needs MatrixOne 4\.2\.0 or later; this is 3\.0\.14"):
        VECINT8(3).compile(dialect=OLD)


class Array:
    """What NumPy's arrays have that matters."""

    def tolist(self):
        return [1.0, 2.5]


@pytest.mark.parametrize("value", [[1.0, 2.5], (1.0, 2.5), Array(), "[1.0,2.5]"])
def test_vector_value_is_bound_as_text(value):
    assert VECF32(2).bind_processor(DIALECT)(value) == "[1.0,2.5]"


@pytest.mark.parametrize(
    ("type_", "array", "text"),
    [
        (VECF32(2), numpy.array([1, 2.5], numpy.float32), "[1.0,2.5]"),
        (VECF64(2), numpy.array([0.1, 1e300], numpy.float64), "[0.1,1e+300]"),
        (VECF32(2), [numpy.float32(1), numpy.float64(2.5)], "[1.0,2.5]"),
        (VECINT8(2), numpy.array([1, -128], numpy.int8), "[1,-128]"),
        (VECINT8(2), [numpy.int8(1), numpy.float32(2)], "[1,2]"),
        (VECF32(0), numpy.array([], numpy.float32), "[]"),
    ],
)
def test_vector_numpy_array_is_bound_as_text(type_, array, text):
    assert type_.bind_processor(DIALECT)(array) == text


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        (VECF32(2), numpy.array(1.5, numpy.float32), "a vector is a list of numbers, not array"),
        (VECF32(2), 1.5, "a vector is a list of numbers, not 1.5"),
        (VECF32(2), [1.0, float("nan")], "a vector cannot contain nan"),
        (VECF64(2), numpy.array([1.0, numpy.inf]), "a vector cannot contain inf"),
        (VECINT8(2), [1, float("-inf")], "a vector cannot contain -inf"),
        (VECINT8(2), [1.5, 2], r"a vector of integers cannot contain 1\.5"),
    ],
)
def test_vector_rejects_invalid_values(type_, value, message):
    with pytest.raises(ValueError, match=message):
        type_.bind_processor(DIALECT)(value)


def test_vector_result_is_a_list():
    process = VECF32(2).result_processor(DIALECT, None)
    assert process("[1, 2.5]") == [1, 2.5]
    assert process(None) is None


@pytest.mark.parametrize("parser", ["json", "orjson"])
@pytest.mark.parametrize("type_", [VECF32(3), VECINT8(3)])
def test_vector_read_by_either_parser_is_the_same(monkeypatch, parser, type_):
    monkeypatch.setattr(types, "_parser", pytest.importorskip(parser))
    text = "[1, 2.5, -1e-07]" if type_.element is float else "[1, 2, -3]"
    read = type_.result_processor(DIALECT, None)(text)
    assert read == json.loads(text)
    assert {type(number) for number in read} == {type_.element}


@pytest.mark.parametrize("type_", [*VECTORS, GEOMETRY, DATALINK, UUID])
def test_vector_statement_has_a_cache_key(type_):
    assert sa.select(sa.column("v", type_())).where(sa.column("v", type_()) == [1])._generate_cache_key() is not None


def test_vector_elements_are_floats_or_integers_by_type():
    assert [type(number) for number in VECF32(2).result_processor(DIALECT, None)("[1, 2]")] == [float, float]
    assert [type(number) for number in VECINT8(2).result_processor(DIALECT, None)("[1, 2]")] == [int, int]
    assert VECINT8(2).bind_processor(DIALECT)([1.0, 2]) == "[1,2]"


def test_vector_literal_is_escaped():
    assert VECF32(2).literal_processor(DIALECT)("[1]' OR '1") == "'[1]'' OR ''1'"


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        ({"b", "a"}, "a,b", 6),
        (["b", "c"], "c,b", 5),
        ("b,c", "c,b", 5),
        (set(), "", 0),
        ("", "", 0),
        (3, 3, 3),
        (None, None, None),
        ({"z"}, "z", "z"),
    ],
)
def test_set_value_is_bound_by_release(value, text, number):
    type_ = mysql.SET("c", "a", "b")
    assert type_.dialect_impl(DIALECT).bind_processor(DIALECT)(value) == text
    assert type_.dialect_impl(OLD).bind_processor(OLD)(value) == number


@pytest.mark.parametrize(("release", "sent"), [("3.0.18", 6), ("4.0.0", "a,b"), ("4.1.4", "a,b"), ("4.2.0", "a,b")])
def test_set_value_is_text_since_4_0(release, sent):
    dialect = MatrixOneDialect_pymysql(server_version=release)
    assert mysql.SET("c", "a", "b").dialect_impl(dialect).bind_processor(dialect)({"a", "b"}) == sent


@pytest.mark.parametrize(
    ("release", "has_number"), [("3.0.14", True), ("4.0.0", False), ("4.1.4", False), ("4.2.0", True)]
)
def test_set_retrieve_as_bitwise_is_refused_on_4_0_and_4_1(release, has_number):
    dialect = MatrixOneDialect_pymysql(server_version=release)
    type_ = mysql.SET("a", retrieve_as_bitwise=True)
    if has_number:
        assert type_.compile(dialect) == "SET('a')"
    else:
        with pytest.raises(exc.CompileError, match=r"retrieve_as_bitwise needs MatrixOne 4\.2\.0 or later"):
            type_.compile(dialect)


@pytest.mark.parametrize(
    ("sent", "value"), [(6, {"a", "b"}), (0, set()), ("a,b", {"a", "b"}), ("", set()), (None, None)]
)
def test_set_result_is_a_set_from_every_release(sent, value):
    type_ = mysql.SET("c", "a", "b").dialect_impl(DIALECT)
    assert type_.result_processor(DIALECT, None)(sent) == value


def test_vector_distance_binds_its_operand_as_a_vector():
    column = sa.column("v", VECF32(2))
    compiled = column.l2_distance([1, 2]).compile(dialect=DIALECT)
    assert str(compiled) == "l2_distance(v, %s)"
    assert isinstance(compiled.binds["v_1"].type, VECF32)
    assert str(column.cosine_distance(sa.column("w")).compile(dialect=DIALECT)) == "cosine_distance(v, w)"


def test_vector_max_inner_product_is_the_negated_product_of_the_server():
    column = sa.column("v", VECF32(2))
    nearest = sa.select(column).order_by(column.max_inner_product([1, 2]))
    assert str(nearest.compile(dialect=DIALECT)).endswith("ORDER BY inner_product(v, %s)")


def test_vector_distance_types_a_bind_parameter():
    column = sa.column("v", VECF32(2))
    compiled = column.cosine_distance(sa.bindparam("q")).compile(dialect=DIALECT)
    assert isinstance(compiled.binds["q"].type, VECF32)
    assert compiled.construct_params({"q": [1, 2]}) == {"q": [1, 2]}
    typed = column.l2_distance(sa.bindparam("q", type_=VECF64(2))).compile(dialect=DIALECT)
    assert isinstance(typed.binds["q"].type, VECF64)
    text = column.l2_distance("[1,2]").compile(dialect=DIALECT)
    assert text.params == {"v_1": "[1,2]"}


@pytest.mark.parametrize(("sent", "value"), [(1, True), (0, False), ("true", True), ("false", False), (None, None)])
def test_boolean_result_is_a_bool_from_every_release(sent, value):
    assert MatrixOneBoolean().result_processor(DIALECT, None)(sent) is value


def table(**options):
    return sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text),
        sa.Column("v", VECF32(3)),
        **options,
    )


@pytest.mark.parametrize(
    ("options", "spelling"),
    [
        (
            {"matrixone_using": "ivfflat", "matrixone_lists": 2, "matrixone_op_type": "vector_l2_ops"},
            "CREATE INDEX ix USING ivfflat ON t (v) LISTS = 2 OP_TYPE 'vector_l2_ops'",
        ),
        (
            {"matrixone_using": "hnsw", "matrixone_m": 16, "matrixone_ef_search": 64},
            "CREATE INDEX ix USING hnsw ON t (v) M = 16 EF_SEARCH = 64",
        ),
        (
            {"matrixone_using": "fulltext", "matrixone_with_parser": "ngram"},
            "CREATE FULLTEXT INDEX ix ON t (v) WITH PARSER ngram",
        ),
        (
            {"matrixone_using": "fulltext", "matrixone_with_parser": "ngram", "matrixone_async": True},
            "CREATE FULLTEXT INDEX ix ON t (v) WITH PARSER ngram ASYNC",
        ),
        (
            {
                "matrixone_using": "ivfflat",
                "matrixone_quantization": "it's",
                "matrixone_auto_update": False,
                "matrixone_async": False,
                "matrixone_include": ["id", "order"],
                "matrixone_comment": "near",
            },
            "CREATE INDEX ix USING ivfflat ON t (v) QUANTIZATION 'it''s' AUTO_UPDATE = FALSE INCLUDE (id, `order`) "
            "COMMENT 'near'",
        ),
        ({"matrixone_include": "id"}, "CREATE INDEX ix ON t (v) INCLUDE (id)"),
        ({"matrixone_include": [sa.column("id")]}, "CREATE INDEX ix ON t (v) INCLUDE (id)"),
        ({"mysql_prefix": "FULLTEXT"}, "CREATE FULLTEXT INDEX ix ON t (v)"),
        ({}, "CREATE INDEX ix ON t (v)"),
    ],
)
def test_create_index_renders_its_options(options, spelling):
    index = sa.Index("ix", table().c.v, **options)
    assert " ".join(str(CreateIndex(index).compile(dialect=DIALECT)).split()) == spelling


def test_index_comment_is_escaped_twice():
    index = sa.Index("ix", table().c.id, matrixone_comment=r"100% of 'a\b'")
    created = str(CreateIndex(index).compile(dialect=DIALECT))
    assert created.endswith(r" COMMENT '100%% of ''''a\\\\b'''''")


def test_index_comment_after_4_2_is_escaped_once():
    index = sa.Index("ix", table().c.id, matrixone_comment=r"100% of 'a\b'")
    created = str(CreateIndex(index).compile(dialect=MatrixOneDialect_pymysql(server_version="4.3.0")))
    assert created.endswith(r" COMMENT '100%% of ''a\\b'''")


def test_index_text_option_is_a_literal():
    index = sa.Index("ix", table().c.v, matrixone_using="ivfflat", matrixone_op_type="'\\")
    assert str(CreateIndex(index).compile(dialect=DIALECT)).endswith(r" OP_TYPE '''\\'")


@pytest.mark.parametrize(
    ("option", "needs"),
    [("include", "4.1.0"), ("async", "4.0.0"), ("force_sync", "4.0.0"), ("auto_update", "4.0.0")],
)
def test_index_option_before_its_release_names_it(option, needs):
    index = sa.Index("ix", table().c.v, matrixone_using="ivfflat", **{f"matrixone_{option}": ["id"]})
    with pytest.raises(exc.CompileError, match=f"matrixone_{option} needs MatrixOne {needs} or later; this is 3.0.14"):
        CreateIndex(index).compile(dialect=OLD)


@pytest.mark.parametrize(
    ("type_", "name"), [(mysql.YEAR(), "YEAR"), (mysql.SET("a"), "SET"), (GEOMETRY("POINT"), "POINT")]
)
def test_type_before_its_release_names_it(type_, name):
    type_.compile(OLD)
    with pytest.raises(exc.CompileError, match=f"{name} needs MatrixOne 3.0.0 or later; this is 2.2.2"):
        type_.compile(MatrixOneDialect_pymysql(server_version="2.2.2"))


@pytest.mark.parametrize(
    ("release", "message"),
    [("2.2.2", "needs MatrixOne 3.0.0"), ("4.2.0", "splits ENUM values at commas")],
)
def test_enum_value_with_a_comma_is_refused_by_release(release, message):
    type_ = sa.Enum("a", "b,c")
    assert type_.compile(OLD) == "ENUM('a','b,c')"
    with pytest.raises(exc.CompileError, match=message):
        type_.compile(MatrixOneDialect_pymysql(server_version=release))


def test_server_default_with_quotes_by_release():
    column = sa.Column("c", sa.String(9), server_default="it's")
    created = CreateTable(sa.Table("t", sa.MetaData(), column))
    assert "DEFAULT ('it''s')" in str(created.compile(dialect=DIALECT))
    assert "DEFAULT 'it''s'" in str(created.compile(dialect=OLD))


def test_types_page_examples_run():
    page = (Path(__file__).parents[2] / "docs" / "types.md").read_text()
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S):
        exec(block, names)
    indexes = names["Item"].__table__.indexes
    assert {index.name for index in indexes} == {"ix_near", "ix_alike", "ix_text"}
    for statement in (names["nearest"], CreateTable(names["Item"].__table__), *map(CreateIndex, indexes)):
        assert str(statement.compile(dialect=DIALECT))


def test_named_unique_constraint_keeps_its_name():
    unique = table()
    unique.append_constraint(sa.UniqueConstraint("id", name="uq"))
    assert "UNIQUE KEY uq (id)" in str(CreateTable(unique).compile(dialect=DIALECT))


def test_create_table_renders_table_options():
    created = str(
        CreateTable(table(comment="it's", matrixone_pitr="7d", matrixone_cluster_by=["id", "body"])).compile(
            dialect=DIALECT
        )
    )
    assert created.strip().endswith(")COMMENT='it''s' CLUSTER BY (id, body)")
    assert "7d" not in created


def test_for_update_read_is_for_share_since_4_2():
    select = sa.select(table().c.id)
    assert str(select.with_for_update(read=True).compile(dialect=DIALECT)).endswith(" FOR SHARE")
    assert str(select.with_for_update(read=True).compile(dialect=OLD)).endswith(" FOR UPDATE")


def test_for_update_of_omits_the_tables():
    select = sa.select(table().c.id)
    assert str(select.with_for_update(of=table()).compile(dialect=DIALECT)).endswith(" FOR UPDATE")


def test_returning_names_the_release_that_has_it():
    statement = table().insert().returning(sa.column("id"))
    assert "RETURNING id" in str(statement.compile(dialect=DIALECT))
    with pytest.raises(exc.CompileError, match=r"4\.2\.0"):
        statement.compile(dialect=OLD)


class Colour(sa.types.TypeDecorator):
    impl = sa.Enum("red", "blue")
    cache_ok = True


@pytest.mark.parametrize(
    ("type_", "returned"),
    [
        (None, True),
        (sa.Integer(), True),
        (sa.Enum("a", "b"), False),
        (sa.Enum("a", "b", native_enum=False), True),
        (mysql.SET("a", "b"), False),
        (Colour(), False),
        (sa.String(5).with_variant(mysql.ENUM("a", "b"), "mysql"), False),
    ],
)
def test_returning_leaves_out_enum_and_set_columns(type_, returned):
    made = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    made.append_column(sa.Column("c", type_, server_default="a"))
    for column in (made.c.c, made.c.c.label("x")):
        statement = made.insert().returning(made.c.id, column)
        if returned:
            assert "RETURNING" in str(statement.compile(dialect=DIALECT))
        else:
            with pytest.raises(exc.CompileError, match=r"cannot return an ENUM or SET: leave (t\.c|x) out"):
                statement.compile(dialect=DIALECT)
    defaults = str(made.insert().values(id=1).return_defaults(made.c.c).compile(dialect=DIALECT))
    assert ("RETURNING t.c" in defaults) is returned


def test_returning_with_an_upsert_is_refused():
    statement = mysql.insert(table()).values(id=1).on_duplicate_key_update(id=2).returning(sa.column("id"))
    with pytest.raises(exc.CompileError, match="no RETURNING with ON DUPLICATE KEY UPDATE"):
        statement.compile(dialect=DIALECT)


def test_upsert_has_no_alias():
    statement = mysql.insert(table()).values(id=1, body="a")
    statement = statement.on_duplicate_key_update(body=statement.inserted.body)
    assert str(statement.compile(dialect=DIALECT)).endswith("ON DUPLICATE KEY UPDATE body = VALUES(body)")


def test_like_with_an_escape_is_rewritten_before_4_2():
    like = table().c.body.like("a/%b", escape="/")
    assert str(like.compile(dialect=DIALECT)).endswith("ESCAPE '/'")
    assert "ESCAPE" not in str(like.compile(dialect=OLD))
    assert str(like.compile(dialect=OLD)).count("REPLACE") == 4


@pytest.mark.parametrize("type_", [*(vector(3) for vector in VECTORS), DATALINK(), GEOMETRY("POINT", 4326)], ids=repr)
def test_type_base_classes_compile_or_raise_compile_error(type_):
    """sqlacodegen tries each of them, and keeps the type if it raises a CompileError."""
    for base in type(type_).__mro__:
        if base is sa.types.UserDefinedType or not hasattr(base, "__visit_name__"):
            break
        with contextlib.suppress(exc.CompileError):
            assert type_.adapt(base).compile(dialect=DIALECT)


@pytest.mark.parametrize(
    ("type_", "code", "sent", "value"),
    [
        (sa.Date(), 253, "2026-01-02", dt.date(2026, 1, 2)),
        (sa.Date(), 253, "0000-00-00", "0000-00-00"),
        (sa.DateTime(), 253, "2026-01-02 03:04:05.000006", dt.datetime(2026, 1, 2, 3, 4, 5, 6)),
        (mysql.DATETIME(fsp=6), 254, "2026-01-02 03:04:05", dt.datetime(2026, 1, 2, 3, 4, 5)),
        (sa.TIMESTAMP(), 253, "2026-01-02 03:04:05", dt.datetime(2026, 1, 2, 3, 4, 5)),
        (sa.Time(), 253, "03:04:05", dt.time(3, 4, 5)),
        (sa.Time(), 11, dt.timedelta(seconds=61), dt.time(0, 1, 1)),
        (mysql.TIME(fsp=6), 253, None, None),
        (sa.Interval(), 253, "1970-01-02 00:00:03", dt.timedelta(days=1, seconds=3)),
        (sa.Numeric(), 5, 3.5, Decimal("3.5")),
        (sa.Numeric(asdecimal=False), 5, 3.5, 3.5),
        (mysql.BIT(8), 8, 5, 5),
        (mysql.BIT(8), 16, b"\x01\x02", 258),
        (mysql.BIT(8), 16, None, None),
    ],
)
def test_value_that_the_server_returns_in_another_form_has_its_type(type_, code, sent, value):
    process = type_.dialect_impl(DIALECT).result_processor(DIALECT, code)
    found = sent if process is None else process(sent)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "spelling"),
    [
        (mysql.DATETIME(fsp=6), "DATETIME(6)"),
        (mysql.TIMESTAMP(fsp=3), "TIMESTAMP(3)"),
        (mysql.TIME(fsp=6), "TIME(6)"),
        (sa.Numeric(10, 2), "NUMERIC(10, 2)"),
        (mysql.BIT(8), "BIT(8)"),
    ],
)
def test_variant_of_a_standard_type_keeps_its_arguments(type_, spelling):
    assert type_.dialect_impl(DIALECT).compile(dialect=DIALECT) == spelling
