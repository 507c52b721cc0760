"""Restore rows: arguments, definitions from SHOW CREATE TABLE, the order of tables, and results."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    column,
    create_engine,
    exists,
    func,
    select,
    table,
)
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import (
    MatrixOneArgumentError,
    Reason,
    Recovery,
    RestoreConflict,
    RestoredRows,
    RestoreError,
    RowChange,
    RowConflict,
    RowsPreview,
)
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery.past import checked_point, describe_point, known_point
from sqlalchemy_matrixone.recovery.rows import statements
from sqlalchemy_matrixone.recovery.rows.compatible import check_definitions
from sqlalchemy_matrixone.recovery.rows.definition import TableDefinition
from sqlalchemy_matrixone.recovery.rows.order import WriteOrder
from sqlalchemy_matrixone.recovery.rows.pair import TablePair
from sqlalchemy_matrixone.recovery.rows.target import RowKinds, rows_targets
from tests.models import Animal, Dog, Employee, Item, Manager, Order

ALL = RowKinds(missing=True, changed=True, new=True)
POINT = known_point(snapshot=None, timestamp=None, mo_ts=1_700_000_000_000_000_000)


ITEMS, ORDERS = Item.__table__, Order.__table__


# -- definitions

PRINTED = """CREATE TABLE `Things` (
  `Id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `parent` bigint unsigned DEFAULT NULL,
  `n` decimal(10,2) NOT NULL DEFAULT '0.00' COMMENT 'NOT NULL, GENERATED ALWAYS AS x',
  `kind` enum('A','it','s') DEFAULT NULL,
  `note` varchar(40) NOT NULL DEFAULT 'it''''s ON UPDATE',
  `at` timestamp(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `twice` decimal(12,2) GENERATED ALWAYS AS ((n * 2)) STORED,
  `odd``name` VARCHAR(5) DEFAULT NULL,
  PRIMARY KEY (`Id`),
  UNIQUE KEY `u` (`n`,`note`(5)),
  KEY `k` (`at`),
  FULLTEXT `f`(`note`),
  CONSTRAINT `fk_self` FOREIGN KEY (`parent`) REFERENCES `Things` (`Id`) ON DELETE SET NULL ON UPDATE RESTRICT,
  CONSTRAINT `fk_two` FOREIGN KEY (`n`,`note`) REFERENCES `Other`.`t` (`a`,`b`) ON DELETE CASCADE ON UPDATE CASCADE
) COMMENT='x'"""


def test_table_definition_is_parsed_from_show_create_table():
    definition = TableDefinition.parse(PRINTED)
    columns = definition.columns
    assert list(columns) == ["id", "parent", "n", "kind", "note", "at", "twice", "odd`name"]
    assert (columns["id"].name, columns["id"].type, columns["id"].autoincrement) == ("Id", "bigint unsigned", True)
    assert {name for name, column in columns.items() if column.nullable} == {"parent", "kind", "twice", "odd`name"}
    assert {name for name, column in columns.items() if column.has_default} == {"n", "note", "at"}
    assert [name for name, column in columns.items() if column.generated] == ["twice"]
    assert [name for name, column in columns.items() if column.on_update] == ["at"]
    assert (columns["kind"].type, columns["kind"].base_type) == ("enum('A','it','s')", "enum")
    assert (columns["n"].base_type, columns["odd`name"].type) == ("decimal", "varchar(5)")
    assert definition.primary_key == ("id",)
    [unique] = definition.unique_keys
    assert (unique.name, unique.columns, unique.lengths) == ("u", ("n", "note"), (None, 5))
    own, other = definition.foreign_keys
    assert (own.columns, own.schema, own.table, own.referred) == (("parent",), None, "things", ("id",))
    assert (own.on_delete, own.on_update, own.is_restrictive) == ("SET NULL", "RESTRICT", False)
    assert (other.columns, other.schema, other.table, other.referred) == (("n", "note"), "other", "t", ("a", "b"))


def test_table_definition_of_a_view_is_none():
    assert TableDefinition.parse("create SQL SECURITY DEFINER view v as select 1 as x") is None


# -- arguments


def criterion_sql(target, side):
    return [str(condition) for condition in target.where(side)]


def test_restore_rows_criterion_is_adapted_to_another_table_version():
    [target] = rows_targets(Item, Item.order_id == 7, None)
    small = table("items", column("id"), column("order_id"))
    assert criterion_sql(target, small.alias("o")) == ["o.order_id = :order_id_1"]
    assert target.criterion_columns == {"order_id"}
    assert not target.has_subquery


def test_restore_rows_names_of_columns_are_folded():
    visits = Table("visits", MetaData(), Column("id", Integer, primary_key=True), Column("CustomerId", Integer))
    [target] = rows_targets(visits, visits.c.CustomerId == 7, [visits.c.CustomerId])
    assert target.columns == target.criterion_columns == {"customerid"}
    then = table("visits", column("id"), column("customerid")).alias("o")
    assert criterion_sql(target, then) == ["o.customerid = :CustomerId_1"]


def test_restore_rows_criterion_may_have_a_subquery():
    [target] = rows_targets(ITEMS, ITEMS.c.order_id.in_(select(ORDERS.c.id).where(ORDERS.c.note == "x")), None)
    assert target.has_subquery
    [target] = rows_targets(Item, Item.order.has(Order.note == "x"), None)
    assert target.has_subquery
    small = table("items", column("id"), column("order_id"))
    correlated = exists().where(ORDERS.c.id == ITEMS.c.order_id).correlate(ITEMS)
    [target] = rows_targets(Item, correlated, None)
    old = small.alias("o")
    text = str(select(old.c.id).where(*target.where(old)))
    assert text.count("items") == 1


def test_restore_rows_criteria_by_table():
    first, second = rows_targets([Item, ORDERS], {ITEMS: [ITEMS.c.price > 1, ITEMS.c.id > 2]}, None)
    assert first.criterion_columns == {"price", "id"}
    assert second.criterion is None


def test_restore_rows_columns_are_given_by_attribute_or_name():
    [target] = rows_targets(Item, None, [Item.order_id, ITEMS.c.price])
    assert target.columns == {"order_id", "price"}
    [target] = rows_targets(Item, None, ["PRICE"])
    assert target.columns == {"price"}
    first, second = rows_targets([Item, Order], None, [Item.price])
    assert (first.columns, second.columns) == ({"price"}, frozenset())


WRONG_ARGUMENTS = [
    (lambda: rows_targets([], None, None), "at least one table"),
    (lambda: rows_targets([Item, ITEMS], None, None), "passed twice"),
    (lambda: rows_targets("items", None, None), "'items' is only the name of a table, and its columns are needed"),
    (lambda: rows_targets(table("items"), None, None), "'items' is only the name of a table"),
    (lambda: rows_targets(create_engine("sqlite://"), None, None), "neither a mapped class"),
    (lambda: rows_targets(Manager, None, None), "Manager shares its rows with Employee"),
    (lambda: rows_targets(Dog, None, None), "Dog shares its rows with Animal"),
    (lambda: rows_targets(Employee, None, None), "are partly stored in the tables of Manager"),
    (lambda: rows_targets([Item, Order], Item.id == 1, None), "specify to which of them"),
    (lambda: rows_targets(Item, {Order: Order.id == 1}, None), "which is not restored"),
    (lambda: rows_targets(Item, Order.id == 1, None), "reads orders as well"),
    (lambda: rows_targets(Item, "id = 1", None), "not a criterion"),
    (lambda: rows_targets(Item, False, None), "not a criterion"),
    (lambda: rows_targets(Item, Item.id.in_(select(func.max(Item.id))), None), "use an alias"),
    (lambda: rows_targets(Item, None, []), "columns= is empty"),
    (lambda: rows_targets(Item, None, [Order.note]), "not a column of a table"),
    (lambda: rows_targets([Item, Order], None, ["price"]), "a name is not enough"),
    (lambda: RowKinds(False, False, False), "nothing to restore"),
    (lambda: RowKinds(True, "no", False), "changed='no' is neither True nor False"),
    (lambda: known_point(snapshot=None, timestamp=None, mo_ts=None), "one of"),
    (lambda: known_point(snapshot="s", timestamp=None, mo_ts=5), "one of"),
    (lambda: known_point(snapshot=None, timestamp=bindparam("t"), mo_ts=None), "not from a bind parameter"),
    (lambda: known_point(snapshot=None, timestamp=dt.datetime(2026, 1, 1), mo_ts=None), "no UTC offset"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_ARGUMENTS, ids=[message for _, message in WRONG_ARGUMENTS])
def test_restore_rows_with_invalid_arguments_is_refused(call, message):
    with pytest.raises(MatrixOneArgumentError, match=message):
        call()


def test_restore_rows_of_a_single_table_base_class_is_its_whole_table():
    [target] = rows_targets(Animal, None, None)
    assert target.name == "animals"


def test_restore_rows_with_invalid_arguments_sends_nothing():
    engine = create_engine("matrixone+pymysql://nobody@127.0.0.1:1/nowhere")
    with Session(engine) as session, pytest.raises(MatrixOneArgumentError):
        Recovery(session).restore_rows(Item, snapshot="s", missing=False, changed=False)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"timestamp": dt.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)}, "2026-03-01 12:00:00.000005000"),
        ({"timestamp": "2026-03-01 13:00:00.000005+01:00"}, "2026-03-01 12:00:00.000005000"),
        ({"mo_ts": 1772366400000005007}, "2026-03-01 12:00:00.000005007"),
    ],
)
def test_restore_rows_instant_is_checked_as_text_and_read_in_nanoseconds(given, text):
    moment = known_point(**({"snapshot": None, "timestamp": None, "mo_ts": None} | given))
    assert describe_point(moment) == f"{text} UTC"
    assert moment.argument["mo_ts"] // 1000 == 1772366400000005
    dialect = MatrixOneDialect_pymysql(server_version="4.2.0")
    assert str(checked_point(moment).compile(dialect=dialect)) == f"{{TIMESTAMP = '{text}'}}"


