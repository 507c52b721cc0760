"""Read what a restore or copy loses or cannot read: definitions of views, and texts with backslashes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import BranchError, Reason, RestoreError
from sqlalchemy_matrixone.losses.publications import explaining_published_past, publish_dropped
from sqlalchemy_matrixone.losses.scope import RestoreScope
from sqlalchemy_matrixone.losses.texts import Text
from sqlalchemy_matrixone.losses.unreadable import explaining_syntax_errors, unreadable, unreadable_names
from sqlalchemy_matrixone.losses.view_text import definition_of, of_other_database, strings, with_strings
from sqlalchemy_matrixone.losses.views import recreate_views
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

DIALECT = MatrixOneDialect_pymysql(server_version="4.2.0")


class Catalog:
    """A connection whose catalog has one view."""

    def __init__(self, name, statement):
        self._row = ("shop", name, statement)

    def exec_driver_sql(self, statement):
        return self

    def all(self):
        return [self._row]


@pytest.mark.parametrize(
    ("statement", "rest"),
    [
        ("create view `Totals` as select 1", " as select 1"),
        ("CREATE VIEW IF NOT EXISTS Totals(a, b) AS SELECT 1, '50%'", "(a, b) AS SELECT 1, '50%%'"),
        ("create or replace view `Shop`.Totals as select `View`.a from `View`", " as select `View`.a from `View`"),
        ("create SQL SECURITY DEFINER view `Totals` as select 1", " as select 1"),
        ("CREATE  view\n Shop . `Totals`\nas\nselect 1", "\nas\nselect 1"),
    ],
)
def test_view_with_capitals_is_created_again(statement, rest):
    loss = recreate_views(RestoreScope(DIALECT, "database", "shop", None, 1), Catalog("totals", statement))
    assert loss.statements == ["USE `shop`", f"CREATE VIEW IF NOT EXISTS `shop`.`totals`{rest}"]


@pytest.mark.parametrize(
    ("name", "statement"),
    [("totals", "create view totals as select `View`.A from `View`"), ("Totals", "create view `Totals` as select 1")],
)
def test_view_that_a_restore_keeps_or_that_nothing_finds_is_not_created_again(name, statement):
    loss = recreate_views(RestoreScope(DIALECT, "database", "shop", None, 1), Catalog(name, statement))
    assert loss.statements == []


@pytest.mark.parametrize(
    ("definition", "moved"),
    [
        (" as select id from shop.orders", " as select id from `copy`.orders"),
        (" as select `Shop` . orders.id from `shop`.`orders`", " as select `copy` . orders.id from `copy`.`orders`"),
        (" as select 'shop.x', shop.id from orders, shop", " as select 'shop.x', shop.id from orders, shop"),
        (" as select 1 from a join b on a.id = shop.id, c", " as select 1 from a join b on a.id = shop.id, c"),
        (" as select 1 from a, shop.b where shop.id = 1", " as select 1 from a, `copy`.b where shop.id = 1"),
        (
            " as select other.shop.id from other.shop /* shop.a */",
            " as select other.shop.id from other.shop /* shop.a */",
        ),
        (" as select 1 from (select 2 from shop.a) as x", " as select 1 from (select 2 from `copy`.a) as x"),
    ],
)
def test_view_of_a_copied_database_names_the_tables_of_the_copy(definition, moved):
    assert of_other_database(definition, "shop", "`copy`") == moved


def test_strings_of_a_view_are_put_into_what_the_server_has_written():
    written = definition_of("create view `copy`.`v` as select 'a' as `x`, 'it''s' as `y` from `copy`.`t`;")
    source = r" (x, y) AS SELECT 'a\\b' x, 'it''s' y FROM shop.t"
    assert with_strings(written, source) == r" as select 'a\\b' as `x`, 'it''s' as `y` from `copy`.`t`"


def test_strings_of_a_view_that_has_fewer_of_them_are_not_exchanged():
    assert strings(""" as select "it's", 'a"b', `c'd` -- e'f""") == ['"it\'s"', "'a\"b'"]
    assert with_strings(" as select 1", " as select 'a'") == " as select 'a'"


def scope_on(release):
    return RestoreScope(MatrixOneDialect_pymysql(server_version=release), "database", "shop", None, 1)


@pytest.mark.parametrize(
    ("release", "kind", "value"),
    [
        ("4.2.0", "default", r"'a\\'"),
        ("4.2.0", "default", r"'a\\\\\\'"),
        ("4.2.0", "default", r"'a\\''b'"),
        ("4.2.0", "default", r"(concat('a', '\\'))"),
        ("2.2.2", "default", "(concat('a', 'b'))"),
        ("4.2.0", "comment", "a\\"),
        ("4.2.0", "comment", r"a\\"),
        ("4.2.0", "comment", r"a\''b"),
        ("4.2.0", "values", "a\\,b"),
        ("4.2.0", "values", "b,a\\"),
        ("4.2.0", "values", r"a\'c,b"),
        ("4.2.0", "query", r" as select 'a\\'"),
        ("4.2.0", "query", r" as select 'a\'b'"),
    ],
)
def test_text_that_the_server_cannot_read_again_is_named(release, kind, value):
    [told] = unreadable(scope_on(release), {Text(kind, "shop", "orders", "note"): value})
    assert "`shop`.`orders`" in told


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("default", r"'a\\\\'"),
        ("default", r"'a\\b'"),
        ("default", "'a''b'"),
        ("default", "(concat('a', 'b'))"),
        ("comment", r"a\b"),
        ("comment", "a''b"),
        ("values", r"a\c,b"),
        ("query", r" as select 'a\\b'"),
    ],
)
def test_text_that_the_server_can_read_again_is_not_named(kind, value):
    assert unreadable(scope_on("4.2.0"), {Text(kind, "shop", "orders", "note"): value}) == []


