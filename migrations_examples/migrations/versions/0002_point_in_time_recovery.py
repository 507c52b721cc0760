"""PITRs of the database and of the orders, as autogenerate wrote them."""

from sqlalchemy_matrixone.alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_pitr(range="1d", database=True)
    op.create_pitr(range="7d", table="orders")


def downgrade() -> None:
    op.drop_pitr(table="orders")
    op.drop_pitr(database=True)
