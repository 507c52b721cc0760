"""Reflect tables that were created by SQL: autogenerate finds no difference, and a migration creates them again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData

from .alembic_project import migrate
from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE, COPY = "co_raw", "co_raw_copy"
OPTIONS = {"compare_type": True, "compare_server_default": True}

TYPES = """
    bool | boolean | tinyint | tinyint(1) | tinyint unsigned | smallint | smallint unsigned | mediumint
    | mediumint unsigned | int | int(11) | integer | int unsigned | bigint | bigint(20) unsigned | int2 | int4 | int8
    | float | float(10) | float(30) | float(7,3) | float unsigned | double | double(10,2) | double unsigned | real
    | decimal | decimal(10) | decimal(38,10) | numeric(5,1) | decimal(10,2) unsigned
    | bit | bit(8) | bit(64) | char | char(0) | char(5) | varchar | varchar(20) | varchar(65535)
    | varchar(5) character set utf8mb4 collate utf8mb4_bin | text | tinytext | mediumtext | longtext
    | binary | binary(3) | varbinary | varbinary(5) | blob | tinyblob | mediumblob | longblob | json
    | date | time | time(3) | datetime | datetime(0) | datetime(6) | timestamp | timestamp(6)
    | enum('a','b') | enum('a,b','it''s','') | uuid | vecf32 | vecf32(3) | vecf64(3) | datalink
"""
SHOWN_AFTER_4_2 = {" COLLATE utf8mb4_bin": "", " tinytext ": " text "}
"""What reflection does not read. Values are compared in this way with any collation; TINYTEXT is created as TEXT."""

TYPES_OF_3 = "year | year(4) | set('a','b') | geometry | point | linestring | polygon"
TYPES_OF_4_2 = (
    "double precision | long varchar | decimal(65,3) | vecf16(3) | vecbf16(3) | vecint8(3) | vecuint8(3)"
    " | point srid 4326 | geometry srid 4326"
)

DEFAULTS = r"""
    varchar(20) default 'a' | varchar(20) default '' | varchar(20) default 'NULL' | char(3) default 'x''y'
    | varchar(30) default 'current_timestamp' | varchar(20) default 'a\\b 100% :c'
    | int not null default 5 | int default -1 | int default (1 + 2) | int default null | bool default true
    | bool default 0 | decimal(10,2) default 1.50 | double default 1e10
    | bigint unsigned default 18446744073709551615
    | datetime default current_timestamp | datetime default now() | timestamp(3) default current_timestamp(3)
    | timestamp default current_timestamp on update current_timestamp
    | datetime default null on update current_timestamp
    | date default '2026-01-01' | datetime default '2026-01-01 02:03:04' | time default '01:02:03'
    | enum('a','b') not null default 'b' | bit(4) default b'101' | varbinary(5) default 'ab' | json default null
"""

TABLES = r"""
create table commented (id bigint not null auto_increment primary key comment 'it''s "the" key', x int comment '')
    comment = 'it''s 100% a table';
create table keyed (a int, b int, c varchar(20), d int unique, e int, primary key (b, a), unique key uq (c, d),
    unique (e), key ix (d, e), index ix2 (c), key (b));
create table named (a int primary key, b int unique, c int, constraint uq3 unique (c), unique key uq4 (b, c),
    index ix using btree (c));
create table no_key (a int, b varchar(5));
create table `Mixed` (`Id` int primary key, `order` int, `it``s` int, `100%` int, `a b` int, `Other` int,
    key `Ix` (`Other`));
create table referred (x int, y int, z int, primary key (y, x), unique key u (z));
create table referring (id int primary key, a int, b int, z int, z2 int, z3 int,
    constraint f1 foreign key (b, a) references referred (y, x), foreign key (z) references referred (z),
    constraint f2 foreign key (z2) references referred (z) on delete cascade on update cascade,
    constraint f3 foreign key (z3) references referred (z) on delete set null on update restrict);
create table tree (id int primary key, parent int, constraint ft foreign key (parent) references tree (id));
create table searched (id int primary key, title varchar(50), body text, fulltext index ftx (title, body)
    with parser ngram, fulltext (body));
create table near (id int primary key, v vecf32(3), key iv using ivfflat (v) lists = 2 op_type 'vector_l2_ops');
create table nearer (id bigint primary key, v vecf32(3),
    key hn using hnsw (v) m = 16 ef_construction = 64 ef_search = 32 op_type 'vector_l2_ops');
