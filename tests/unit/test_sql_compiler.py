"""Expressions whose SQL differs from that of MySQL, by release."""

from __future__ import annotations

import warnings

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import CompileError, SAWarning

from sqlalchemy_matrixone import MatrixOneArgumentError
from sqlalchemy_matrixone import types as matrixone
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from tests.unit.compiling import assert_compile, dialect, sql

T = sa.table(
    "t",
    sa.column("id", sa.Integer),
    sa.column("data", sa.JSON),
    sa.column("a", sa.Integer),
    sa.column("b", sa.Integer),
    sa.column("s", sa.String),
)
KEY = "JSON_EXTRACT(t.data, '$.\"k\"')"


def null_or(value: str, of: str = KEY) -> str:
    return f"SELECT CASE {of} WHEN 'null' THEN NULL ELSE {value} END AS v FROM t"


class TestJsonExtraction:
    @pytest.mark.parametrize(
        ("value", "before_3", "since_3", "since_4", "since_4_2"),
        [
            (
                T.c.data["k"].as_integer(),
                f"CAST(JSON_UNQUOTE({KEY}) AS SIGNED)",
                f"CAST({KEY} AS SIGNED)",
                *(2 * [f"CAST(CAST(JSON_UNQUOTE({KEY}) AS DECIMAL(38, 0)) AS SIGNED)"]),
            ),
            (
                T.c.data["k"].as_numeric(10, 2),
                f"CAST(JSON_UNQUOTE({KEY}) AS DECIMAL(10, 2))",
                *(3 * [f"CAST({KEY} AS DECIMAL(10, 2))"]),
            ),
            (
                T.c.data["k"].as_float(),
                f"CAST(JSON_UNQUOTE({KEY}) AS DOUBLE)",
                *(2 * [f"CAST({KEY} AS DOUBLE)"]),
                f"{KEY}+0.0000000000000000000000",
            ),
            (T.c.data["k"].as_string(), *(4 * [f"JSON_UNQUOTE({KEY})"])),
        ],
    )
    def test_json_number_has_no_untyped_null_before_4_2(self, value, before_3, since_3, since_4, since_4_2):
        statement = sa.select(value.label("v"))
        assert_compile(statement, f"SELECT {before_3} AS v FROM t", "2.2.2", literal_binds=True)
        assert_compile(statement, f"SELECT {since_3} AS v FROM t", "3.0.0", literal_binds=True)
        assert_compile(statement, f"SELECT {since_4} AS v FROM t", "4.1.4", literal_binds=True)
        assert_compile(statement, null_or(since_4_2), "4.2.0", literal_binds=True)

    def test_json_path_is_extracted_like_a_key(self):
        path = "JSON_EXTRACT(t.data, '$.\"k\"[1]')"
        statement = sa.select(T.c.data["k", 1].as_integer().label("v"))
        expected = f"SELECT CAST(JSON_UNQUOTE({path}) AS SIGNED) AS v FROM t"
        assert_compile(statement, expected, "2.2.2", literal_binds=True)

    @pytest.mark.parametrize(
        ("key", "quoted"),
        [
            ("a.b", "a.b"),
            ('a"b', 'a\\"b'),
            ("a\\b", "a\\\\b"),
            ("a\nb", "a\\nb"),
            ("a\x01b", "a\\u0001b"),
            ("ü😀", "ü😀"),
        ],
    )
    def test_json_key_with_special_characters_is_escaped_in_the_path(self, key, quoted):
        for item, path in ((T.c.data[key], f'$."{quoted}"'), (T.c.data["o", 1, key], f'$."o"[1]."{quoted}"')):
            bound = item.right.type.dialect_impl(dialect()).bind_processor(dialect())
            assert bound(item.right.value) == path
            literal = path.replace("\\", "\\\\")
            expected = f"SELECT JSON_EXTRACT(t.data, '{literal}') AS v FROM t"
            assert_compile(sa.select(item.label("v")), expected, literal_binds=True)

    def test_json_boolean_is_compared_as_text(self):
        statement = sa.select(T.c.data["k"].as_boolean().label("v"))
        expected = f"SELECT {KEY} IN ('true', '1') AS v FROM t"
        assert_compile(statement, expected, "2.2.2", literal_binds=True)
        assert_compile(
            statement,
            f"SELECT CASE {KEY} WHEN 'null' THEN NULL WHEN 'true' THEN true WHEN '1' THEN true "
            f"ELSE CASE WHEN {KEY} IS NULL THEN NULL ELSE false END END AS v FROM t",
            "4.2.0",
            literal_binds=True,
        )

    def test_json_value_is_extracted_unchanged(self):
        assert_compile(sa.select(T.c.data["k"].label("v")), f"SELECT {KEY} AS v FROM t", literal_binds=True)


