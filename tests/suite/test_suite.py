"""SQLAlchemy's dialect suite, less what a server cannot pass; each with what the server does instead.

What a whole requirement covers stands in ``sqlalchemy_matrixone/requirements.py``.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import DDL, Connection, MetaData, event
from sqlalchemy.dialects import mysql
from sqlalchemy.testing import config, exclusions
from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import (
    test_ddl,
    test_dialect,
    test_reflection,
    test_results,
    test_select,
    test_sequence,
    test_types,
)


def cannot(test: Callable[..., Any], reason: str, before: tuple[int, int] = (99, 0)) -> Callable[..., Any]:
    """Return the test, skipped for a reason; only on the releases before one, if that is given."""
    result: Callable[..., Any] = exclusions.skip_if(lambda config: config.db.dialect.server_release < before, reason)(
        test
    )
    return result


NO_IF_NOT_EXISTS = "CREATE INDEX IF NOT EXISTS is a syntax error (2.2, 3.0, 4.2)"


class TableDDLTest(test_ddl.TableDDLTest):
    test_create_index_if_not_exists = cannot(test_ddl.TableDDLTest.test_create_index_if_not_exists, NO_IF_NOT_EXISTS)


class FutureTableDDLTest(test_ddl.FutureTableDDLTest):
    test_create_index_if_not_exists = cannot(
        test_ddl.FutureTableDDLTest.test_create_index_if_not_exists, NO_IF_NOT_EXISTS
    )


HIDES_ROWS = "An index with the whole primary key in it hides rows, and is created without the key (2.2, 3.0)"


class LongNameBlowoutTest(test_ddl.LongNameBlowoutTest):
    def ix(self, metadata: MetaData, connection: Connection) -> Any:
        if connection.dialect.server_release < (4, 1):
            config.skip_test(HIDES_ROWS)
        return super().ix(metadata, connection)


FOLDED = "MatrixOne folds the names of indexes and constraints to lower case, quoted or not (2.2, 3.0, 4.2)"


def _hides_rows(ddl: Any, target: Any, bind: Connection, **kw: Any) -> bool:
    """Return whether an index that contains the whole primary key hides rows, so that the dialect changes it."""
    return bind.dialect.server_release < (4, 1)


class ComponentReflectionTest(test_reflection.ComponentReflectionTest):
    @classmethod
    def define_reflected_tables(cls, metadata: MetaData, schema: str | None) -> None:
        """Create an index that the dialect changes before 4.1 as text, so that it can be reflected."""
        super().define_reflected_tables(metadata, schema)
        users = metadata.tables[f"{schema}.users" if schema else "users"]
        for index in users.indexes:
            if index.name == "users_all_idx":
                index.ddl_if(callable_=lambda *args, **kw: not _hides_rows(*args, **kw))
                create = DDL("CREATE INDEX users_all_idx ON %(fullname)s (user_id, test2, test1)")
                event.listen(users, "after_create", create.execute_if(callable_=_hides_rows))

    test_get_foreign_keys_quoted_name = cannot(
        test_reflection.ComponentReflectionTest.test_get_foreign_keys_quoted_name, FOLDED
    )
    test_get_indexes_quoted_name = cannot(test_reflection.ComponentReflectionTest.test_get_indexes_quoted_name, FOLDED)
    test_get_unique_constraints_quoted_name = cannot(
        test_reflection.ComponentReflectionTest.test_get_unique_constraints_quoted_name, FOLDED
    )


class ComponentReflectionTestExtra(test_reflection.ComponentReflectionTestExtra):
    test_check_constraint_inline = cannot(
        test_reflection.ComponentReflectionTestExtra.test_check_constraint_inline, FOLDED
    )
    test_check_constraint_standalone = cannot(
        test_reflection.ComponentReflectionTestExtra.test_check_constraint_standalone, FOLDED
    )
    test_index_column_order = cannot(
        test_reflection.ComponentReflectionTestExtra.test_index_column_order,
        HIDES_ROWS,
        before=(4, 1),
    )


class QuotedNameArgumentTest(test_reflection.QuotedNameArgumentTest):
    __requires__ = ("quotes_in_names",)


if hasattr(test_results, "NameDenormalizeTest"):  # from SQLAlchemy 2.1 on

    class NameDenormalizeTest(test_results.NameDenormalizeTest):
        test_cols_driver_cols = cannot(
            test_results.NameDenormalizeTest.test_cols_driver_cols,
            "SELECT * gives the names of columns in lower case (2.2, 3.0, 4.2)",
        )


class IsolationLevelTest(test_dialect.IsolationLevelTest):
    test_dialect_user_setting_is_restored = cannot(
        test_dialect.IsolationLevelTest.test_dialect_user_setting_is_restored,
        "There is no other level: the server works in READ COMMITTED whatever is set (2.2, 3.0, 4.2)",
    )


class SequenceTest(test_sequence.SequenceTest):
    OTHER_DATABASE = "nextval() only finds sequences of the current database (2.2, 3.0, 4.2)"

    test_insert_roundtrip_translate = cannot(test_sequence.SequenceTest.test_insert_roundtrip_translate, OTHER_DATABASE)
    test_nextval_direct_schema_translate = cannot(
        test_sequence.SequenceTest.test_nextval_direct_schema_translate, OTHER_DATABASE
    )


class EnumTest(test_types.EnumTest):
    test_round_trip_executemany_returning = cannot(
        test_types.EnumTest.test_round_trip_executemany_returning,
        "RETURNING refuses an ENUM column as a volatile function (4.2)",
    )


class _WithMicroseconds:
    """Run with types that keep microseconds: DateTime, Time and TIMESTAMP keep whole seconds, as on MySQL."""

    # A separate test, so that the one that other classes share with these is not skipped.
    def test_null_bound_comparison(self):
        super().test_null_bound_comparison()

    test_null_bound_comparison = cannot(
        test_null_bound_comparison, "CASE WHEN … THEN NULL ELSE a DATETIME(6) loses the microseconds (2.2, 3.0, 4.2)"
    )


class DateTimeMicrosecondsTest(_WithMicroseconds, test_types.DateTimeMicrosecondsTest):
    datatype = mysql.DATETIME(fsp=6)


class TimestampMicrosecondsTest(_WithMicroseconds, test_types.TimestampMicrosecondsTest):
    datatype = mysql.TIMESTAMP(fsp=6)


class TimeMicrosecondsTest(_WithMicroseconds, test_types.TimeMicrosecondsTest):
    datatype = mysql.TIME(fsp=6)


NULL_IN_NULL = "NULL IN (NULL) AND …: invalid argument operator cast, bad value [ANY ANY] (2.2, 3.0)"


class ExpandingBoundInTest(test_select.ExpandingBoundInTest):
    test_null_in_empty_set_is_false_bindparam = cannot(
        test_select.ExpandingBoundInTest.test_null_in_empty_set_is_false_bindparam, NULL_IN_NULL, before=(4, 0)
    )
    test_null_in_empty_set_is_false_direct = cannot(
        test_select.ExpandingBoundInTest.test_null_in_empty_set_is_false_direct, NULL_IN_NULL, before=(4, 0)
    )


class PostCompileParamsTest(test_select.PostCompileParamsTest):
    test_execute_tuple_expanding_plus_literal_heterogeneous_execute = cannot(
        test_select.PostCompileParamsTest.test_execute_tuple_expanding_plus_literal_heterogeneous_execute,
        "(a, b) IN (…): no operator = for tuples (2.2), with strings and numbers the server panics (3.0)",
        before=(4, 0),
    )


class ServerSideCursorsTest(test_results.ServerSideCursorsTest):
    test_ss_cursor_status = cannot(
        test_results.ServerSideCursorsTest.test_ss_cursor_status,
        "SELECT 1 FOR UPDATE, without a table: the server panics, nil pointer (2.2, 3.0)",
        before=(4, 0),
    )


BEFORE_SENDING = "RETURNING raises before anything is sent, and names the release that has it (before 4.2)"

NOT_BY_THE_ORM = (
    "RETURNING is there (4.2) or raises before anything is sent; the flags keep the ORM from adding it to an UPDATE or "
    "DELETE of several tables, which the server refuses"
)


class ReturningGuardsTest(test_dialect.ReturningGuardsTest):
    test_insert_single = cannot(test_dialect.ReturningGuardsTest.test_insert_single, BEFORE_SENDING, before=(4, 2))
    test_insert_many = cannot(test_dialect.ReturningGuardsTest.test_insert_many, BEFORE_SENDING, before=(4, 2))
    test_update_single = cannot(test_dialect.ReturningGuardsTest.test_update_single, NOT_BY_THE_ORM)
    test_update_many = cannot(test_dialect.ReturningGuardsTest.test_update_many, BEFORE_SENDING, before=(4, 2))
    test_delete_single = cannot(test_dialect.ReturningGuardsTest.test_delete_single, NOT_BY_THE_ORM)
    test_delete_many = cannot(test_dialect.ReturningGuardsTest.test_delete_many, BEFORE_SENDING, before=(4, 2))


# Imported for their names above, not to run a second time.
del test_ddl, test_dialect, test_reflection, test_results, test_select, test_sequence, test_types
