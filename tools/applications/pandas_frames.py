"""pandas: DataFrame.to_sql() and read_sql()."""

import pandas as pd
import sqlalchemy as sa
from checks import check, run

FRAME = pd.DataFrame(
    {
        "number": [1, 2, 3],
        "text": ["a", "it's ☕", None],
        "share": [0.5, None, 1.25],
        "at": pd.to_datetime(["2026-01-02 03:04:05", "2026-01-02 00:00:00", None]),
        "good": [True, False, True],
    }
)


@check
def round_trip(url: str) -> None:
    """writes a table and reads it as it was"""
    engine = sa.create_engine(url)
    assert FRAME.to_sql("frame", engine, index=False) == 3
    read = pd.read_sql_table("frame", engine)
    assert read["number"].tolist() == [1, 2, 3]
    assert read["text"].tolist()[:2] == ["a", "it's ☕"]
    assert read["at"].tolist()[:2] == FRAME["at"].tolist()[:2]
    assert read["share"].isna().tolist() == [False, True, False]


@check
def booleans(url: str) -> None:
    """reads booleans of a table as bool, and of a query in SQL as the numbers that MySQL has for them"""
    engine = sa.create_engine(url)
    assert pd.read_sql_query("SELECT good FROM frame ORDER BY number", engine)["good"].tolist() == [1, 0, 1]
    read = pd.read_sql_table("frame", engine)["good"]
    assert read.dtype == bool, read.dtype
    assert read.tolist() == [True, False, True]


@check
def modes(url: str) -> None:
    """appends, replaces, deletes rows, and refuses a table that exists"""
    engine = sa.create_engine(url)
    FRAME.to_sql("frame", engine, index=False, if_exists="append", method="multi")
    assert pd.read_sql("SELECT COUNT(*) AS n FROM frame", engine)["n"].item() == 6
    FRAME.to_sql("frame", engine, index=True, if_exists="replace", chunksize=2, dtype={"text": sa.String(30)})
    assert "index" in [column["name"] for column in sa.inspect(engine).get_columns("frame")]
    try:
        FRAME.to_sql("frame", engine)
    except ValueError:
        pass
    else:
        raise AssertionError("written over")
    with engine.begin() as connection:
        FRAME.head(1).to_sql("frame", connection, index=True, if_exists="append")


@check
def parameters(url: str) -> None:
    """reads queries with parameters, in chunks and by column types"""
    engine = sa.create_engine(url)
    statement = sa.text("SELECT number, at FROM frame WHERE number > :least")
    chunks = list(pd.read_sql(statement, engine, params={"least": 1}, chunksize=1, parse_dates=["at"]))
    assert len(chunks) == 2
    table = sa.Table("frame", sa.MetaData(), autoload_with=engine)
    assert pd.read_sql(sa.select(table), engine, index_col="number").index.tolist()[:3] == [1, 2, 3]


run("pandas", "pandas", "sqlalchemy")
