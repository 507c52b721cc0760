"""The only place that uses Alembic's private API and undocumented state.

Each use is a function that names its purpose and has a test of its effect in ``tests/unit/test_alembic_internals.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import alembic.op
from alembic.ddl.mysql import MySQLImpl
from alembic.util import CommandError

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import CursorResult


class ExecutingImpl(MySQLImpl):
    """MySQL's implementation with a hook for what it executes or prints."""

    def in_own_words(self, construct: Any) -> Any:
        """Return what is executed or printed in place of a construct."""
        return construct

    def _exec(self, construct: Any, *args: Any, **kw: Any) -> CursorResult[Any] | None:
        return super()._exec(self.in_own_words(construct), *args, **kw)


def running_context() -> MigrationContext:
    """Return the context of the migrations that are being run. Alembic hands none to an implementation.

    :raises CommandError: if ``MigrationContext.run_migrations()`` was called outside of ``Operations.context()``.
    """
    try:
        return alembic.op.get_context()
    except (NameError, AttributeError) as not_established:  # before the first migration, and after one
        raise CommandError(
            "nothing was migrated: Alembic's op is not connected to a migration. Call run_migrations() of "
            "alembic.context in env.py, or that of a MigrationContext within 'with Operations.context(context):'."
        ) from not_established


class PlannedMigrations(NamedTuple):
    """The migrations that are about to run, and the versions that they start from."""

    heads: tuple[str, ...]
    steps: list[RevisionStep]


def planned_migrations(context: MigrationContext) -> PlannedMigrations | None:
    """Return what an upgrade or downgrade is about to run; None for any other command."""
    if "destination_rev" not in context.opts:
        return None
    heads = context.get_current_heads()
    steps = context.opts["fn"](heads, context)
    return PlannedMigrations(heads, [step for step in steps if not step.info.is_stamp])


def owns_transaction(context: MigrationContext) -> bool:
    """Return whether Alembic has begun the transaction that is open, so that it may end it."""
    return context._transaction is not None