create table prefixed (id int primary key, c varchar(100), d varchar(200), index ixp (c(100)),
    unique key uqp (c(100), d(200)));
create table counted (id int unsigned not null auto_increment primary key, x int) auto_increment = 100;
create table like_another like keyed
"""
TABLES_OF_4_2 = """
create table checked (id int primary key, x int, y int check (y > 1), constraint ck1 check (x > 5 and x < y));
create table computed (id int primary key, x int, g int generated always as (x + 1) stored, h int as (x * 2) virtual);
create table random (id int primary key, r varchar(36) default (uuid()))
"""


def statements(release: tuple[int, ...]) -> Iterator[str]:
    for columns in (TYPES, *([TYPES_OF_3] if release >= (3,) else []), *([TYPES_OF_4_2] if release >= (4, 2) else [])):
        yield _table_of("types", columns)
    yield _table_of("defaults", DEFAULTS)
    yield from TABLES.split(";")
    if release >= (4, 2):
        yield from TABLES_OF_4_2.split(";")


def _table_of(name: str, columns: str) -> str:
    types = [part.strip() for part in columns.split(" | ")]
    described = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(types))
    return f"create table {name}_{len(types)} (id int primary key, {described})"


@pytest.fixture
def engines(server: Server, admin: Admin) -> Iterator[tuple[Engine, Engine]]:
    # What 2.2 wants before it makes these indexes; a SET of something unknown is no error.
    sets = [f"SET experimental_{kind}_index = 1" for kind in ("ivf", "fulltext", "hnsw")]
    make_databases(admin, DATABASE, COPY)
    for statement in (*sets, f"USE {DATABASE}", *statements(server.release)):
        admin(" ".join(statement.split()))
    engine, copy = (server.engine(server.url(database=database)) for database in (DATABASE, COPY))
    for statement in sets:
        with copy.begin() as connection:
            connection.exec_driver_sql(statement)
    yield engine, copy
    drop_databases(admin, DATABASE, COPY)


def reflected(engine: Engine) -> MetaData:
    metadata = MetaData()
    metadata.reflect(engine)
    return metadata


def differences(engine: Engine, metadata: MetaData) -> Any:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=OPTIONS), metadata)


def keys_and_constraints(engine: Engine) -> list[Any]:
    inspector = sa.inspect(engine)
    return [
        inspector.get_multi_pk_constraint(),
        inspector.get_multi_foreign_keys(),
        inspector.get_multi_indexes(),
        inspector.get_multi_check_constraints(),
        inspector.get_multi_table_comment(),
    ]


def make_copy(engine: Engine, metadata: MetaData) -> None:
    with engine.begin() as connection:
        migrate(MigrationContext.configure(connection, opts=OPTIONS), metadata)


@pytest.mark.filterwarnings("ignore:ON DELETE SET NULL of table .referring.:sqlalchemy.exc.SAWarning")
def test_reflected_metadata_round_trips_through_autogenerate(engines: tuple[Engine, Engine]):
    engine, copy = engines
    metadata = reflected(engine)
    assert differences(engine, metadata) == []
    make_copy(copy, metadata)
    assert differences(copy, metadata) == []
    assert differences(engine, reflected(copy)) == []
    assert keys_and_constraints(copy) == keys_and_constraints(engine)


def column_lines(admin: Admin, table: str) -> list[str]:
    text = admin(f"SHOW CREATE TABLE {table}")[0][1]
    for shown, reflected_as in SHOWN_AFTER_4_2.items():
        text = text.replace(shown, reflected_as)
    return re.findall(r"`c\d+` .*", text)


@pytest.mark.filterwarnings("ignore:ON DELETE SET NULL of table .referring.:sqlalchemy.exc.SAWarning")
def test_reflected_columns_have_the_same_show_create_table(engines: tuple[Engine, Engine], admin: Admin):
    """SHOW CREATE TABLE has the same lines for the columns of those with every type."""
    engine, copy = engines
    metadata = reflected(engine)
    types = [name for name in metadata.tables if name.startswith("types_")]
    make_copy(copy, metadata)
    for name in types:
        lines, copied = (column_lines(admin, f"{database}.{name}") for database in (DATABASE, COPY))
        assert copied == lines
        assert len(lines) > 5
