"""The only place that uses Alembic's private API and undocumented state.

Each use is a function that is named after its purpose. ``tests/unit/test_alembic_internals.py`` checks the effect of
each of them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import alembic.op
from alembic.ddl.mysql import MySQLImpl
from alembic.util import CommandError

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import CursorResult


class ExecutingImpl(MySQLImpl):
    """MySQL's implementation with hooks for the constructs that it executes or prints."""

    def to_execute(self, construct: Any) -> Any:
        """Return the construct to execute or print in place of a construct."""
        return construct

    def executing(self, construct: Any) -> AbstractContextManager[None]:
        """Return a context that surrounds the execution of a construct on a connection."""
        return nullcontext()

    def _exec(self, construct: Any, *args: Any, **kw: Any) -> CursorResult[Any] | None:
        construct = self.to_execute(construct)
        with nullcontext() if self.as_sql else self.executing(construct):
            return super()._exec(construct, *args, **kw)


def running_context() -> MigrationContext:
    """Return the context of the migrations that are being run, which Alembic does not pass to an implementation.

    :raises CommandError: if ``MigrationContext.run_migrations()`` was called outside of ``Operations.context()``.
    """
    try:
        return alembic.op.get_context()
    except (NameError, AttributeError) as not_established:  # before the first migration, and after the last one
        raise CommandError(
            "nothing was migrated: Alembic's op is not connected to a migration. Call run_migrations() of "
            "alembic.context in env.py, or that of a MigrationContext within 'with Operations.context(context):'."
        ) from not_established


class PlannedMigrations(NamedTuple):
    """The migrations that are about to run, and the revisions that they start from."""

    heads: tuple[str, ...]
    steps: list[RevisionStep]


def planned_migrations(context: MigrationContext) -> PlannedMigrations | None:
    """Return the migrations that an upgrade or downgrade is about to run; None for any other command."""
    if "destination_rev" not in context.opts:
        return None
    heads = context.get_current_heads()
    steps = context.opts["fn"](heads, context)
    return PlannedMigrations(heads, [step for step in steps if not step.info.is_stamp])


def owns_transaction(context: MigrationContext) -> bool:
    """Return whether the open transaction was started by Alembic, so that Alembic may end it."""
    return context._transaction is not None