@pytest.mark.parametrize(
    ("release", "default", "advice"),
    [
        ("4.2.0", r"'ä''\\'", "SET DEFAULT (unhex('C3A4275C'))"),
        ("4.2.0", r"'a\n\\'", "DROP DEFAULT"),
        ("4.2.0", r"(concat('a', '\\'))", "DROP DEFAULT"),
        ("4.1.4", r"'ä''\\'", "SET DEFAULT x'C3A4275C'"),
        ("2.2.2", r"'a\\'", "DROP DEFAULT"),
    ],
)
def test_default_that_the_server_cannot_read_again_is_told_with_another_one(release, default, advice):
    [told] = unreadable(scope_on(release), {Text("default", "shop", "orders", "note"): default})
    assert told.endswith(f": ALTER TABLE `shop`.`orders` ALTER COLUMN `note` {advice}")


SYNTAX_ERROR = exc.OperationalError("x", None, Exception(1105, "You have an error in your SQL syntax; check"))


def fail_with(error, found, *, is_past=True):
    with explaining_syntax_errors(BranchError, "clone database 'c'", lambda: found, is_past=is_past):
        raise error


@pytest.mark.parametrize(
    ("is_past", "advice"), [(True, r"rows of these tables with restore_rows\(\)"), (False, "repeat it")]
)
def test_syntax_error_because_of_a_definition_names_it(is_past, advice):
    with pytest.raises(BranchError, match=f"clone database 'c': nothing was changed: .*`a%b`.*{advice}") as caught:
        fail_with(SYNTAX_ERROR, ["`a%%b`"], is_past=is_past)
    assert caught.value.reason is Reason.UNSUPPORTED
    assert caught.value.__cause__ is SYNTAX_ERROR


@pytest.mark.parametrize(
    ("error", "found"),
    [(SYNTAX_ERROR, []), (exc.OperationalError("x", None, Exception(1, "no such table")), ["`a`"])],
)
def test_error_that_no_definition_explains_stays_as_it_is(error, found):
    with pytest.raises(exc.OperationalError) as caught:
        fail_with(error, found)
    assert caught.value is error


def test_syntax_error_that_was_translated_before_keeps_its_cause():
    error = RestoreError(str(SYNTAX_ERROR))
    error.__cause__ = SYNTAX_ERROR
    with pytest.raises(BranchError) as caught:
        fail_with(error, ["`a`"])
    assert caught.value.__cause__ is SYNTAX_ERROR


@pytest.mark.parametrize(
    ("release", "kind", "told"),
    [
        ("4.2.0", "r", ['o"x', "o`x", "o\\"]),
        ("4.2.0", "v", ['o"x', "o`x", "o\\"]),
        ("4.1.4", "r", ['o"x', "o`x", "o\\"]),
        ("4.1.4", "v", ["order", "o x", "o'x", 'o"x', "o`x", "o\\x", "o\\"]),
    ],
)
def test_name_that_the_server_cannot_read_again_is_told(release, kind, told):
    names = ["total", "order", "o x", "o'x", 'o"x', "o`x", "o\\x", "o\\"]
    rows = [("shop", name, kind) for name in names]
    connection = SimpleNamespace(exec_driver_sql=lambda statement: SimpleNamespace(all=lambda: rows))
    advice = "give the view another name" if kind == "v" else "rename the table"
    found = unreadable_names(scope_on(release), connection)
    assert found == [f"shop.{name}, because of its name: {advice}" for name in told]


def test_partition_name_that_the_server_writes_without_quotes_is_told():
    error = exc.OperationalError(
        "x", None, Exception(1105, 'error in your SQL syntax; … near " order values less than (10))"')
    )
    with pytest.raises(BranchError, match="a partition whose name needs quotes"):
        fail_with(error, [])


@pytest.mark.parametrize(("level", "is_explained"), [("database", True), ("table", False)])
def test_pitr_restore_of_a_published_database_says_what_to_do(level, is_explained):
    scope = RestoreScope(DIALECT, level, "shop", None, 1)
    error = RestoreError('strconv.ParseInt: parsing "news": invalid syntax')
    with pytest.raises(RestoreError) as caught, explaining_published_past("restore pitr 'p'", [scope]):
        raise error
    assert (caught.value is not error) is is_explained
    assert ("as_name=" in str(caught.value)) is is_explained


class Publications:
    """A connection whose account has these publications."""

    def __init__(self, *rows):
        self._rows = [dict(zip(("publication", "database", "tables"), row, strict=True)) for row in rows]

    def exec_driver_sql(self, statement):
        return self

    def mappings(self):
        return self._rows


def test_publications_that_may_have_contained_a_dropped_table_are_named():
    connection = Publications(("a", "shop", "x,y"), ("b", "shop", ""), ("all", "shop", "*"), ("c", "other", "x"))
    loss = publish_dropped(RestoreScope(DIALECT, "table", "shop", "Orders", 1), connection)
    assert loss.statements == []
    assert [name.rpartition(": ")[2] for name in loss.names] == [
        "ALTER PUBLICATION `a` TABLE `x`, `y`, `orders`",
        "ALTER PUBLICATION `b` TABLE `orders`",
    ]
