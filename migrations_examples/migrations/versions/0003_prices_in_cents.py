"""A data migration that could go wrong, and a snapshot of the database before it."""

import sqlalchemy as sa

from sqlalchemy_matrixone.alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # First in its revision, so that it commits only complete revisions; if_not_exists, so that the revision can
    # be repeated after a failure.
    op.create_snapshot("shop_before_cents", database=True, if_not_exists=True)
    op.add_column("orders", sa.Column("price_in_cents", sa.Integer))
    op.execute("UPDATE orders SET price_in_cents = CAST(price * 100 AS SIGNED)")
    op.alter_column("orders", "price_in_cents", existing_type=sa.Integer, nullable=False)
    op.drop_column("orders", "price")


def downgrade() -> None:
    op.restore_snapshot("shop_before_cents", table="orders")
    op.drop_snapshot("shop_before_cents")