def test_values_construct_renders_rows():
    rows = sa.values(sa.column("a", sa.Integer), sa.column("b", sa.String), name="v").data([(1, "x"), (2, "y")])
    assert_compile(sa.select(rows.c.a), "SELECT v.a FROM (VALUES ROW(%s, %s), ROW(%s, %s)) AS v (a, b)")
    assert_compile(
        sa.select(rows.c.a), "SELECT v.a FROM (VALUES ROW(1, 'x'), ROW(2, 'y')) AS v (a, b)", literal_binds=True
    )


class TestIsDistinctFrom:
    CASE = "(CASE WHEN t.a IS NULL THEN t.b IS NULL WHEN t.b IS NULL THEN false ELSE t.a = t.b END)"

    def test_is_distinct_from_is_an_operator_since_3_0(self):
        assert_compile(T.c.a.is_distinct_from(T.c.b), "NOT (t.a <=> t.b)", "3.0.0")
        assert_compile(T.c.a.is_not_distinct_from(T.c.b), "t.a <=> t.b", "3.0.0")

    def test_is_distinct_from_is_a_case_before_3_0(self):
        assert_compile(T.c.a.is_distinct_from(T.c.b), f"NOT {self.CASE}", "2.2.2")
        assert_compile(T.c.a.is_not_distinct_from(T.c.b), self.CASE, "2.2.2")


class TestSequence:
    def test_sequence_name_is_a_string(self):
        next_value = sa.Sequence("it's`q").next_value().label("v")
        assert_compile(sa.select(next_value), "SELECT CAST(nextval('it''s`q') AS SIGNED) AS v")

    def test_name_is_in_lower_case(self):
        next_value = sa.Sequence("Numbers").next_value().label("v")
        assert_compile(sa.select(next_value), "SELECT CAST(nextval('numbers') AS SIGNED) AS v")

    def test_sequence_of_another_database_is_refused(self):
        with pytest.raises(CompileError, match="'q' is in 'd'"):
            sql(sa.select(sa.Sequence("q", schema="d").next_value()))


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (sa.Boolean(), "CAST(t.a AS BOOL)"),
        (matrixone.VECF32(3), "CAST(t.a AS VECF32(3))"),
        (matrixone.UUID(), "CAST(t.a AS UUID)"),
        (sa.Integer(), "CAST(t.a AS SIGNED INTEGER)"),
        (sa.String(5), "CAST(t.a AS CHAR(5))"),
    ],
)
def test_cast_renders_types_that_mysql_cannot_cast_to(type_, expected):
    assert_compile(sa.cast(T.c.a, type_), expected)


def test_lateral_is_refused():
    other = sa.select(sa.func.max(T.c.a)).where(T.c.id == sa.column("x")).lateral()
    with pytest.raises(CompileError, match=r"no LATERAL: use a scalar_subquery\(\)"):
        sql(sa.select(T.c.id, other).select_from(T.join(other, sa.true())))


