"""sqlacodegen: declarative classes of an existing database."""

import contextlib
import io
import sys

import sqlalchemy as sa
from checks import check, run
from sqlacodegen.cli import main

TABLES = [
    "CREATE TABLE customer (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL UNIQUE COMMENT 'as said', "
    "kind ENUM('private', 'company') DEFAULT 'private', good BOOL DEFAULT true, "
    "at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), data JSON)",
    "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, total DECIMAL(8, 2), customer_id INT, KEY ix_total (total), "
    "CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE)",
    "CREATE TABLE item (id INT PRIMARY KEY, embedding VECF32(3), file DATALINK, uid UUID)",
]


def generated(url: str, *options: str) -> str:
    printed = io.StringIO()
    sys.argv = ["sqlacodegen", url, *options]
    with contextlib.redirect_stdout(printed):
        main()
    compile(printed.getvalue(), "models.py", "exec")
    return printed.getvalue()


@check
def ordinary(url: str) -> None:
    """generates classes with keys, relationships and defaults"""
    with sa.create_engine(url).begin() as connection:
        for statement in TABLES[:2]:
            connection.execute(sa.text(statement))
    models = generated(url)
    assert "class Customer" in models
    assert "relationship('Customer'" in models
    assert "ondelete='CASCADE'" in models
    assert "'private'" in models
    assert "DATETIME(fsp=6)" in models


@check
def tables(url: str) -> None:
    """generates Tables, dataclasses and SQLModel-like variants"""
    assert "Table(" in generated(url, "--generator", "tables")
    assert "MappedAsDataclass" in generated(url, "--generator", "dataclasses")


@check
def own_types(url: str) -> None:
    """generates columns of MatrixOne's own types"""
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text(TABLES[2]))
    models = generated(url, "--tables", "item")
    assert "VECF32" in models
    assert "DATALINK" in models


run("sqlacodegen")
