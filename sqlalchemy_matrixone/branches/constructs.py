"""Clones and data branches: immediate copies of tables and databases, their differences, and merging them.

Unlike the recovery statements, these are part of the transaction as far as the server allows it: if the transaction is
rolled back, a clone or branch that it created no longer exists, and one that it dropped exists again. Statements that
the server always commits are refused outside of an AUTOCOMMIT connection; see :class:`TransactionScope`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Column, Row, Table
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import ClauseElement, TableClause
from sqlalchemy.sql.base import Executable, Generative
from sqlalchemy.sql.selectable import SelectBase

from ..core.arguments import (
    TableArgument,
    Timestamp,
    check_choice,
    check_flag,
    check_is_name,
    check_name,
    check_object_name,
    inspect_entity,
)
from ..core.connection import driver_connection
from ..core.driver_internals import reading_text
from ..core.release import Feature, Release
from ..core.server import MatrixOneServer, matrixone_dialect
from ..core.statement import MatrixOneDDL, TranslatesErrors
from ..exc import BranchError, MatrixOneArgumentError
from ..timetravel.point_in_time import PointInTime
from ..timetravel.tables import AsOfTable
from .checks import DatabaseObject, Lookup, check_nothing_left_out, create_copy, drop_branch, refuse_columns
from .copied import Copied
from .execution import BranchStatement, TransactionScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.sqlalchemy_internals import Execute

OnConflict = Literal["fail", "skip", "accept"]


@dataclass(frozen=True)
class TableReference:
    """A table in a statement, and the point in time at which it is read."""

    name: str
    database: str | None = None
    moment: PointInTime | None = None
    table: Table | None = None

    @classmethod
    def of(cls, keyword: str, given: Any, database: str | None) -> TableReference:
        """Return the reference that an argument specifies.

        :raises MatrixOneArgumentError: if it is neither a mapped class, a Table, an ``as_of()`` of these, nor a name.
        """
        if database is not None:
            check_is_name("database", database)
        if isinstance(given, str):
            check_is_name(keyword, given)
            return cls(given, database)
        inspected = inspect_entity(given)
        selectable = inspected.local_table if isinstance(inspected, Mapper) else getattr(inspected, "selectable", given)
        moment = selectable.moment if isinstance(selectable, AsOfTable) else None
        named = selectable.element if isinstance(selectable, AsOfTable) else selectable
        if not isinstance(named, TableClause):
            raise MatrixOneArgumentError(f"{keyword}={given!r} is neither a mapped class, a Table nor a name")
        return cls(named.name, named.schema, moment, named if isinstance(named, Table) else None)

    def as_object(self) -> DatabaseObject:
        """Return the table as an object whose existence can be looked up."""
        return DatabaseObject(self.database, self.name)

    @classmethod
    def present(cls, keyword: str, given: Any, database: str | None) -> TableReference:
        """Return the reference to a table that is written to.

        :raises MatrixOneArgumentError: as for :meth:`of`, and if the table is historical.
        """
        named = cls.of(keyword, given, database)
        if named.moment is not None:
            raise MatrixOneArgumentError(
                f"{keyword}= is written to, and historical tables are read-only: pass the table itself"
            )
        return named


class BranchDDL(BranchStatement, MatrixOneDDL):
    """Base of the constructs."""

    error = BranchError

    def tables(self) -> Iterator[Table]:
        """Yield the Tables among the arguments, by which a Session with several engines chooses the engine."""
        return _tables_in(self)

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the statement; see :meth:`execute_on`. Refuse other dialects than MatrixOne's."""
        matrixone_dialect(connection)  # another dialect would not send the BEGIN
        return execute(self)


def _tables_in(element: Any) -> Iterator[Table]:
    for value in vars(element).values():
        if isinstance(value, TableReference) and value.table is not None:
            yield value.table


def _moment_or_none(snapshot: str | None, timestamp: Timestamp | None, mo_ts: int | None) -> PointInTime | None:
    if snapshot is None and timestamp is None and mo_ts is None:
        return None
    return PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)


def _check_if_not_exists(if_not_exists: bool, to_account: str | None) -> None:
    if if_not_exists and to_account is not None:
        raise MatrixOneArgumentError("if_not_exists=True cannot be checked in another account: omit it with to_account")


def _check_copy_grants(copy_grants: bool, to_account: str | None) -> None:
    if copy_grants and to_account is not None:
        raise MatrixOneArgumentError("copy_grants=True: another account has other roles. Omit it with to_account")


