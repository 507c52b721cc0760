"""Warn of declared PITRs that autogenerate does not compare."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import Column, Integer, MetaData, Table

from sqlalchemy_matrixone import CreatePitr
from sqlalchemy_matrixone.alembic.declarations import warn_if_not_compared
from sqlalchemy_matrixone.alembic.pitrs import _policies_of


def models(**declared: Any) -> MetaData:
    metadata = MetaData(info=declared)
    Table("orders", metadata, Column("id", Integer))
    return metadata


def table_with_pitr() -> MetaData:
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer), matrixone_pitr="7d")
    return metadata


def warnings_with(caplog: pytest.LogCaptureFixture, **opts: Any) -> list[str]:
    warn_if_not_compared(opts)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    "metadata",
    [models(matrixone_pitr="7d"), models(matrixone_pitrs=[]), table_with_pitr(), [models(), table_with_pitr()]],
)
def test_declared_pitr_without_the_plugin_is_reported(caplog: pytest.LogCaptureFixture, metadata: Any) -> None:
    [message] = warnings_with(caplog, target_metadata=metadata)
    assert 'autogenerate_plugins=["alembic.autogenerate.*", "sqlalchemy_matrixone"]' in message


@pytest.mark.parametrize(
    "opts",
    [
        {"autogenerate_plugins": ["alembic.autogenerate.*", "sqlalchemy_matrixone"]},
        {"autogenerate_plugins": ["*"]},
        {"autogenerate_plugins": ["alembic.autogenerate.*", "~sqlalchemy_matrixone"]},
        {"destination_rev": "head"},
        {"target_metadata": models()},
        {"target_metadata": None},
    ],
)
def test_nothing_is_reported_without_reason(caplog: pytest.LogCaptureFixture, opts: dict[str, Any]) -> None:
    assert warnings_with(caplog, **{"target_metadata": table_with_pitr()} | opts) == []


@pytest.mark.parametrize("declared", [None, 5, CreatePitr("p", range="1d")])
def test_declared_pitrs_that_are_no_list_are_refused(declared: Any) -> None:
    metadata = MetaData(info={"matrixone_pitrs": declared})
    with pytest.raises(CommandError, match=r"is a list of CreatePitr\(\.\.\.\) constructs, not"):
        list(_policies_of(None, None, metadata))  # type: ignore[arg-type]
