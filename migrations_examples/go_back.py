"""Put the database in MATRIXONE_URL back to what it was before its last migration."""

import os

from sqlalchemy import create_engine

from sqlalchemy_matrixone.alembic import restore_newest


def go_back(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        snapshot = restore_newest(connection)
    engine.dispose()
    return snapshot.name


if __name__ == "__main__":
    print("restored", go_back(os.environ["MATRIXONE_URL"]))
