"""Put the database in MATRIXONE_URL back to what it was before its last migration."""

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
        raise SystemExit("MATRIXONE_URL says which database: matrixone+pymysql://dump:111@127.0.0.1:6001/shop")
    print("restored", go_back(url))