class TestUniqueKeysBesideForeignKeys:
    BOOKS = sa.Table(
        "books",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("isbn", sa.String(20), unique=True),
        sa.Column("author_id", sa.ForeignKey("authors.id")),
    )

    @staticmethod
    def sent(statement, release="2.2.2"):
        return sql(statement, release, for_executemany=True, column_keys=["isbn"])

    def test_rows_are_sent_one_by_one_before_3_0(self):
        insert = self.BOOKS.insert()
        assert self.sent(insert).startswith("/* for each row */ INSERT INTO books")
        assert self.sent(insert, "3.0.14").startswith("INSERT INTO books")
        assert sql(insert.values(isbn="1"), "2.2.2").startswith("INSERT INTO books")
        assert self.sent(TestWindows.ROWS.insert().values(u=1)).startswith("INSERT INTO r")

    def test_several_rows_in_one_insert_before_3_0_emit_a_warning(self):
        for insert in (
            self.BOOKS.insert().values([{"isbn": "1"}, {"isbn": "2"}]),
            self.BOOKS.insert().from_select(["isbn"], sa.select(T.c.s)),
        ):
            with pytest.warns(SAWarning, match=r"'books', .* accepts duplicates of the UNIQUE key \(isbn\)"):
                sql(insert, "2.2.2")
            assert sql(insert, "3.0.14").startswith("INSERT INTO books")


def test_or_with_the_value_of_a_subquery_before_3_0_is_the_argument_of_a_function():
    value = sa.select(sa.func.max(T.alias("o").c.b)).scalar_subquery()
    either = sa.or_(T.c.a == 1, value > 2)
    assert sql(sa.select(T.c.id).where(T.c.b == 3, either), "2.2.2").endswith(
        "WHERE t.b = %s AND (coalesce(t.a = %s OR (SELECT max(o.b) AS max_1 FROM t AS o) > %s))"
    )
    for statement, release in (
        (either, "3.0.14"),
        (sa.or_(T.c.a == 1, T.c.b == 2), "2.2.2"),
        (T.c.a == value, "2.2.2"),
    ):
        assert "coalesce" not in sql(sa.select(T.c.id).where(statement), release)


class TestWindows:
    ROWS = sa.Table(
        "r",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("u", sa.Integer, unique=True),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
    )
    DEFAULT = "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"

    @pytest.mark.parametrize("function", [sa.func.last_value(T.c.a), sa.func.nth_value(T.c.a, 2)])
    def test_default_frame_of_a_value_at_its_end_is_written_out(self, function):
        assert sql(function.over(order_by=T.c.b)).endswith(f"OVER (ORDER BY t.b {self.DEFAULT})")
        by_two = function.over(partition_by=T.c.id, order_by=[T.c.a, T.c.b.desc()])
        assert sql(by_two).endswith(f"OVER (PARTITION BY t.id ORDER BY t.a, t.b DESC {self.DEFAULT})")
        for unchanged in (function.over(), function.over(order_by=T.c.b, rows=(None, 0))):
            assert "RANGE" not in sql(unchanged)
        assert "RANGE" not in sql(sa.func.sum(T.c.a).over(order_by=T.c.b))

    def test_several_keys_before_4_2_emit_a_warning(self):
        columns = self.ROWS.c
        total = sa.func.sum(columns.a)
        for keys in ([columns.id, columns.a], [columns.a, columns.b.desc()], [columns.a, sa.func.abs(columns.id)]):
            over = total.over(order_by=keys)
            with pytest.warns(SAWarning, match=r"sum\(\) OVER \(ORDER BY .*before 4\.2\.0 .*Use rows=\(None, 0\)"):
                sql(over, "4.1.4")
            assert "OVER" in sql(over, "4.2.0")

    def test_several_keys_with_a_unique_last_one_emit_no_warning(self):
        columns = self.ROWS.c
        total, keys = sa.func.sum(columns.a), [columns.a, columns.b]
        for unaffected in (
            total.over(order_by=columns.a),
            total.over(order_by=[columns.a, columns.id.desc()]),
            total.over(order_by=[columns.a, columns.u]),
            total.over(order_by=keys, rows=(None, 0)),
            sa.func.rank().over(order_by=keys),
            sa.func.lag(columns.a).over(order_by=keys),
            total.over(partition_by=keys),
        ):
            assert "OVER" in sql(unaffected, "2.2.2")


