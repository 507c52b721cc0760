"""Reflection from rows of the catalog, without a server."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sqlalchemy_matrixone.core.catalog_bytes import check_constraints, foreign_key_columns
from sqlalchemy_matrixone.core.options import INDEX_OPTIONS
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.reflection.catalog import Catalog, ColumnRow, IndexColumnRow, index_options
from sqlalchemy_matrixone.reflection.catalog_queries import Where
from sqlalchemy_matrixone.reflection.catalog_reader import reflected_column
from sqlalchemy_matrixone.reflection.show_create import MatrixOneTableDefinitionParser
from sqlalchemy_matrixone.types import GEOMETRY, VECF32

DIALECT = MatrixOneDialect_pymysql()


def column(type_="INT(32)", *, scale="00000000", values="", default=None, on_update=None, doubled_quotes=True):
    row = ColumnRow("t", "c", type_, scale, values, 0, default, on_update, 0, "it''s", None, None)
    return reflected_column(row, doubled_quotes)


class _Refusing:
    """A connection whose user may not read the catalog."""

    def __init__(self, message="internal error: do not have privilege to execute the statement"):
        self.error = sa.exc.DBAPIError("SELECT", None, Exception(20101, message))
        self.sent = 0

    def exec_driver_sql(self, statement, parameters):
        self.sent += 1
        raise self.error


def test_catalog_without_privileges_is_tried_once_for_each_inspector():
    connection, cache = _Refusing(), {}
    for _ in range(2):
        catalog = Catalog(DIALECT, connection, cache)
        assert not catalog.is_readable(Where("shop"))
        assert not catalog.is_readable(Where("shop", "orders"))
    assert connection.sent == 1


def test_catalog_that_fails_otherwise_raises():
    catalog = Catalog(DIALECT, _Refusing("backend closed"), {})
    with pytest.raises(sa.exc.DBAPIError, match="backend closed"):
        catalog.is_readable(Where("shop"))


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        ("INT(32)", "", mysql.INTEGER()),
        ("INT UNSIGNED(32)", "", mysql.INTEGER(unsigned=True)),
        ("INT(24)", "", mysql.MEDIUMINT()),
        ("BIGINT UNSIGNED(0)", "a,b", mysql.SET("a", "b")),
        ("BIGINT UNSIGNED(0)", "a,", mysql.SET("a", "", retrieve_as_bitwise=True)),
        ("ENUM(0)", "x,it's", mysql.ENUM("x", "it's")),
        ("ENUM(0)", '\0enumjson:["a,b","c"]', mysql.ENUM("a,b", "c")),
        ("VECF32(3)", "", VECF32(3)),
        ("DATETIME(6)", "", mysql.DATETIME(fsp=6)),
        ("POINT SRID 4326", "", GEOMETRY("POINT", 4326)),
    ],
)
def test_reflected_column_type_by_catalog_type(type_, values, expected):
    assert repr(column(type_, values=values)["type"]).replace("unsigned=None", "") == repr(expected).replace(
        "unsigned=None", ""
    )


@pytest.mark.parametrize(
    ("type_", "scale", "expected"),
    [
        ("DECIMAL(10,2)", "00000004", mysql.DECIMAL(10, 2)),
        ("FLOAT(7)", "00000006", mysql.FLOAT(7, 3)),
        ("DOUBLE(10)", "00000004", mysql.DOUBLE(10, 2)),
        ("FLOAT(24)", "00000001", mysql.FLOAT()),
    ],
)
def test_reflected_scale_is_the_end_of_the_encoded_type(type_, scale, expected):
    made = column(type_, scale="001E" + scale)["type"]
    assert (made.precision, made.scale) == (expected.precision, expected.scale)


@pytest.mark.parametrize(
    ("default", "on_update", "expected"),
    [
        ("null", None, None),
        (None, None, None),
        ("'it''s'", None, "'it''s'"),
        ("(-1.5)", None, "-1.5"),
        ("(1 + 2)", None, "(1 + 2)"),
        ("now()", "now()", "now() ON UPDATE now()"),
    ],
)
def test_reflected_default_by_catalog_default(default, on_update, expected):
    assert column(default=default, on_update=on_update)["default"] == expected


def test_reflected_default_doubles_quotes_on_2_2():
    assert column("VARCHAR(20)", default="'it's'", doubled_quotes=False)["default"] == "'it''s'"


def test_reflected_comment_has_single_quotes():
    assert column()["comment"] == "it's"


def test_reflected_vector_index_has_its_options():
    """Every option of CREATE INDEX is reflected, and none that the server has added itself."""
    parameters = (
        '{"auto_update":"true","async":"true","day":"2","lists":"2","op_type":"vector_l2_ops","quantization":"float16",'
        '"included_columns":"[\\"c\\",\\"b\\"]","session_vars":{"cfg":{"x":1}},"of_a_later_release":"7"}'
    )
    row = IndexColumnRow("t", "ix", "MULTIPLE", "ivfflat", parameters, "near", "v")
    assert dict(index_options(row)) == {
        "matrixone_using": "ivfflat",
        "matrixone_comment": "near",
        "matrixone_auto_update": True,
        "matrixone_async": True,
        "matrixone_day": 2,
        "matrixone_lists": 2,
        "matrixone_op_type": "vector_l2_ops",
        "matrixone_quantization": "float16",
        "matrixone_include": ["c", "b"],
    }


def test_index_options_are_accepted_by_sqlalchemy_index():
    options = {f"matrixone_{name}": None for name in INDEX_OPTIONS}
    assert sa.Index("ix", sa.column("c"), **options).dialect_options["matrixone"]["lists"] is None


def test_reflected_check_constraints_are_decoded_from_extra_info():
    # As 4.2.0 wrote it, of CONSTRAINT ckx CHECK (x > 5).
    extra = (
        "0802508040588002920181010A03636B7812710A02080A3A6B0A0920808080802042013E12150A0F0816202028FFFFFFFFFFFFFFFFFF"
        "012A02100112470A1108161001202028FFFFFFFFFFFFFFFFFF013A320A0D2080808080D002420463617374120A0A04081710011202280512"
        "150A1108161001202028FFFFFFFFFFFFFFFFFF015A001A07607860203E2035"
    )
    assert list(check_constraints(extra)) == [{"name": "ckx", "sqltext": "`x` > 5"}]
    assert list(check_constraints(None)) == []


def test_reflected_foreign_key_columns_are_decoded_in_order():
    """Return the encoding of a table with a text, a primary key and two foreign keys, as the server stores it."""
    constraints = (
        "04 0000000000000001 000000000000000C 0A0772656C6B696E64120172"
        "03 0000000000000008 220269642A026964"
        "02 0000000000000002 0000000000000010 0A0266311202030218B8FE102202020100000000000000120A"
        "026632120304030218B8FE102203030102"
    ).replace(" ", "")
    assert foreign_key_columns(constraints) == {"f1": [3, 2], "f2": [4, 3, 2]}
    assert foreign_key_columns("") == {}


SHOWN = """\
CREATE TABLE `t` (
  `id` int NOT NULL,
  `title` varchar(50) DEFAULT NULL,
  `v` vecf32(3) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix` (`title`),
 FULLTEXT `ft`(`title`,`body`) WITH PARSER ngram,
 FULLTEXT (`body`),
  KEY `hn` USING hnsw (`v`) m = 16  op_type 'vector_l2_ops'  async ,
  KEY `iv` USING ivfflat (`v`) lists = 2  auto_update = true  day = 2  INCLUDE (`c`, `b`)
) CLUSTER BY (`id`)"""


def test_reflected_matrixone_indexes_from_show_create_table():
    state = MatrixOneTableDefinitionParser(DIALECT, DIALECT.identifier_preparer).parse(SHOWN, "utf8mb4")
    assert [key["name"] for key in state.keys] == [None, "ix"]
    assert [(index["name"], index["column_names"], index["dialect_options"]) for index in state.own_indexes] == [
        ("ft", ["title", "body"], {"matrixone_using": "fulltext", "matrixone_with_parser": "ngram"}),
        ("body", ["body"], {"matrixone_using": "fulltext"}),
        (
            "hn",
            ["v"],
            {
                "matrixone_using": "hnsw",
                "matrixone_m": 16,
                "matrixone_op_type": "vector_l2_ops",
                "matrixone_async": True,
            },
        ),
        (
            "iv",
            ["v"],
            {
                "matrixone_using": "ivfflat",
                "matrixone_lists": 2,
                "matrixone_auto_update": True,
                "matrixone_day": 2,
                "matrixone_include": ["c", "b"],
            },
        ),
    ]


class _Answering:
    """A connection that answers each query by the table of the catalog that it reads first."""

    def __init__(self, **answers):
        self.answers, self.sent = answers, []

    def exec_driver_sql(self, statement, parameters):
        table = statement.split(" FROM mo_catalog.")[1].split()[0]
        self.sent.append((table, parameters))
        return self.answers[table]


def catalog_row(table, name):
    return (table, name, "INT(32)", "", "", 0, None, None, 0, "", None, None, 1)


FOREIGN_KEY = ("child", "shop", "fk", "parentid", "shop", "parent", "id", "RESTRICT", "RESTRICT")
COLUMNS = [catalog_row("child", "parentId"), catalog_row("parent", "Id")]


def test_foreign_keys_of_database_have_declared_names_without_another_query():
    connection = _Answering(mo_foreign_keys=[FOREIGN_KEY], mo_columns=COLUMNS)
    [key] = Catalog(DIALECT, connection, None).foreign_key_columns(Where("shop"))["child"]
    assert (key.column, key.referred_column) == ("parentId", "Id")
    assert [table for table, _ in connection.sent] == ["mo_foreign_keys", "mo_columns"]


def test_foreign_key_of_dropped_column_is_left_out():
    stale = (*FOREIGN_KEY[:3], "gone", *FOREIGN_KEY[4:])
    connection = _Answering(mo_foreign_keys=[stale], mo_columns=COLUMNS)
    assert Catalog(DIALECT, connection, None).foreign_key_columns(Where("shop")) == {}


def test_foreign_keys_into_other_database_read_its_names_once():
    abroad = (*FOREIGN_KEY[:4], "other", "parent", "id", "CASCADE", "RESTRICT")
    missing = (*FOREIGN_KEY[:4], "other", "missing", "id", "CASCADE", "RESTRICT")

    class Connection(_Answering):
        def exec_driver_sql(self, statement, parameters):
            rows = super().exec_driver_sql(statement, parameters)
            return [("parent", "Id")] if parameters == ("other",) else rows

    connection = Connection(mo_foreign_keys=[abroad, missing], mo_columns=COLUMNS)
    keys = Catalog(DIALECT, connection, None).foreign_key_columns(Where("shop"))["child"]
    assert [key.referred_column for key in keys] == ["Id", "id"]
    assert connection.sent.count(("mo_columns", ("other",))) == 1


class _AnsweringUnions(_Answering):
    """A connection that answers statements for one table: the first one, and that for the rest."""

    def __init__(self, *answers):
        super().__init__(mo_tables=answers[0], mo_indexes=answers[1:] and answers[1])


TABLE = ("child", "r", "", None, None)


def numbered(number, row, width=13):
    """Return a row of a UNION, in which numbers are text."""
    texts = [str(value) if isinstance(value, int) else value for value in row]
    return (number, *texts, *[None] * (width - len(row)))


def test_one_table_is_read_by_two_statements_in_the_order_of_its_columns():
    second = (*catalog_row("child", "b")[:-1], 2)
    index = ("child", "ix", "MULTIPLE", "", "", "")
    connection = _AnsweringUnions(
        [
            numbered(0, TABLE),
            numbered(1, second),
            numbered(1, catalog_row("child", "parentId")),
            numbered(2, FOREIGN_KEY),
        ],
        [
            numbered(0, (*index, "b", 2), 8),
            numbered(0, (*index, "parentId", 1), 8),
            numbered(0, (*index, "parentId", 1), 8),
            numbered(1, ("parent", "Id"), 8),
        ],
    )
    where = Where("shop", "child")
    catalog = Catalog(DIALECT, connection, None)
    assert list(catalog.tables(where)) == ["child"]
    assert [(column.name, int(column.not_null)) for column in catalog.columns(where)["child"]] == [
        ("parentId", 0),
        ("b", 0),
    ]
    assert [index.columns for index in catalog.indexes(where)["child"]] == [["parentId", "b"]]
    assert [key.referred_column for key in catalog.foreign_key_columns(where)["child"]] == ["Id"]
    assert connection.sent == [
        ("mo_tables", ("shop", "child") * 3),
        ("mo_indexes", ("shop", "child", "shop", "parent")),
    ]


def test_foreign_key_to_its_own_table_needs_no_names_of_another_table():
    own = (*FOREIGN_KEY[:5], "child", "parentid", *FOREIGN_KEY[7:])
    connection = _AnsweringUnions(
        [numbered(0, TABLE), numbered(1, catalog_row("child", "parentId")), numbered(2, own)], []
    )
    catalog = Catalog(DIALECT, connection, None)
    catalog.tables(Where("", "child"))
    [key] = catalog.foreign_key_columns(Where("", "child"))["child"]
    assert (key.column, key.referred_column) == ("parentId", "parentId")
    assert connection.sent[1:] == [("mo_indexes", ("child",))]


def test_reflected_column_has_its_numbers_from_text():
    row = ColumnRow("t", "c", "INT(32)", "00000000", "", "0", None, None, "0", "", None, None)
    reflected = reflected_column(row, True)
    assert (reflected["nullable"], reflected["autoincrement"]) == (True, False)