# -- pairs and statements


def pair(now, then=None, name="t", columns=None):
    targets = rows_targets(Table(name, MetaData(), Column("id", Integer)), None, columns)
    definitions = [
        TableDefinition.parse(f"CREATE TABLE `{name}` (\n" + ",\n".join(f"  {line}" for line in lines) + "\n)")
        for lines in (now, then or now)
    ]
    return TablePair.of(targets[0], None, *definitions, POINT)


KEY = "PRIMARY KEY (`id`)"


def sql(statement, release="4.2.0", **kw):
    return " ".join(str(statement.compile(dialect=MatrixOneDialect_pymysql(server_version=release), **kw)).split())


def test_restore_rows_statements_are_the_same_on_all_releases():
    two = pair(["`id` int NOT NULL", "`n` int DEFAULT NULL", "`m` int NOT NULL", KEY])
    expected = {
        "insert": "INSERT INTO t (id, n, m) SELECT t__old.id, t__old.n, t__old.m FROM t {MO_TS = %s} AS t__old "
        "LEFT OUTER JOIN t ON t__old.id = t.id WHERE t.id IS NULL",
        "update": "UPDATE t INNER JOIN t {MO_TS = %s} AS t__old ON t__old.id = t.id SET t.n=t__old.n "
        "WHERE t__old.n != t.n OR t__old.n IS NULL AND t.n IS NOT NULL OR t__old.n IS NOT NULL AND t.n IS NULL",
        "delete": "DELETE FROM t USING t, (SELECT t__new.id AS id FROM t AS t__new "
        "LEFT OUTER JOIN t {MO_TS = %s} AS t__new_old ON t__new_old.id = t__new.id "
        "WHERE t__new_old.id IS NULL) AS t__listed WHERE t.id = t__listed.id",
    }
    for release in ("2.2.2", "3.0.14", "4.2.0"):
        assert {
            "insert": sql(statements.insert_missing(two, None), release),
            "update": sql(statements.set_back(two, ["n"], None), release),
            "delete": sql(*statements.delete_new(two, None), release),
        } == expected


