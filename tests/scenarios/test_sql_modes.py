"""Send values in every sql_mode, bound and as literals, with every driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sqlalchemy_matrixone import MatrixOneInvalidRequestError
from sqlalchemy_matrixone.core.release import Feature

from .client import DRIVERS, Client, drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_modes"
HOSTILE = [
    "\\'; DELETE FROM sc_modes.notes; -- ",
    "'; DELETE FROM sc_modes.notes; -- ",
    '\\"; DELETE FROM sc_modes.notes; -- ',
    "\\",
    "a\\nb\nc\rd\te",
    "50% %s %(x)s %%",
    ":name \\:name",
    "NUL \0 and \x1a",
    "漢字'\\😀",
    "/* ' */ # -- `x`",
]
MODES = ["", "ANSI_QUOTES", "PIPES_AS_CONCAT", "ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES"]

notes = sa.Table(
    "notes", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("order", sa.String(200))
)


@pytest.fixture
def table(admin: Admin) -> Iterator[None]:
    make_databases(admin, DATABASE)
    admin(f"CREATE TABLE {DATABASE}.notes (id INT PRIMARY KEY, `order` VARCHAR(200))")
    yield
    drop_databases(admin, DATABASE)


@pytest.fixture
def global_mode(admin: Admin) -> Iterator[None]:
    """Set the mode for new connections."""
    [(before,)] = admin("SELECT @@global.sql_mode")
    admin(f"SET GLOBAL sql_mode = '{before},NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    yield
    admin(f"SET GLOBAL sql_mode = '{before}'")


async def check_values(client: Client) -> None:
    rows = [{"id": number, "order": value} for number, value in enumerate(HOSTILE)]
    await client.execute(sa.delete(notes))
    await client.execute(sa.insert(notes).values(rows))
    assert [row.order for row in await client.execute(sa.select(notes).order_by(notes.c.id))] == HOSTILE
    for number, value in enumerate(HOSTILE):
        bound = sa.select(notes.c.id).where(notes.c.order == value)
        late = sa.select(notes.c.id).where(notes.c.order == sa.bindparam("v", value, literal_execute=True))
        literal = bound.compile(client.connection.engine, compile_kwargs={"literal_binds": True})
        for statement in (bound, late, sa.text(str(literal).replace("%%", "%").replace(":", "\\:"))):
            assert [row.id for row in await client.execute(statement)] == [number]
    joined = sa.select(notes.c.order + "||").where(notes.c.id == 3)
    assert [row[0] for row in await client.execute(joined)] == ["\\||"]
    await client.commit()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", MODES)
async def test_string_values_round_trip_in_each_sql_mode(server: Server, table: None, driver: str, mode: str) -> None:
    async with Client.connected(server, driver, database=DATABASE) as client:
        await client.execute(sa.text(f"SET sql_mode = '{mode}'"))
        await check_values(client)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_string_values_round_trip_with_a_global_sql_mode(
    server: Server, table: None, global_mode: None, driver: str
) -> None:
    async with Client.connected(server, driver, database=DATABASE) as client:
        await check_values(client)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_set_sql_mode_on_a_connection_is_refused_or_harmless(
    server: Server, table: None, global_mode: None, driver: str
) -> None:
    async with Client.connected(server, driver, database=DATABASE) as client:
        named = sa.text("SET SESSION sql_mode = :mode").bindparams(mode="NO_BACKSLASH_ESCAPES")
        if Feature.NO_BACKSLASH_ESCAPES.in_release(server.release):
            with pytest.raises(MatrixOneInvalidRequestError, match="SET was not sent"):
                await client.execute(named)
        else:
            await client.execute(named)
        await check_values(client)
        await client.execute(sa.text("SET sql_mode = @@global.sql_mode"))
        await check_values(client)


@pytest.mark.releases(since=(4, 2))
def test_sql_mode_in_the_url_is_refused(server: Server) -> None:
    engine = server.engine(server.url(sql_mode="NO_BACKSLASH_ESCAPES"))
    with pytest.raises(MatrixOneInvalidRequestError, match="SET was not sent"):
        engine.connect()
