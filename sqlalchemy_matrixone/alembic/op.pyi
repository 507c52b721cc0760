"""``alembic.op`` with the recovery operations. Written by ``python -m tools.op_stub``; do not edit."""

from collections.abc import Collection

from alembic.op import *  # noqa: F403

from ..core.arguments import TableArgument, Timeout, Timestamp
from ..recovery.pitr_range import RangeArgument
from .operations import Database

def create_snapshot(
    name: str,
    *,
    cluster: bool = False,
    account: str | None = None,
    database: Database = None,
    table: TableArgument | None = None,
    from_account: str | None = None,
    publication: str | None = None,
    if_not_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Keep the current state of an object under a name, until the snapshot is dropped.

    Commits what the migration has done before, so that the snapshot includes it. If no object is given, the current
    account is meant. ::

        op.create_snapshot("before_import", table="orders")

    :param name: up to 64 characters, without spaces or quotes.
    :param cluster: True for the whole cluster.
    :param account: the name of an account.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param from_account: see :class:`~sqlalchemy_matrixone.CreateSnapshot`, also for ``publication``.
    :param publication: requires MatrixOne 4.0 or later.
    :param if_not_exists: no error if it exists, for instance because a migration is repeated that failed after this
        operation.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def drop_snapshot(
    name: str,
    *,
    if_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Drop a snapshot. What it kept can no longer be restored. Commits what ran before.

    ::

        op.drop_snapshot("before_import", if_exists=True)

    :param name: the name of the snapshot.
    :param if_exists: no error if it does not exist.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def restore_snapshot(
    name: str,
    *,
    cluster: bool = False,
    account: str | None = None,
    database: Database = None,
    table: TableArgument | None = None,
    to_account: str | None = None,
    timeout: Timeout | None = None,
    lose: Collection[str] = (),
    as_name: str | None = None,
    verify: bool = False,
    commit_first: bool = True,
) -> None:
    """Restore an object to the state that a snapshot kept. Commits what ran before.

    The object is replaced. Before that, the server waits for every open transaction that has written to it, without
    limit or for ``timeout``. A restore of the whole database includes ``alembic_version``. To undo a migration in
    this way, call :func:`sqlalchemy_matrixone.alembic.restore_latest_snapshot` or execute RestoreSnapshot outside
    of migrations. ::

        op.restore_snapshot("before_import", table="orders")

    :param name: the name of the snapshot.
    :param account: the account to restore, or the one that the database or table is in.
    :param to_account: restore a whole account other than sys into this one.
    :param cluster: True for the whole cluster.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param timeout: seconds, or a timedelta, after which the restore is ended and changes nothing. It does not apply
        to scripts created with ``--sql``.
    :param lose: what not to recreate after the restore; see :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.
        A script created with ``--sql`` contains only the server's statement, which recreates nothing.
    :param as_name: restore the database or table under this name, a table in the same database, **beside the
        present one**, which stays as it is. Requires MatrixOne 3.0 or later and a connection. See
        :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.
    :param verify: compare the result with what was to be restored.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def create_pitr(
    name: str | None = None,
    *,
    range: RangeArgument,
    cluster: bool = False,
    account: str | None = None,
    database: Database = None,
    table: TableArgument | None = None,
    if_not_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Make every point in time of the last ``range`` restorable from now on. Commits what ran before.

    If no object is given, the current account is meant. ::

        op.create_pitr("orders_week", range="7d", table="orders")
        op.create_pitr(range="7d", table="orders")

    :param name: without spaces or quotes. If it is omitted, the PITR of a database or table is named after that,
        ``shop`` or ``shop.orders``, wherever the migration runs.
    :param range: such as ``"7d"``: 1 to 100 of the units h, d, mo and y.
    :param if_not_exists: no error if a PITR of that name exists. It keeps its range; if the ranges differ, a
        ``RecoveryWarning`` states that.
    :param cluster: True for the whole cluster.
    :param account: the name of an account.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def alter_pitr(
    name: str | None = None,
    *,
    range: RangeArgument,
    database: Database = None,
    table: TableArgument | None = None,
    if_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Change how far back a PITR reaches. A shorter range discards what is older. Commits what ran before.

    ::

        op.alter_pitr("orders_week", range="3mo")
        op.alter_pitr(table="orders", range="3mo")

    :param name: the name of the PITR. If it was created without a name, pass its object instead.
    :param range: as for :meth:`create_pitr`.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param if_exists: no error if it does not exist.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def drop_pitr(
    name: str | None = None,
    *,
    database: Database = None,
    table: TableArgument | None = None,
    if_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Drop a PITR. What it covered can no longer be restored. Commits what ran before.

    ::

        op.drop_pitr("orders_week")
        op.drop_pitr(table="orders")

    :param name: the name of the PITR. If it was created without a name, pass its object instead.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param if_exists: no error if it does not exist.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def restore_pitr(
    name: str,
    *,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
    server_time: str | None = None,
    cluster: bool = False,
    account: str | None = None,
    database: Database = None,
    table: TableArgument | None = None,
    to_account: str | None = None,
    timeout: Timeout | None = None,
    lose: Collection[str] = (),
    as_name: str | None = None,
    verify: bool = False,
    commit_first: bool = True,
) -> None:
    """Restore an object to a point in time that a PITR covers. Commits what ran before.

    The object is replaced. Before that, the server waits for every open transaction that has written to it, without
    limit or for ``timeout``. ::

        op.restore_pitr("orders_week", timestamp="2026-03-01 12:00:00+00:00", table="orders")

    :param name: the name of the PITR.
    :param timestamp: a str with a UTC offset, or an aware datetime. It requires a connection, so it cannot be used
        with ``--sql``: only the server can convert it to the time on its own clock.
    :param server_time: instead of these, the time on the server's clock, such as ``"2026-03-01 12:00:00"``, which
        is sent unchanged. Use it for ``--sql`` scripts.
    :param account: the account to restore, or the one that the database or table is in.
    :param to_account: restore the account into this one.
    :param mo_ts: the same in nanoseconds since 1970.
    :param cluster: True for the whole cluster.
    :param database: the name of a database; True for the one that the migration runs on.
    :param table: the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in
        the database that the migration runs on.
    :param timeout: seconds, or a timedelta, after which the restore is ended and changes nothing. It does not apply
        to scripts created with ``--sql``.
    :param lose: what not to recreate after the restore; see :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.
        A script created with ``--sql`` contains only the server's statement, which recreates nothing.
    :param as_name: restore the database or table under this name, a table in the same database, **beside the
        present one**, which stays as it is. Requires MatrixOne 3.0 or later and a connection. See
        :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.
    :param verify: compare the result with what was to be restored.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if env.py controls the transaction.
    """

def clone_table(
    name: str,
    source: str,
    *,
    snapshot: str | None = None,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
    database: Database = None,
    to_account: str | None = None,
    if_not_exists: bool = False,
    copy_grants: bool = False,
    commit_first: bool = True,
) -> None:
    """Copy a table with its rows, which share their storage until they change. Requires MatrixOne 3.0 or later.

    The clone is a part of the same transaction as the operations that follow. If the migration has written
    anything before, that is committed first. ::

        op.clone_table("orders_copy", "orders", snapshot="before_import")

    :param name: the new table.
    :param source: the table that is cloned.
    :param database: the database of both; by default the one that the migration runs on.
    :param snapshot: copy its state at this snapshot.
    :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: create it in this account. Only the sys account may do that.
    :param if_not_exists: no error if it exists, for instance because a migration is repeated that failed after this
        operation.
    :param copy_grants: see :class:`~sqlalchemy_matrixone.CloneTable`.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if something was written before and env.py controls the transaction.
    """

def clone_database(
    name: str,
    source: str,
    *,
    snapshot: str | None = None,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
    to_account: str | None = None,
    if_not_exists: bool = False,
    commit_first: bool = True,
) -> None:
    """Copy a database with all its tables. Requires MatrixOne 3.0 or later.

    Otherwise the same as :meth:`clone_table`. ::

        op.clone_database("shop_copy", "shop")

    :param name: the new database.
    :param source: the database that is cloned.
    :param snapshot: copy its state at this snapshot.
    :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: create it in this account. Only the sys account may do that.
    :param if_not_exists: no error if it exists, for instance because a migration is repeated that failed after this
        operation.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if something was written before and env.py controls the transaction.
    """

def create_branch(
    name: str,
    source: str | None = None,
    *,
    database: Database = None,
    snapshot: str | None = None,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
    to_account: str | None = None,
    commit_first: bool = True,
) -> None:
    """Copy a table or database so that it can be merged back. Requires MatrixOne 3.0.6 or later.

    Otherwise the same as :meth:`clone_table`. ::

        op.create_branch("orders_dev", "orders")
        op.create_branch("shop_dev", database="shop")

    :param name: the name of the branch.
    :param source: the table that is branched.
    :param database: without a source, the database that is branched; with one, the database of both.
        True for the one that the migration runs on.
    :param snapshot: copy its state at this snapshot.
    :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: create it in this account. Only the sys account may do that.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if something was written before and env.py controls the transaction.
    """

def drop_branch(
    name: str | None = None,
    *,
    database: Database = None,
    commit_first: bool = True,
) -> None:
    """Drop a branch of a table or a database. Otherwise the same as :meth:`clone_table`.

    ::

        op.drop_branch("orders_dev")
        op.drop_branch(database="shop_dev")

    :param name: the table.
    :param database: without a name, the database that is dropped; with one, the database of the table. True for the
        one that the migration runs on.
    :param commit_first: False to raise an error instead of committing what was written before.
    :raises CommandError: if something was written before and env.py controls the transaction.
    """