def _check_account(to_account: str | None) -> str | None:
    if to_account is not None:
        check_object_name("to_account", to_account)
    return to_account


class _Copy(BranchDDL):
    """Base of the constructs that copy a table or database."""

    name: str
    moment: PointInTime | None
    to_account: str | None
    if_not_exists: bool = False

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        database = self._copied_database()
        lookup = Lookup(connection, options)
        copied: list[Copied] = []

        def copy() -> CursorResult[Any]:
            if database is not None:
                check_nothing_left_out(connection, self.operation.upper(), database)
            source, created = lookup.named(self._source()), lookup.named(self._created())
            copied.append(
                Copied(
                    connection,
                    source,
                    created,
                    self.moment,
                    copy_grants=self._grants_again(),
                    may_be_sequence=self._may_be_sequence(),
                )
            )
            with copied[0].explaining_errors(self.operation, connection):
                return execute(self.copy_with(if_not_exists=False))

        is_present = database is not None and self.moment is None
        result = create_copy(
            lookup,
            self._created(),
            copy,
            source=DatabaseObject(database) if is_present else None,
            if_not_exists=self.if_not_exists,
            in_other_account=self.to_account is not None,
        )
        for each in copied:
            each.put_back(connection, in_other_account=self.to_account is not None)
        return result

    def _created(self) -> DatabaseObject:
        """Return the object that is created."""
        raise NotImplementedError

    def _source(self) -> DatabaseObject:
        """Return the object that is copied."""
        raise NotImplementedError

    def _may_be_sequence(self) -> bool:
        """Return whether a sequence may be copied, as if it were a table: a Table is none."""
        return False

    def _grants_again(self) -> bool:
        """Return whether to copy the privileges by GRANT statements."""
        return False

    def _copied_database(self) -> str | None:
        """Return the database that is copied, if it is one."""
        source = self._source()
        return source.database if source.table is None else None


class CloneTable(_Copy):
    """``CREATE TABLE … CLONE``: copy a table with its rows, sharing their storage until they change.

    A clone is part of the transaction: a rollback undoes it. MatrixOne 3.0 on.

    ::

        session.execute(CloneTable("orders_copy", Order))
        session.execute(CloneTable("orders_then", Order, snapshot="before_import"))

    :param name: the new table: a name, or a Table to specify its database as well.
    :param source: the table to clone: a mapped class, a Table or a name, or an ``as_of()`` of these.
    :param snapshot: clone the table as it was at this snapshot.
    :param timestamp: clone it as it was at this instant: an aware datetime, or a str with a UTC offset. The
        server refuses a time that is more than an hour ago, unless it is that of a snapshot; ``mo_ts=`` is not checked.
    :param mo_ts: the same in nanoseconds since 1970.
    :param database: the database of tables that are given as plain names; by default the current database.
    :param to_account: create the clone in this account, in which case the new table specifies a database there; only
        sys may do this.
    :param if_not_exists: do nothing if a table of that name exists. This is checked before the statement is executed,
        because the server's own IF NOT EXISTS adds the rows to that table (4.2).
    :param copy_grants: copy the privileges that are granted on the table. MatrixOne 4.1.2 on.
    :raises MatrixOneArgumentError: if the server would refuse an argument.
    """

    __visit_name__ = "clone_table"

    def __init__(
        self,
        name: TableArgument,
        source: TableArgument,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        database: str | None = None,
        to_account: str | None = None,
        if_not_exists: bool = False,
        copy_grants: bool = False,
    ) -> None:
        self.new = TableReference.present("name", name, database)
        self.source = TableReference.of("source", source, database)
        self.name = self.new.name
        self.moment = _resolve_point_in_time(_moment_or_none(snapshot, timestamp, mo_ts), self.source)
        self.to_account = _check_account(to_account)
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)
        self.copy_grants = check_flag("copy_grants", copy_grants)
        _check_if_not_exists(if_not_exists, to_account)

    def _created(self) -> DatabaseObject:
        return self.new.as_object()

    def _source(self) -> DatabaseObject:
        return self.source.as_object()

    def _may_be_sequence(self) -> bool:
        return self.source.table is None


