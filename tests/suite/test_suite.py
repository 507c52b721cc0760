"""SQLAlchemy's dialect suite, less what a server cannot pass; each with what the server does instead.

What a whole requirement covers stands in ``sqlalchemy_matrixone/requirements.py``.
"""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import test_reflection, test_results, test_sequence, test_types


def cannot(test: Callable[..., Any], reason: str) -> Callable[..., Any]:
    """The test, skipped for a reason."""
    return pytest.mark.skip(reason=reason)(test)


FOLDED = "MatrixOne folds the names of indexes and constraints to lower case, quoted or not (2.2, 3.0, 4.2)"


class ComponentReflectionTest(test_reflection.ComponentReflectionTest):
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


class QuotedNameArgumentTest(test_reflection.QuotedNameArgumentTest):
    __requires__ = ("quotes_in_names",)


class NameDenormalizeTest(test_results.NameDenormalizeTest):
    test_cols_driver_cols = cannot(
        test_results.NameDenormalizeTest.test_cols_driver_cols,
        "SELECT * gives the names of columns in lower case (2.2, 3.0, 4.2)",
    )


class SequenceTest(test_sequence.SequenceTest):
    OTHER_DATABASE = "nextval() finds sequences of the connection's own database alone (2.2, 3.0, 4.2)"

    test_insert_roundtrip_translate = cannot(test_sequence.SequenceTest.test_insert_roundtrip_translate, OTHER_DATABASE)
    test_nextval_direct_schema_translate = cannot(
        test_sequence.SequenceTest.test_nextval_direct_schema_translate, OTHER_DATABASE
    )


class EnumTest(test_types.EnumTest):
    test_round_trip_executemany_returning = cannot(
        test_types.EnumTest.test_round_trip_executemany_returning,
        "RETURNING refuses an ENUM column as a volatile function (4.2)",
    )


# Imported for their names above, not to run a second time.
del test_reflection, test_results, test_sequence, test_types