def test_restore_rows_statements_list_each_key_once():
    two = pair(["`id` int NOT NULL", "`n` int DEFAULT NULL", KEY])
    for statement in (statements.insert_missing(two, [(7,), (8,)]), statements.set_back(two, ["n"], [(7,), (8,)])):
        assert sql(statement, compile_kwargs={"literal_binds": True}).count("IN (7, 8)") == 1


def test_restore_rows_composite_keys_are_listed_without_tuples():
    two = pair(["`id` int NOT NULL", "`b` varchar(5) NOT NULL", "PRIMARY KEY (`id`,`b`)"])
    keys = [(2, "y"), (1, "x")]
    [delete] = statements.delete_new(two, keys)
    text = sql(delete, compile_kwargs={"literal_binds": True})
    assert text == "DELETE FROM t WHERE t.id = 1 AND t.b = 'x' OR t.id = 2 AND t.b = 'y'"
    assert len(list(statements.delete_new(two, [(n, "x") for n in range(401)]))) == 3


def test_restore_rows_geometry_is_set_by_its_text_and_srid():
    two = pair(["`id` int NOT NULL", "`area` geometry srid 4326 DEFAULT NULL", "`way` linestring DEFAULT NULL", KEY])
    rows = [(1, "4326:POINT(1 2)", "0:LINESTRING(0 0,1 1)"), (2, None, None)]
    updates = [
        sql(update, compile_kwargs={"literal_binds": True})
        for update in statements.set_values(two, ["area", "way"], rows)
    ]
    assert updates == [
        "UPDATE t SET area=st_geomfromtext('POINT(1 2)', 4326), way=st_geomfromtext('LINESTRING(0 0,1 1)', 0) "
        "WHERE t.id IN (1)",
        "UPDATE t SET area=NULL, way=NULL WHERE t.id IN (2)",
    ]


