"""Reading the statements that created views: those that a restore would create under a name that nothing finds."""

from __future__ import annotations

import pytest

from sqlalchemy_matrixone.losses.scope import RestoreScope
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
