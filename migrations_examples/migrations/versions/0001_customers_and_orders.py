"""The tables: all of this happens, or none of it."""

import sqlalchemy as sa

from sqlalchemy_matrixone.alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    customers = op.create_table(
        "customers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer_id", sa.Integer, nullable=False),
        sa.Column("ordered_at", sa.DateTime, nullable=False),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_orders_customer"),
    )
    op.bulk_insert(customers, [{"id": 1, "name": "the first customer"}])


def downgrade() -> None:
    op.drop_table("orders")
    op.drop_table("customers")
