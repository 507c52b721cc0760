"""The range of a PITR, altered."""

from sqlalchemy_matrixone.alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.alter_pitr(database=True, range="3mo")


def downgrade() -> None:
    op.alter_pitr(database=True, range="7d")