def test_restore_rows_statements_share_one_cache_key():
    two = pair(["`id` int NOT NULL", "`n` int DEFAULT NULL", KEY])
    other = TablePair.of(two.target, None, two.now, two.then, known_point(snapshot=None, timestamp=None, mo_ts=5))
    keys = [
        statements.set_back(one, ["n"], [(1,), (2,)][: 1 + extra])._generate_cache_key()
        for one, extra in ((two, 0), (other, 1))
    ]
    assert keys[0] == keys[1]


TYPES_THAT_FIT = [
    ("int", "bigint"),
    ("varchar(5)", "varchar(6)"),
    ("varchar(5)", "text"),
    ("decimal(8,2)", "decimal(10,3)"),
    ("datetime", "datetime(6)"),
    ("enum('a')", "enum('b','a')"),
    ("float", "double"),
]
TYPES_THAT_DO_NOT = [
    ("bigint", "int"),
    ("varchar(6)", "varchar(5)"),
    ("decimal(8,2)", "decimal(8,3)"),
    ("decimal(8,2)", "int"),
    ("int", "decimal(8,2)"),
    ("int", "int unsigned"),
    ("datetime(6)", "datetime(3)"),
    ("vecf32(3)", "vecf32(4)"),
    ("varchar(5)", "int"),
    ("enum('a')", "set('a')"),
]
DIALECT = MatrixOneDialect_pymysql(server_version="4.2.0")


