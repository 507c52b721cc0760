"""Arguments that prune_snapshots() refuses before anything is sent."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import MatrixOneArgumentError, Recovery


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "pass either keep="),
        ({"keep": 1, "older_than": dt.timedelta(1)}, "pass either keep="),
        ({"keep": True}, "is not a number"),
        ({"keep": -1}, "keep=0 drops all"),
        ({"keep": "7"}, "is not a number"),
        ({"older_than": 7}, "is not a timedelta"),
        ({"older_than": -dt.timedelta(1)}, "is not a timedelta"),
        ({"keep": 1, "prefix": ""}, "begin with"),
        ({"keep": 1, "prefix": " "}, "begin with"),
        ({"keep": 1, "dry_run": "yes"}, "neither True nor False"),
    ],
)
def test_unclear_pruning_is_refused_before_connecting(arguments, message):
    engine = create_engine("matrixone+pymysql://u:p@127.0.0.1:1")
    with pytest.raises(MatrixOneArgumentError, match=message):
        Recovery(Session(engine)).prune_snapshots(arguments.pop("prefix", "nightly_"), **arguments)
