"""Names that MatrixOne mistakes for those of its internal tables."""

from __future__ import annotations

import pytest

from sqlalchemy_matrixone.core.hidden_names import left_out
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

NAMES = ["demo_index_x", "demo_tmp_x", "xxmo.index.z", "demo_index", "demo_indexes", "__mo_index_unique_1", "orders"]


@pytest.mark.parametrize(
    ("release", "lost"),
    [
        ("2.2.2", ["demo_index_x", "xxmo.index.z", "demo_indexes"]),
        ("3.0.14", ["demo_index_x", "demo_tmp_x", "xxmo.index.z", "demo_indexes"]),
        ("4.1.4", []),
        ("4.2.0", []),
    ],
)
def test_table_names_that_restores_leave_out_by_release(release: str, lost: list[str]) -> None:
    dialect = MatrixOneDialect_pymysql(server_version=release)
    assert left_out(dialect, NAMES) == lost