class TestForUpdate:
    def test_for_update_read_is_exclusive_before_4_2(self):
        shared = sa.select(T.c.id).with_for_update(read=True)
        assert_compile(shared, "SELECT t.id FROM t FOR SHARE", "4.2.0")
        assert_compile(shared, "SELECT t.id FROM t FOR UPDATE", "4.1.4")

    def test_for_update_of_is_omitted(self):
        assert_compile(sa.select(T.c.id).with_for_update(of=T.c.id), "SELECT t.id FROM t FOR UPDATE")

    @pytest.mark.parametrize("option", ["nowait", "skip_locked"])
    def test_for_update_nowait_and_skip_locked_are_refused(self, option):
        with pytest.raises(CompileError, match="always waits for a lock"):
            sql(sa.select(T.c.id).with_for_update(**{option: True}))

    @pytest.mark.parametrize(
        "dialect",
        [
            MatrixOneDialect_pymysql(skip_locked="wait"),
            make_url("matrixone://h/d?skip_locked=wait").get_dialect()(),
            make_url("mysql+matrixone://h/d?server_version=3.0.14&skip_locked=wait").get_dialect()(),
        ],
    )
    def test_for_update_skip_locked_waits_if_configured(self, dialect):
        select = sa.select(T.c.id)
        sent = str(select.with_for_update(skip_locked=True).compile(dialect=dialect))
        assert sent.endswith("FROM t FOR UPDATE")
        with pytest.raises(CompileError, match="NOWAIT"):
            select.with_for_update(nowait=True).compile(dialect=dialect)

    @pytest.mark.parametrize("value", ["true", "skip"])
    def test_skip_locked_option_of_another_value_is_refused(self, value):
        with pytest.raises(MatrixOneArgumentError, match="only be 'wait'"):
            make_url(f"matrixone://h/d?skip_locked={value}").get_dialect()
        with pytest.raises(MatrixOneArgumentError, match="only be 'wait'"):
            MatrixOneDialect_pymysql(skip_locked=value)

    def test_skip_locked_option_of_the_url_is_not_passed_to_the_driver(self):
        url = make_url("matrixone://h/d?skip_locked=wait&charset=utf8mb4")
        assert "skip_locked" not in url.get_dialect()().create_connect_args(url)[1]


class TestLikeEscape:
    def test_like_escape_is_sent_since_4_2(self):
        assert_compile(T.c.s.like("a/%", escape="/"), "t.s LIKE 'a/%%' ESCAPE '/'", literal_binds=True)

    def test_like_pattern_is_escaped_by_backslashes_before_4_2(self):
        pattern = (
            "REPLACE(REPLACE(REPLACE(REPLACE('a/%%', '\\\\', '\\\\\\\\'), '//', '\x01'), '/', '\\\\'), '\x01', '/')"
        )
        assert_compile(T.c.s.like("a/%", escape="/"), f"t.s LIKE {pattern}", "4.1.4", literal_binds=True)
        assert_compile(T.c.s.not_like("a/%", escape="/"), f"t.s NOT LIKE {pattern}", "4.1.4", literal_binds=True)