class CloneDatabase(_Copy):
    """``CREATE DATABASE … CLONE``: copy a database with all its tables. MatrixOne 3.0 on.

    A clone is part of the transaction: a rollback undoes it.

    ::

        session.execute(CloneDatabase("shop_copy", "shop", snapshot="nightly"))

    :param name: the new database.
    :param source: the database to clone.
    :param snapshot: clone it as it was at this snapshot.
    :param timestamp: clone it as it was at this instant: an aware datetime, or a str with a UTC offset. The
        server refuses a time that is more than an hour ago, unless it is that of a snapshot; ``mo_ts=`` is not checked.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: create the clone in this account; only sys may do this.
    :param if_not_exists: do nothing if a database of that name exists.
    :param copy_grants: grant the privileges on the database and its tables on the copy as well. Requires AUTOCOMMIT;
        in a transaction, a :class:`RecoveryWarning` contains the GRANT statements.
    :raises MatrixOneArgumentError: if several points in time are given, or ``if_not_exists`` with ``to_account``.
    :raises BranchError: when executed, if the transaction has written something.
    """

    __visit_name__ = "clone_database"

    def __init__(
        self,
        name: str,
        source: str,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        to_account: str | None = None,
        if_not_exists: bool = False,
        copy_grants: bool = False,
    ) -> None:
        for keyword, value in (("name", name), ("source", source)):
            check_is_name(keyword, value)
        self.name = name
        self.source = source
        self.moment = _moment_or_none(snapshot, timestamp, mo_ts)
        self.to_account = _check_account(to_account)
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)
        self.copy_grants = check_flag("copy_grants", copy_grants)
        _check_if_not_exists(if_not_exists, to_account)
        _check_copy_grants(copy_grants, to_account)

    def _created(self) -> DatabaseObject:
        return DatabaseObject(self.name)

    def _source(self) -> DatabaseObject:
        return DatabaseObject(self.source)

    def _grants_again(self) -> bool:
        return self.copy_grants


class CreateBranch(_Copy):
    """``DATA BRANCH CREATE``: copy a table or database, so that rows can be compared with it and merged back.

    A branch is part of the transaction: a rollback undoes it. MatrixOne 3.0.6 on.

    ::

        session.execute(CreateBranch("orders_dev", Order))
        session.execute(CreateBranch("shop_dev", database="shop"))

    :param name: the branch: a name, or a Table to specify its database as well.
    :param source: the table to branch: a mapped class, a Table or a name, or an ``as_of()`` of these.
    :param database: without a source, the database to branch; with one, the database of tables that are given as plain
        names.
    :param snapshot: branch it as it was at this snapshot.
    :param timestamp: branch it as it was at this instant: an aware datetime, or a str with a UTC offset. The
        server refuses a time that is more than an hour ago, unless it is that of a snapshot; ``mo_ts=`` is not checked.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: create the branch in this account; only sys may do this.
    :param copy_grants: grant the privileges on its source on the branch as well. Requires AUTOCOMMIT; in a transaction,
        a :class:`RecoveryWarning` contains the GRANT statements.
    :raises MatrixOneArgumentError: if neither a table nor a database is given.
    """

    __visit_name__ = "create_branch"

    def __init__(
        self,
        name: TableArgument,
        source: TableArgument | None = None,
        *,
        database: str | None = None,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        to_account: str | None = None,
        copy_grants: bool = False,
    ) -> None:
        if source is None and database is None:
            raise MatrixOneArgumentError("specify what to branch: a table, or database=…")
        self.new = TableReference.present("name", name, None if source is None else database)
        if source is None and self.new.database is not None:
            raise MatrixOneArgumentError(
                f"name={name!r}: the branch of a database is a database itself: pass a plain name"
            )
        self.source = None if source is None else TableReference.of("source", source, database)
        self.name = self.new.name
        self.database = None if database is None else check_is_name("database", database)
        self.moment = _resolve_point_in_time(_moment_or_none(snapshot, timestamp, mo_ts), self.source)
        self.to_account = _check_account(to_account)
        self.copy_grants = check_flag("copy_grants", copy_grants)
        _check_copy_grants(copy_grants, to_account)

    def _created(self) -> DatabaseObject:
        return DatabaseObject(self.name) if self.source is None else self.new.as_object()

    def _source(self) -> DatabaseObject:
        return DatabaseObject(self.database) if self.source is None else self.source.as_object()

    def _may_be_sequence(self) -> bool:
        return self.source is not None and self.source.table is None

    def _grants_again(self) -> bool:
        return self.copy_grants


