import asyncio
import os
from logging.config import fileConfig

from alembic import context
from models import Base
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

url = os.environ.get("MATRIXONE_URL") or config.get_main_option("sqlalchemy.url")

options = {
    "target_metadata": Base.metadata,
    "autogenerate_plugins": ["alembic.autogenerate.*", "sqlalchemy_matrixone"],
    "transaction_per_migration": True,
    "matrixone_keep_snapshots": 3,
}


def run_migrations_offline() -> None:
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations(connection: Connection) -> None:
    context.configure(connection=connection, **options)
    with context.begin_transaction():
        context.run_migrations()


async def run_migrations_online() -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run_migrations)
    await engine.dispose()


if context.is_offline_mode():
    run_migrations_offline()
else:
    asyncio.run(run_migrations_online())
