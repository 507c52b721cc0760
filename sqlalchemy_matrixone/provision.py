"""Provide databases for SQLAlchemy's test suite, which loads this module by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, text
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.testing.provision import (
    configure_follower,
    create_db,
    delete_from_all_tables,
    drop_db,
    set_default_schema_on_connection,
    temp_table_keyword_args,
    upsert,
)


@create_db.for_db("matrixone")  # type: ignore[untyped-decorator]
def _create_db(cfg: Any, engine: Engine, ident: str) -> None:
    with _statements(engine) as execute:
        for database in _databases(ident):
            execute(f"DROP DATABASE IF EXISTS {database}")
            execute(f"CREATE DATABASE {database}")


@configure_follower.for_db("matrixone")  # type: ignore[untyped-decorator]
def _configure_follower(config: Any, ident: str) -> None:
    _, config.test_schema, config.test_schema_2 = _databases(ident)


@drop_db.for_db("matrixone")  # type: ignore[untyped-decorator]
def _drop_db(cfg: Any, engine: Engine, ident: str) -> None:
    with _statements(engine) as execute:
        for database in _databases(ident):
            execute(f"DROP DATABASE IF EXISTS {database}")


@temp_table_keyword_args.for_db("matrixone")  # type: ignore[untyped-decorator]
def _temp_table_keyword_args(cfg: Any, engine: Engine) -> dict[str, Any]:
    return {"prefixes": ["TEMPORARY"]}


@delete_from_all_tables.for_db("matrixone")  # type: ignore[untyped-decorator]
def _delete_from_all_tables(connection: Connection, cfg: Any, metadata: MetaData) -> None:
    """Clear references to rows of the same table first: DELETE refuses such rows, even without foreign_key_checks."""
    for table in metadata.tables.values():
        own = {key.parent: None for key in table.foreign_keys if key.column.table is table}
        if own:
            connection.execute(table.update().values(own))
    delete_from_all_tables.call_original(connection, cfg, metadata)


@set_default_schema_on_connection.for_db("matrixone")  # type: ignore[untyped-decorator]
def _set_default_schema_on_connection(cfg: Any, dbapi_connection: Any, schema_name: str) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute(f"USE {schema_name}")
    cursor.close()


@upsert.for_db("matrixone")  # type: ignore[untyped-decorator]
def _upsert(
    cfg: Any,
    table: Table,
    returning: Any,
    *,
    set_lambda: Any = None,
    sort_by_parameter_order: bool = False,
    index_elements: Any = None,
) -> Any:
    statement = insert(table)
    if set_lambda:
        statement = statement.on_duplicate_key_update(**set_lambda(statement.inserted))
    else:
        key = table.primary_key.c[0]
        statement = statement.on_duplicate_key_update({key.key: key})
    return statement.returning(*returning, sort_by_parameter_order=sort_by_parameter_order)


def _databases(ident: str) -> tuple[str, str, str]:
    return ident, f"{ident}_test_schema", f"{ident}_test_schema_2"


@contextlib.contextmanager
def _statements(engine: Engine) -> Iterator[Any]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield lambda statement: connection.execute(text(statement))
