"""Open transactions that a restore would wait for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.names import fold
from ..core.server import matrixone_dialect
from ..exc import Blocker

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .target import RecoveryTarget

# Joined here: MatrixOne 3.0 repeats rows when it joins table functions.
_SESSIONS = "SELECT conn_id, account, user, client_host, info, txn_id FROM mo_sessions() AS s WHERE txn_id <> ''"
# In mo_database (1) and mo_tables (2), the locked row matters; elsewhere, only the table does.
_LOCKS = (
    "SELECT DISTINCT txn_id, table_id, CASE WHEN table_id IN ('1', '2') THEN lock_content ELSE '' END "
    "FROM mo_locks() AS l"
)
_TRANSACTIONS = "SELECT txn_id, create_ts FROM mo_transactions() AS x"
_TABLES = (
    "SELECT relname, rel_id FROM mo_catalog.mo_tables "
    "WHERE account_id = CURRENT_ACCOUNT_ID() AND reldatabase = %s AND relkind = 'r'"
)

_Lock = Callable[[str, str], bool]


def get_blockers(connection: Connection, target: RecoveryTarget) -> list[Blocker]:
    """Return the sessions whose open transactions a restore of the target would wait for, the oldest first."""
    dialect = matrixone_dialect(connection)
    with dialect.preserving_clean_state(connection):
        is_in_the_way = _lock_filter(connection, target)
        locks = connection.exec_driver_sql(_LOCKS).all()
        since = {txn: _instant(created) for txn, created in connection.exec_driver_sql(_TRANSACTIONS)}
        sessions = connection.exec_driver_sql(_SESSIONS).all()
    account = _account(target, dialect.default_account_name)
    holders = {txn for txn, table_id, content in locks if is_in_the_way(table_id, content)}
    blockers = [
        Blocker(connection_id, name, user, host, since[txn], statement or None)
        for connection_id, name, user, host, statement, txn in sessions
        if txn in holders and txn in since and account in (None, fold(name))
    ]
    return sorted(blockers, key=lambda blocker: blocker.since)


def describe_blockers(blockers: Sequence[Blocker]) -> str:
    """Return a sentence for an error's message. It holds nobody's statement, which may hold a secret."""
    if not blockers:
        return ""
    names = [
        f"connection {each.connection_id} of {each.account}:{each.user} from {each.host} "
        f"(in a transaction since {each.since:%Y-%m-%d %H:%M:%S} UTC)"
        for each in blockers
    ]
    return f" It waited for {', '.join(names)}."


def _account(target: RecoveryTarget, own: str | None) -> str | None:
    """Return the account whose sessions count; None for all."""
    if target.level == "cluster":
        return None
    return fold(target.account or own)


def _lock_filter(connection: Connection, target: RecoveryTarget) -> _Lock:
    """Return whether a lock, of a table's id and on these bytes, is one that a restore waits for."""
    if target.level in ("cluster", "account"):
        return lambda table_id, content: True
    database = fold(target.database_on(connection)) or ""
    table = fold(target.table)
    rows = connection.exec_driver_sql(_TABLES, (database,)).all()
    ids = {str(number) for name, number in rows if table in (None, name)}
    names = _packed(database) + (_packed(table) if table is not None else "")
    return lambda table_id, content: table_id in ids or (table_id in ("1", "2") and names in content)


def _packed(name: str) -> str:
    """Return a name as encoded in a composite key: a tag, its bytes and an escaped null, in hexadecimal."""
    return f"4601{name.encode().hex()}00ff"


def _instant(text: str) -> dt.datetime:
    """Parse RFC 3339 with up to nine digits of a second."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(whole).replace(microsecond=int(fraction[:6].ljust(6, "0")), tzinfo=dt.UTC)
