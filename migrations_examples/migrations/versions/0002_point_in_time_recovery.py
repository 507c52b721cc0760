"""The PITR of the database, as autogenerate wrote it."""

from sqlalchemy_matrixone.alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_pitr(range="7d", database=True)


def downgrade() -> None:
    op.drop_pitr(database=True)