class TestReturning:
    TABLE = sa.Table(
        "x",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Enum("a", "b")),
        schema="d",
    )

    def test_returning_columns_of_another_database_are_unqualified(self):
        insert = sa.insert(self.TABLE).values(id=1).returning(self.TABLE.c.id)
        assert_compile(insert, "INSERT INTO d.x (id) VALUES (%s) RETURNING id")

    def test_returning_before_its_release_names_it(self):
        with pytest.raises(CompileError, match=r"needs MatrixOne 4\.2\.0 or later; this is 4\.1\.4"):
            sql(sa.insert(self.TABLE).values(id=1).returning(self.TABLE.c.id), "4.1.4")

    def test_returning_of_a_labeled_enum_is_refused(self):
        for column in (self.TABLE.c.kind, self.TABLE.c.kind.label("k")):
            with pytest.raises(CompileError, match="cannot return an ENUM or SET"):
                sql(sa.insert(self.TABLE).values(id=1).returning(column))


class TestUpsert:
    USERS = sa.Table(
        "users",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(20), unique=True),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
        sa.Index("ix_ab", "a", "b", unique=True),
        sa.Index("ix_b", "b"),
    )

    def upsert(self, table):
        return mysql.insert(table).values(id=1).on_duplicate_key_update(b=2)

    @pytest.mark.parametrize("release", ["2.2.2", "3.0.14"])
    def test_upsert_warns_of_unique_keys_that_it_ignores(self, release):
        with pytest.warns(
            sa.exc.SAWarning, match=r"'users': MatrixOne before 4.1.0 .* key \(a, b\) or \(email\) raises"
        ):
            sql(self.upsert(self.USERS), release)

    @pytest.mark.parametrize(("table", "release"), [(USERS, "4.1.4"), (USERS, "4.2.0"), (T, "2.2.2")])
    def test_upsert_does_not_warn_of_keys_that_it_uses(self, table, release):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sql(self.upsert(table), release)
            sql(sa.insert(table).values(id=1), "2.2.2")

    def test_upsert_with_last_insert_id_argument_is_refused(self):
        upsert = (
            mysql.insert(self.USERS).values(a=1).on_duplicate_key_update(id=sa.func.last_insert_id(self.USERS.c.id))
        )
        with pytest.raises(CompileError, match=r"takes no argument.* inserted_primary_key is None"):
            sql(upsert)
        assert sql(sa.select(sa.func.last_insert_id())) == "SELECT last_insert_id() AS last_insert_id_1"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("BINARY m.key = m.KEY", "BINARY m.`key` = m.`KEY`"),
        ("`m` . key, a.order.key", "`m` . `key`, a.`order`.`key`"),
        ("m.key -- m.key\n/* m.key */ # m.key", "m.`key` -- m.key /* m.key */ # m.key"),
        ("""'m.key', "m.key", `m.key`, 'it''s \\' m.key'""", """'m.key', "m.key", `m.key`, 'it''s \\' m.key'"""),
        ("m.keyed, m.`key`, @@session.sql_big_result", "m.keyed, m.`key`, @@session.sql_big_result"),
        ("1.div 2, é.key, m.*", "1.div 2, é.`key`, m.*"),
        ("'open m.key", "'open m.key"),
    ],
)
def test_reserved_word_after_period_in_text_is_quoted(written: str, sent: str):
    assert sql(sa.text(written)) == sent


def test_reserved_word_after_period_in_ddl_text_is_quoted():
    assert_compile(sa.DDL("DROP TABLE shop.order"), "DROP TABLE shop.`order`")


