"""dlt's sqlalchemy destination: append, replace and merge."""

import shutil
import tempfile

import dlt
import sqlalchemy as sa
from checks import check, run

FOLDER = tempfile.mkdtemp()


def load(url: str, rows: list[dict], **options: object) -> None:
    destination, database = dlt.destinations.sqlalchemy(url), sa.make_url(url).database
    pipeline = dlt.pipeline("shop", destination=destination, dataset_name=database, pipelines_dir=FOLDER)
    pipeline.run(rows, table_name="goods", **options).raise_on_failed_jobs()


def names(url: str) -> list[str]:
    with sa.create_engine(url).connect() as connection:
        return list(connection.scalars(sa.text("SELECT name FROM goods ORDER BY id")))


@check
def append(url: str) -> None:
    """appends rows, with a column that is new"""
    load(url, [{"id": 1, "name": "tea"}])
    load(url, [{"id": 2, "name": "coffee ☕", "price": 1.5}])
    assert names(url) == ["tea", "coffee ☕"]


@check
def replace(url: str) -> None:
    """replaces all rows"""
    load(url, [{"id": 3, "name": "milk"}], write_disposition="replace")
    assert names(url) == ["milk"]


@check
def merge(url: str) -> None:
    """merges by a primary key"""
    load(url, [{"id": 3, "name": "oat milk"}, {"id": 4, "name": "salt"}], write_disposition="merge", primary_key="id")
    assert names(url) == ["oat milk", "salt"]


@check
def merge_sorted(url: str) -> None:
    """merges by a primary key, with a column that decides between duplicates"""
    shutil.rmtree(FOLDER)  # the load that failed is pending there
    rows = [{"id": 3, "name": "oat milk"}, {"id": 4, "name": "salt"}]
    columns = {"id": {"dedup_sort": "asc"}}
    load(url, rows, write_disposition="merge", primary_key="id", columns=columns)
    assert names(url) == ["oat milk", "salt"]


run("dlt", "dlt[sqlalchemy]")
