"""A construct accepts its arguments or raises an argument error, whatever is passed; it raises no other error."""

from __future__ import annotations

import datetime as dt
import inspect
from contextlib import suppress
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, exc, literal, select, text

import sqlalchemy_matrixone as matrixone
from sqlalchemy_matrixone import AsyncRecovery, MatrixOneArgumentError, PickBranch, Recovery
from sqlalchemy_matrixone.alembic import operations as ops
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery.preservation import check_lose
from sqlalchemy_matrixone.recovery.rows.target import rows_targets

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
TABLE = Table("orders", MetaData(), Column("id", Integer, primary_key=True))

MADE = {
    "CreateSnapshot": {"name": "s"},
    "DropSnapshot": {"name": "s"},
    "RestoreSnapshot": {"name": "s", "database": "d"},
    "CreatePitr": {"name": "p", "range": "1d"},
    "AlterPitr": {"name": "p", "range": "1d"},
    "DropPitr": {"name": "p"},
    "RestorePitr": {"name": "p", "timestamp": NOON, "database": "d"},
    "CloneTable": {"name": "c", "source": "t"},
    "CloneDatabase": {"name": "c", "source": "d"},
    "CreateBranch": {"name": "b", "source": "t"},
    "DropBranch": {"name": "b"},
    "DiffBranch": {"branch": "b", "against": "t"},
    "MergeBranch": {"branch": "b", "into": "t"},
    "PickBranch": {"branch": "b", "into": "t", "keys": [1]},
    "as_of": {"target": TABLE, "snapshot": "s"},
    "changes_since": {"target": TABLE, "snapshot": "s"},
    "changes_between": {"target": TABLE, "before": "s", "after": NOON},
}
PARAMETERS = [
    (name, parameter) for name in MADE for parameter in inspect.signature(getattr(matrixone, name)).parameters
]
FLAGS = [
    (name, parameter)
    for name in MADE
    for parameter, declared in inspect.signature(getattr(matrixone, name)).parameters.items()
    if declared.default is False
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs"]), min_size=1)
    | st.binary()
    | st.decimals()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.timedeltas()
    | st.dates()
    | st.sampled_from(
        [
            object(),
            object,
            len,
            TABLE,
            TABLE.c.id,
            select(TABLE.c.id),
            text("x"),
            literal(1),
            np.array(1),
            np.array([1, 2]),
        ]
    )
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.integers(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=map(".".join, PARAMETERS))
@settings(max_examples=25, deadline=None)
@given(given_value=anything)
@example(given_value=create_engine("sqlite://"))
@example(given_value=(7, np.eye(2)))
def test_any_object_as_argument_gives_construct_or_argument_error(name, parameter, given_value):
    try:
        made = getattr(matrixone, name)(**MADE[name] | {parameter: given_value})
    except MatrixOneArgumentError:
        return
    # Neither has a class made by as_of() a compile(), nor has SQLAlchemy a literal for each value of a key.
    with suppress(exc.SQLAlchemyError, AttributeError):
        made.compile(dialect=MatrixOneDialect_pymysql(server_version="4.2.0"))


@pytest.mark.parametrize(("name", "flag"), FLAGS, ids=map(".".join, FLAGS))
@pytest.mark.parametrize("value", ["false", "true", 0, 1, None, np.bool_(True)])
def test_flag_that_is_not_a_bool_is_refused(name, flag, value):
    with pytest.raises(MatrixOneArgumentError, match="neither True nor False"):
        getattr(matrixone, name)(**MADE[name] | {flag: value})


def test_boolean_flags_are_all_checked():
    assert {flag for _, flag in FLAGS} == {"cluster", "if_exists", "if_not_exists", "copy_grants"}


@pytest.mark.parametrize("recovery", [Recovery, AsyncRecovery])
def test_commit_first_that_is_not_a_bool_is_refused(recovery):
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    with pytest.raises(MatrixOneArgumentError, match="commit_first="):
        recovery(Session() if recovery is Recovery else AsyncSession(), commit_first="false")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ops.CreateSnapshotOp("s", cluster="false"),
        lambda: ops.CreateSnapshotOp("s", if_not_exists=None),
        lambda: ops.DropPitrOp("p", if_exists=1),
        lambda: ops.CloneTableOp("c", source="t", copy_grants="yes"),
    ],
)
def test_flag_of_an_operation_that_is_not_a_bool_is_refused(make):
    with pytest.raises(MatrixOneArgumentError, match="neither True nor False"):
        make()