class DropBranch(BranchDDL):
    """``DATA BRANCH DELETE``: drop a branch of a table or database. MatrixOne 3.0.6 on.

    This is part of the transaction.

    ::

        session.execute(DropBranch("orders_dev"))
        session.execute(DropBranch(database="shop_dev"))

    :param name: the table: a name, a mapped class or a Table.
    :param database: without a name, the database to drop; with one, the database that contains the table.
    :raises MatrixOneArgumentError: if neither is given.
    :raises BranchError: when executed, if the transaction has written something, or inside a transaction before 4.2 if
        nothing was dropped.
    """

    __visit_name__ = "drop_branch"

    def __init__(self, name: TableArgument | None = None, *, database: str | None = None) -> None:
        if name is None and database is None:
            raise MatrixOneArgumentError("specify which branch to drop: a table, or database=…")
        if database is not None:
            check_is_name("database", database)
        self.branch = None if name is None else TableReference.present("name", name, database)
        self.database = database
        self.name = (database or "") if self.branch is None else self.branch.name

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the statement. With ``if_exists``, do nothing if the branch does not exist."""
        dropped = DatabaseObject(self.database) if self.branch is None else self.branch.as_object()
        return drop_branch(Lookup(connection, options), dropped, lambda: execute(self))


_HANGS = "never answers, and KILL does not end it"
_PANICS = "panics, whatever is compared"
_UNMERGED = {
    "ENUM": _HANGS,
    "YEAR": _PANICS,
    **dict.fromkeys(("BLOB", "BIT"), "refuses to merge"),
    **dict.fromkeys(("BINARY", "VARBINARY"), "changes control characters, such as x'01' into 'x01'"),
}
_UNREADABLE = {
    "BIT": "loses the value; exclude it by columns=",
    **dict.fromkeys(("BLOB", "BINARY", "VARBINARY"), "sends the bytes as text; exclude it by columns="),
}


class _MergeStatement(BranchDDL):
    """Base of the constructs that change one table by rows of another."""

    def __init__(
        self,
        branch: TableArgument,
        into: TableArgument,
        *,
        on_conflict: OnConflict | None = None,
        database: str | None = None,
    ) -> None:
        if on_conflict is not None:
            check_choice("on_conflict", on_conflict, ("fail", "skip", "accept"))
        self.branch = TableReference.of("branch", branch, database)
        self.into = TableReference.present("into", into, database)
        self.name = self.branch.name
        self.on_conflict = on_conflict

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        into = self.into.as_object()
        refuse_columns(Lookup(connection, options), self, into, lambda name, type_: _UNMERGED.get(type_))
        return execute(self)


class MergeBranch(_MergeStatement):
    """``DATA BRANCH MERGE``: apply the changes of a branch to another table. MatrixOne 3.0.6 on.

    On MatrixOne 4.2, this is part of the transaction. Older releases always commit it, so it requires an AUTOCOMMIT
    connection there::

        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(MergeBranch("orders_dev", Order, on_conflict="accept"))

    :param branch: the table with the changes: a mapped class, a Table or a name, or an ``as_of()`` of these.
    :param into: the table to change.
    :param on_conflict: what to do if a row has changed in both: ``"fail"``, the default; ``"skip"`` it and keep the row
        of ``into``; or ``"accept"`` the row of the branch.
    :param database: the database of tables that are given as plain names; by default the current database.
    :raises BranchConflict: when executed, with the key of the row, if rows conflict.
    """

    __visit_name__ = "merge_branch"

    def transaction_scope(self, release: Release) -> TransactionScope:
        """Return the scope: in a transaction from the release on that supports it, and AUTOCOMMIT before."""
        return (
            TransactionScope.IN_TRANSACTION
            if Feature.MERGE_IN_TRANSACTION.in_release(release)
            else TransactionScope.AUTOCOMMIT
        )


class PickBranch(_MergeStatement):
    """``DATA BRANCH PICK``: apply selected rows of a branch to another table. MatrixOne 3.0.12 on.

    The server always commits it, so it requires an AUTOCOMMIT connection::

        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(PickBranch("orders_dev", Order, keys=[1, 2]))

    :param branch: the table with the rows: a mapped class, a Table or a name.
    :param into: the table to change.
    :param keys: the primary keys of the rows: values, tuples of values for a composite key, or a SELECT of them.
    :param between: only the changes between two snapshots.
    :param on_conflict: as for :class:`MergeBranch`.
    :param database: the database of tables that are given as plain names; by default the current database.
    :raises MatrixOneArgumentError: if neither keys nor snapshots are given, or a value cannot be a key.
    :raises BranchConflict: when executed, with the key of the row, if rows conflict.
    """

    __visit_name__ = "pick_branch"

    def __init__(
        self,
        branch: TableArgument,
        into: TableArgument,
        *,
        keys: Iterable[Any] | SelectBase | None = None,
        between: tuple[str, str] | None = None,
        on_conflict: OnConflict | None = None,
        database: str | None = None,
    ) -> None:
        super().__init__(branch, into, on_conflict=on_conflict, database=database)
        if keys is None and between is None:
            raise MatrixOneArgumentError("specify what to pick: keys=…, between=(snapshot, snapshot), or both")
        self.keys: SelectBase | ClauseElement | list[Any] | None
        self.keys = keys if keys is None or isinstance(keys, ClauseElement) else _keys(keys)
        self.between = None if between is None else _snapshots(between)

    def transaction_scope(self, release: Release) -> TransactionScope:
        """Return AUTOCOMMIT: no release executes PICK as part of a transaction."""
        return TransactionScope.AUTOCOMMIT


def _keys(keys: Any) -> list[Any]:
    """Return keys as values, or as tuples if they are composite; rows of a Result become either."""
    # A str or bytes would be treated as the list of its characters, a mapping as that of its keys.
    if isinstance(keys, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(keys, Iterable):
        raise MatrixOneArgumentError(f"keys={keys!r} is not a list of keys")
    try:
        rows = [tuple(key) if isinstance(key, (Row, list)) else key for key in keys]
    except TypeError as error:  # a NumPy array without a dimension
        raise MatrixOneArgumentError(f"keys={keys!r} is not a list of keys: {error}") from error
    if not rows or any(key is None or (isinstance(key, tuple) and not key) for key in rows):
        raise MatrixOneArgumentError(f"keys={keys!r} is an empty list of keys, or one of them is empty")
    for key in rows:
        for part in key if isinstance(key, tuple) else (key,):
            _check_key(part)
    return [key[0] if isinstance(key, tuple) and len(key) == 1 else key for key in rows]


_BIGINTS = range(-(1 << 63), 1 << 64)


def _check_key(part: Any) -> None:
    """Check a value of a key, which becomes a literal.

    :raises MatrixOneArgumentError: if no key has such a value, or the server would mistake it for another one.
    """
    problem = None
    if isinstance(part, bool):
        problem = "is a bool: give 1 or 0"
    elif isinstance(part, int) and part not in _BIGINTS:
        problem = "is beyond BIGINT"
    elif isinstance(part, (bytes, bytearray, memoryview)):
        problem = "is binary, which MatrixOne would read as another value: pass a SELECT of the keys"
    elif isinstance(part, (float, Decimal)) and not _is_finite(part):
        problem = "is no number"
    if problem is not None:
        raise MatrixOneArgumentError(f"keys=…: the key {part!r} {problem}")


def _is_finite(number: float | Decimal) -> bool:
    # math.isfinite() raises for a signaling NaN.
    return number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)


def _snapshots(between: Any) -> tuple[str, str]:
    if not isinstance(between, (tuple, list)) or len(between) != 2:
        raise MatrixOneArgumentError(f"between={between!r} is not a pair of snapshots")
    first, last = between
    return check_name("snapshot", first), check_name("snapshot", last)


class DiffBranch(BranchStatement, TranslatesErrors, Executable, Generative, ClauseElement):
    """``DATA BRANCH DIFF``: return the rows in which a branch and a table differ. MatrixOne 3.0.6 on.

    The Result has a row for each change on one side: ``source``, the name of the changed table; ``flag``, INSERT,
    UPDATE or DELETE; and the table's columns, in the types of the Table.

    ::

        for row in session.execute(DiffBranch("orders_dev", Order)):
            print(row.source, row.flag, row.id, row.total)
        session.execute(DiffBranch("orders_dev", Order, output="count")).scalar()

    Before 4.2 the server accepts it only as the first statement of a transaction, and it is refused for a table with an
    ENUM, or with a BIT or binary column that ``columns=`` does not exclude. For a table that is given by its name, 4.2
    returns the number of an ENUM's value.

    :param branch: the branch: a mapped class, a Table or a name, or ``as_of(…, snapshot=…)`` of these.
    :param against: the table to compare it with, likewise.
    :param columns: compare only these columns, given as names or Columns. MatrixOne 3.0.10 on.
    :param output: ``"summary"`` for a row for each of INSERTED, DELETED and UPDATED, with the number on either
        side (MatrixOne 3.0.9 on), or ``"count"`` for the number of changes.
    :param limit: the maximum number of rows.
    :param as_table: a new table to write the changes to, instead of returning them. MatrixOne 4.2 on.
    :param file: a directory, of the server or a stage, to write them to as SQL; the Result contains the name of the
        file.
    :param database: the database of tables that are given as plain names; by default the current database.
    :raises MatrixOneArgumentError: if more than one output is requested.
    """

    __visit_name__ = "diff_branch"
    stringify_dialect = "matrixone+pymysql"
    inherit_cache = False
    error = BranchError
    release: Release | None = None

    def __init__(
        self,
        branch: TableArgument,
        against: TableArgument,
        *,
        columns: Sequence[str | Column[Any] | Any] | None = None,
        output: Literal["summary", "count"] | None = None,
        limit: int | None = None,
        as_table: TableArgument | None = None,
        file: str | None = None,
        database: str | None = None,
    ) -> None:
        if sum(given is not None for given in (output, limit, as_table, file)) > 1:
            raise MatrixOneArgumentError("pass only one of output=, limit=, as_table= and file=")
        if output is not None:
            check_choice("output", output, ("summary", "count"))
        if file is not None and not isinstance(file, str):
            raise MatrixOneArgumentError(f"file={file!r} is not a directory")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise MatrixOneArgumentError(f"limit={limit!r} is not a number of rows")
        self.branch = TableReference.of("branch", branch, database)
        self.against = TableReference.of("against", against, database)
        self.columns = None if columns is None else _column_names(columns)
        self.output = output
        self.limit = limit
        self.as_table = None if as_table is None else TableReference.present("as_table", as_table, database)
        self.file = file

    def get_children(self, **kw: Any) -> Iterator[Table]:
        return _tables_in(self)

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the statement, unless the server would hang at the table's columns or lose their values."""
        if isinstance(connection.dialect, MatrixOneServer):
            refuse_columns(Lookup(connection, options), self, self.against.as_object(), self._fault)
        return execute(self)

    def _fault(self, name: str, type_: str) -> str | None:
        if type_ == "ENUM":
            return _HANGS
        columns = self.columns or [column.name for column in self.result_columns or ()]
        is_returned = not columns or name.lower() in map(str.lower, columns)
        has_rows = self.output is None and self.as_table is None and self.file is None
        if type_ == "YEAR":
            return _PANICS
        return _UNREADABLE.get(type_) if has_rows and is_returned else None

    @contextmanager
    def sending(self, dialect: MatrixOneServer, context: Any) -> Iterator[None]:
        """Return a context for the time of sending, in which the driver reads all text as UTF-8."""
        with super().sending(dialect, context), reading_text(driver_connection(context.root_connection.connection)):
            yield

    def transaction_scope(self, release: Release) -> TransactionScope:
        """Return the scope: the first statement before 4.2; since then anything, or in a transaction for a table."""
        if not Feature.DIFF_IN_TRANSACTION.in_release(release):
            return TransactionScope.FIRST_STATEMENT
        return TransactionScope.ANY if self.as_table is None else TransactionScope.IN_TRANSACTION

    @property
    def result_columns(self) -> list[Column[Any]] | None:
        """The table's columns in the Result, if they are known."""
        known = self.against.table if self.against.table is not None else self.branch.table
        if known is None or self.output or self.as_table is not None or self.file is not None:
            return None
        if self.columns is None:
            return list(known.c)
        found = {col.name: col for col in known.c if col.name in self.columns}
        return [found[name] for name in self.columns] if len(found) == len(self.columns) else None


def _column_names(columns: Any) -> list[str]:
    if not isinstance(columns, Sequence) or isinstance(columns, (str, bytes)) or not columns:
        raise MatrixOneArgumentError(f"columns={columns!r} is not a list of columns")
    return list(map(_column_name, columns))


def _column_name(given: Any) -> str:
    name = given if isinstance(given, str) else getattr(given, "name", None)
    if not isinstance(name, str):
        raise MatrixOneArgumentError(f"columns: {given!r} is neither a column nor a name of one")
    return name


def _resolve_point_in_time(moment: PointInTime | None, source: TableReference | None) -> PointInTime | None:
    past = None if source is None else source.moment
    if moment is not None and past is not None:
        raise MatrixOneArgumentError("the source is already as_of() a point in time: do not pass another one")
    return past if moment is None else moment