@pytest.mark.parametrize(("old", "now"), TYPES_THAT_FIT)
def test_restore_rows_of_a_widened_column_is_allowed(old, now):
    two = pair(["`id` int NOT NULL", f"`n` {now} NULL", KEY], ["`id` int NOT NULL", f"`n` {old} NULL", KEY])
    check_definitions(DIALECT, two, ALL)


@pytest.mark.parametrize(("old", "now"), TYPES_THAT_DO_NOT)
def test_restore_rows_of_a_column_of_another_type_is_refused(old, now):
    two = pair(["`id` int NOT NULL", f"`n` {now} NULL", KEY], ["`id` int NOT NULL", f"`n` {old} NULL", KEY])
    with pytest.raises(RestoreError, match=r"t\.n was") as caught:
        check_definitions(DIALECT, two, ALL)
    assert caught.value.reason is Reason.UNSUPPORTED
    check_definitions(DIALECT, two, RowKinds(missing=False, changed=False, new=True))


# -- the order of tables


def in_order(**tables):
    """Each table with the tables that it refers to; those in upper case by a key that may be NULL."""
    pairs = [
        pair(
            ["`id` int NOT NULL"]
            + [f"`r{n}` int {'DEFAULT NULL' if name.isupper() else 'NOT NULL'}" for n, name in enumerate(referred)]
            + [KEY]
            + [
                f"CONSTRAINT `f{n}` FOREIGN KEY (`r{n}`) REFERENCES `{name.lower()}` (`id`)"
                for n, name in enumerate(referred)
            ],
            name=table,
        )
        for table, referred in tables.items()
    ]
    return WriteOrder.of(pairs, "shop")


def test_restore_rows_orders_tables_after_those_they_refer_to():
    order = in_order(items="o", o="c", c="", alone="")
    names = [table.name for table in order.tables]
    assert names.index("c") < names.index("o") < names.index("items")
    assert order.unlinked == ()


def test_restore_rows_self_reference_is_not_a_cycle():
    order = in_order(a="A")
    assert order.unlinked == ()
    assert len(order.self_references(order.tables[0])) == 1


def test_restore_rows_breaks_a_cycle_at_a_nullable_key():
    order = in_order(a="b", b="c", c="A")
    assert [edge.child.name for edge in order.unlinked] == ["c"]
    assert order.unlinked_columns(order.unlinked[0].child) == ("r0",)
    assert [table.name for table in order.tables] == ["c", "b", "a"]


def test_restore_rows_of_a_cycle_without_nullable_key_is_refused():
    with pytest.raises(RestoreError, match="a, b refer to each other") as caught:
        in_order(a="b", b="a")
    assert caught.value.reason is Reason.UNSUPPORTED


# -- what is returned


def test_restored_rows_total_adds_up_counts():
    parts = {"a": RestoredRows(1, 2, 3, ("a.x",)), "b": RestoredRows(10, 20, 30)}
    total = RestoredRows.total(parts)
    assert total == RestoredRows(11, 22, 33, ("a.x",), parts)
    assert str(total) == "11 inserted, 22 updated, 33 deleted; skipped: a.x"
    assert str(parts["b"]) == "10 inserted, 20 updated, 30 deleted"


def test_rows_preview_is_shown_as_an_html_table():
    change = RowChange("t", "changed", {"id": 1}, {"id": 1, "n": "<b>"}, {"id": 1, "n": None, "m": 5})
    assert change.changed_columns == ("n",)
    preview = RowsPreview(0, 1, 0, rows=(change,), conflicts=(RowConflict("t", {"id": 2}, "a & b"),))
    html = preview._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a &amp; b" in html
    assert "<b>" not in html
    assert str(preview) == "0 inserted, 1 updated, 0 deleted"


def test_restore_conflict_message_names_up_to_ten_conflicts():
    conflicts = [RowConflict("t", {"id": n}, "taken") for n in range(12)]
    error = RestoreConflict(conflicts)
    assert error.reason == "conflict"
    assert error.conflicts == tuple(conflicts)
    assert "t (id=9): taken" in str(error)
    assert "id=10" not in str(error)