def test_operation_for_database_false_is_refused():
    """It must not become one for the whole account."""
    with pytest.raises(MatrixOneArgumentError, match="database=False is not a name"):
        ops.CreatePitrOp("p", range="1d", database=False)


@pytest.mark.parametrize(
    "keys",
    [
        b"1",
        "12",
        bytearray(b"1"),
        memoryview(b"1"),
        {1: 2},
        7,
        1.5,
        list,
        [],
        (),
        [None],
        [()],
        [[]],
        np.array(1),
    ],
)
def test_pick_branch_keys_that_are_no_list_of_keys_are_refused(keys):
    with pytest.raises(MatrixOneArgumentError, match="keys="):
        PickBranch("b", "t", keys=keys)


@pytest.mark.parametrize(
    ("keys", "kept"),
    [([1, 2], [1, 2]), ((key for key in (1,)), [1]), ([(1,)], [1]), ([(1, "a"), [2, "b"]], [(1, "a"), (2, "b")])],
)
def test_pick_branch_keys_are_kept_as_values_or_tuples(keys, kept):
    assert PickBranch("b", "t", keys=keys).keys == kept


@pytest.mark.parametrize("between", ["ab", ("a",), ("a", "b", "c"), 5, ("a", None), {"a": "b"}])
def test_pick_branch_between_that_is_not_a_pair_of_snapshots_is_refused(between):
    with pytest.raises(MatrixOneArgumentError):
        PickBranch("b", "t", between=between)


@pytest.mark.parametrize("columns", ["total", b"total", [], 5, [5], {"total"}])
def test_diff_branch_columns_that_are_no_list_of_columns_are_refused(columns):
    with pytest.raises(MatrixOneArgumentError, match="columns"):
        matrixone.DiffBranch("b", "t", columns=columns)


def test_pick_branch_key_of_decimal_is_compiled_exactly():
    made = PickBranch("b", "t", keys=[Decimal("1.50")])
    assert "KEYS (1.50)" in str(made)


ODD = [True, 0, 1.5, b"x", [1], {"a": 1}, object(), len, TABLE, TABLE.c.id, text("x"), np.array([1, 2]), NOON]


@pytest.mark.parametrize("name", [*ODD, None, "", " "])
def test_invalid_name_is_refused_before_anything_is_sent(name):
    from sqlalchemy.orm import Session

    recovery = Recovery(Session())
    for find in (recovery.get_snapshot, recovery.get_pitr):
        with pytest.raises(MatrixOneArgumentError, match="is not a name"):
            find(name)


@pytest.mark.parametrize("where", [7, 1.5, b"x", {1}, len, object(), NOON, float("nan"), [7], np.True_])
def test_restore_rows_where_that_is_not_a_criterion_is_refused(where):
    with pytest.raises(MatrixOneArgumentError, match="is not a criterion"):
        rows_targets(TABLE, where, None)


@pytest.mark.parametrize("columns", [7, 1.5, b"x", {"id": 1}, len, object(), NOON, True, [None], [7], []])
def test_restore_rows_columns_that_are_no_columns_are_refused(columns):
    with pytest.raises(MatrixOneArgumentError, match="columns="):
        rows_targets(TABLE, None, columns)


@pytest.mark.parametrize("lose", [None, True, 1.5, TABLE, select(1), {"grants": 1}, b"grants", ("nothing",), [None]])
def test_lose_that_names_no_kinds_is_refused(lose):
    with pytest.raises(MatrixOneArgumentError, match="lose="):
        check_lose(lose)
