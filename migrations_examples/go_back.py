"""Restore the database in MATRIXONE_URL to its state before the last migration."""

import os

from sqlalchemy import create_engine

from sqlalchemy_matrixone.alembic.snapshots import restore_latest_snapshot


def go_back(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        snapshot = restore_latest_snapshot(connection)
    engine.dispose()
    return snapshot.name


if __name__ == "__main__":
    url = os.environ.get("MATRIXONE_URL")
    if url is None:
        raise SystemExit(
            "set MATRIXONE_URL to the URL of the database: matrixone+pymysql://dump:111@127.0.0.1:6001/shop"
        )
    print("restored", go_back(url))
