"""Recovery on an AsyncSession or AsyncConnection. Requires greenlet, as SQLAlchemy's asyncio extension does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

from ..core.arguments import Timestamp, check_flag
from ..exc import MatrixOneArgumentError
from .session import Recovery

AsyncBind = AsyncSession | async_scoped_session[Any] | AsyncConnection

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _awaited(
    method: Callable[Concatenate[Recovery, _P], _R],
) -> Callable[Concatenate[AsyncRecovery, _P], Coroutine[Any, Any, _R]]:
    """Return a method of Recovery as one of AsyncRecovery."""

    @wraps(method)
    async def run(self: AsyncRecovery, *args: _P.args, **kw: _P.kwargs) -> _R:
        return await self._run(lambda recovery: method(recovery, *args, **kw))

    return run  # type: ignore[return-value]


class AsyncRecovery:
    """:class:`Recovery` on an AsyncSession, async_scoped_session or AsyncConnection: the same methods, awaited.

    ::

        async with AsyncSession(engine) as session:
            recovery = AsyncRecovery(session)
            await recovery.create_pitr("orders_week", range="7d", table=Order)
    """

    def __init__(self, bind: AsyncBind, *, commit_first: bool = False) -> None:
        if not isinstance(bind, (AsyncSession, async_scoped_session, AsyncConnection)):
            raise MatrixOneArgumentError(
                f"AsyncRecovery works on an AsyncSession, async_scoped_session or AsyncConnection, not on {bind!r}"
            )
        self._bind = bind
        self._commit_first = check_flag("commit_first", commit_first)

    async def _run(self, call: Callable[[Recovery], _R]) -> _R:
        # The scoped registry has no run_sync of its own.
        bind: Any = self._bind() if isinstance(self._bind, async_scoped_session) else self._bind
        return await bind.run_sync(lambda sync: call(Recovery(sync, commit_first=self._commit_first)))  # type: ignore[no-any-return]

    create_snapshot = _awaited(Recovery.create_snapshot)
    drop_snapshot = _awaited(Recovery.drop_snapshot)
    get_snapshot = _awaited(Recovery.get_snapshot)
    list_snapshots = _awaited(Recovery.list_snapshots)
    prune_snapshots = _awaited(Recovery.prune_snapshots)
    restore_snapshot = _awaited(Recovery.restore_snapshot)
    create_pitr = _awaited(Recovery.create_pitr)
    alter_pitr = _awaited(Recovery.alter_pitr)
    drop_pitr = _awaited(Recovery.drop_pitr)
    get_pitr = _awaited(Recovery.get_pitr)
    list_pitrs = _awaited(Recovery.list_pitrs)
    reactivate_pitrs = _awaited(Recovery.reactivate_pitrs)
    undrop = _awaited(Recovery.undrop)
    restore_pitr = _awaited(Recovery.restore_pitr)
    recovery_windows = _awaited(Recovery.recovery_windows)
    blockers = _awaited(Recovery.blockers)
    find_change = _awaited(Recovery.find_change)
    coverage = _awaited(Recovery.coverage)
    timeline = _awaited(Recovery.timeline)
    restore_rows = _awaited(Recovery.restore_rows)
    preview_rows = _awaited(Recovery.preview_rows)

    @asynccontextmanager
    async def rehearsal(
        self,
        *,
        database: str,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
    ) -> AsyncIterator[str]:
        """Clone a database as it was into a scratch database for an ``async with`` block.

        See :meth:`Recovery.rehearsal`.
        """
        block = await self._run(
            lambda recovery: recovery.rehearsal(database=database, snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
        )
        scratch = await self._run(lambda _: block.__enter__())
        try:
            yield scratch
        except BaseException as error:
            await self._run(partial(_leave, block, error))
            raise
        await self._run(partial(_leave, block, None))


def _leave(block: AbstractContextManager[str], error: BaseException | None, _: Recovery) -> None:
    """Leave a block, whose error the caller raises again."""
    try:
        block.__exit__(type(error) if error else None, error, None)
    except BaseException as raised:
        if raised is not error:
            raise
