import os
from logging.config import fileConfig

from alembic import context
from models import Base
from sqlalchemy import create_engine, pool

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

url = os.environ.get("MATRIXONE_URL") or config.get_main_option("sqlalchemy.url")

options = {
    "target_metadata": Base.metadata,
    # Compare the declared PITRs with the server's.
    "autogenerate_plugins": ["alembic.autogenerate.*", "sqlalchemy_matrixone"],
    # Recovery operations commit what precedes them: with this, only complete revisions.
    "transaction_per_migration": True,
    # Before anything is migrated, take a snapshot of the database; keep the last three of these.
    "matrixone_keep_snapshots": 3,
}


def run_migrations_offline() -> None:
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    engine = create_engine(url, poolclass=pool.NullPool)
    # connect(), not begin(): Alembic controls the transactions.
    with engine.connect() as connection:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