def test_floor_division_of_integers_is_exact():
    assert sql(sa.select((T.c.a // T.c.b).label("v"))) == (
        "SELECT ((t.a DIV t.b) - CASE WHEN MOD(t.a, t.b) != 0 AND (t.a < 0) != (t.b < 0) THEN 1 ELSE 0 END) AS v FROM t"
    )


def test_floor_division_of_other_numbers_is_the_floor():
    statement = sa.select((sa.column("n", sa.Numeric) // T.c.b).label("v"))
    assert sql(statement) == "SELECT FLOOR(n / t.b) AS v FROM t"


A, B = T.c.a, T.c.b


@pytest.mark.parametrize(
    "keys",
    [
        (A, B.desc()),
        (A.desc(), B.desc()),
        (A, sa.func.coalesce(B, A).desc(), T.c.id),
        (A, B.desc().nulls_last()),
        (sa.text("a, b desc"),),
        (A, sa.desc("b")),
    ],
)
def test_order_by_a_later_descending_key_has_a_limit_of_all_rows(keys):
    statement = sa.select(A, B).order_by(*keys)
    assert sql(statement).endswith(" LIMIT 9223372036854775807")
    assert sql(statement.with_for_update()).endswith(" LIMIT 9223372036854775807 FOR UPDATE")
    assert sql(sa.union(statement.order_by(None), sa.select(B, A)).order_by("a", sa.desc("b"))).endswith("807")


@pytest.mark.parametrize("keys", [(A, B), (A.desc(), B), (sa.func.coalesce(A, B).desc(),), (A.desc(),), ()])
def test_order_by_without_a_later_descending_key_has_no_limit(keys):
    assert "LIMIT" not in sql(sa.select(A, B).order_by(*keys))


NOT_NULL = sa.Table("n", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


def test_order_by_keys_that_cannot_be_null_has_no_limit():
    key = NOT_NULL.c.id
    assert sql(sa.select(A).join(NOT_NULL, key == A).order_by(A, key.desc())).endswith("n.id DESC")
    alias = NOT_NULL.alias()
    assert sql(sa.select(alias.c.id.label("x")).order_by(alias.c.id, alias.c.id.desc())).endswith("n_1.id DESC")


@pytest.mark.parametrize("full", [False, True])
def test_order_by_a_key_that_an_outer_join_sets_to_null_has_a_limit(full):
    key = NOT_NULL.c.id
    joined = sa.select(A).outerjoin(NOT_NULL, key == A, full=full).order_by(A, key.desc())
    assert sql(joined).endswith("807")
    inner = sa.select(key.label("x")).select_from(T).outerjoin(NOT_NULL, key == A).subquery()
    assert sql(sa.select(inner.c.x).order_by(inner.c.x, inner.c.x.desc())).endswith("807")


def test_order_by_of_a_subquery_has_no_limit_of_its_own():
    inner = sa.select(A).order_by(A, B.desc())
    assert "LIMIT" not in sql(sa.select(inner.subquery()))
    assert "LIMIT" not in sql(sa.select(A).where(A.in_(inner)))
    assert "LIMIT" not in sql(sa.insert(T).from_select(["a"], inner))


U = sa.table("u", sa.column("a"), sa.column("b"))
OF_T = sa.select(sa.func.max(U.c.b)).where(U.c.a == T.c.a)
VALUES_OF_NO_ROW = [
    OF_T.with_only_columns(sa.func.count()).scalar_subquery(),
    OF_T.with_only_columns(sa.func.coalesce(sa.func.max(U.c.b), 1)).scalar_subquery(),
    sa.func.coalesce(OF_T.scalar_subquery(), 1),
]


@pytest.mark.parametrize("value", VALUES_OF_NO_ROW)
def test_comparison_of_a_column_with_a_value_of_no_row_is_an_argument_before_3_0(value):
    for criterion in (value < T.c.b, T.c.b != value):
        statement = sa.select(T.c.id).where(criterion)
        before, since = sql(statement, "2.2.2"), sql(statement, "3.0.14")
        assert before == since.replace(" WHERE ", " WHERE coalesce(", 1) + ")"


@pytest.mark.parametrize(
    "criterion",
    [
        VALUES_OF_NO_ROW[0] == 0,
        OF_T.scalar_subquery() == T.c.b,
        OF_T.with_only_columns(U.c.b).scalar_subquery() < T.c.b,
    ],
)
def test_comparison_with_a_constant_or_a_value_that_is_null_without_a_row_is_sent_unchanged(criterion):
    assert " WHERE (SELECT " in sql(sa.select(T.c.id).where(criterion), "2.2.2")
