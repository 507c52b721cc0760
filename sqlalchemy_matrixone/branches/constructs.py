"""Clones and data branches: copies of tables and databases in an instant, their differences, and merging them.

Unlike the recovery statements, these go along with the transaction as far as the server lets them:
a clone or branch that is made or dropped in a transaction is gone, or back, after its rollback. What the server
commits by itself is refused outside of an AUTOCOMMIT connection; see :class:`TransactionScope`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Column, Row, Table
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import ClauseElement, FromClause, TableClause
from sqlalchemy.sql.base import Executable, Generative
from sqlalchemy.sql.selectable import SelectBase

from ..core.arguments import (
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
from .execution import (
    BranchStatement,
    DatabaseObject,
    Existence,
    TransactionScope,
    check_nothing_left_out,
    create_copy,
    drop_branch,
    refuse_columns,
)
from .sequences import CopiedSequences

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.sqlalchemy_internals import Execute

OnConflict = Literal["fail", "skip", "accept"]

TableArgument = type[Any] | FromClause | str
"""A mapped class, a Table, ``as_of()`` one, or a table's name."""


@dataclass(frozen=True)
class TableReference:
    """A table that a statement names, and the moment of it that is meant."""

    name: str
    database: str | None = None
    moment: PointInTime | None = None
    table: Table | None = None

    @classmethod
    def of(cls, keyword: str, given: Any, database: str | None) -> TableReference:
        """
        :raises MatrixOneArgumentError: where it is neither a mapped class, a Table, ``as_of()`` one, nor a name.
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
        return DatabaseObject(self.database, self.name)

    @classmethod
    def present(cls, keyword: str, given: Any, database: str | None) -> TableReference:
        """One that is written to.

        :raises MatrixOneArgumentError: also where it is one of the past.
        """
        named = cls.of(keyword, given, database)
        if named.moment is not None:
            raise MatrixOneArgumentError(f"{keyword}= is written to, and the past cannot be: give the table itself")
        return named


class BranchDDL(BranchStatement, MatrixOneDDL):
    """Base of the constructs."""

    error = BranchError

    def tables(self) -> Iterator[Table]:
        return _tables_in(self)

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        matrixone_dialect(connection)  # another one would not send the BEGIN
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
        raise MatrixOneArgumentError(
            "if_not_exists=True cannot be said of another account, where one cannot look: leave it out with to_account"
        )


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
        sequences: list[CopiedSequences] = []

        def copy() -> CursorResult[Any]:
            if database is not None:
                check_nothing_left_out(connection, self.operation.upper(), database)
                sequences.append(CopiedSequences(connection, database, self.moment, self.name))
            return execute(self.copy_with(if_not_exists=False))

        is_present = database is not None and self.moment is None
        result = create_copy(
            Existence(connection, options),
            self._created(),
            copy,
            source=DatabaseObject(database) if is_present else None,
            if_not_exists=self.if_not_exists,
            in_other_account=self.to_account is not None,
        )
        for each in sequences:
            each.put_back(connection, in_other_account=self.to_account is not None)
        return result

    def _created(self) -> DatabaseObject:
        """Return what is created."""
        raise NotImplementedError

    def _copied_database(self) -> str | None:
        """Return the database that is copied, if it is one."""
        return None


class CloneTable(_Copy):
    """``CREATE TABLE … CLONE``: a copy of a table, with its rows, that shares their storage until they change.

    In a transaction it is a part of it: a rollback takes the clone back. MatrixOne 3.0 on.

    ::

        session.execute(CloneTable("orders_copy", Order))
        session.execute(CloneTable("orders_then", Order, snapshot="before_import"))

    :param name: the new table: a name, or a Table to say its database as well.
    :param source: what is cloned: a mapped class, a Table or a name; or ``as_of()`` one.
    :param snapshot: clone the table as it was at this snapshot.
    :param timestamp: as it was at this instant: an aware datetime, or a str with a UTC offset.
    :param mo_ts: the same in nanoseconds since 1970.
    :param database: the database of those that are given as plain names; else the connection's own.
    :param to_account: make it in this account, whose database the new table then says; from sys alone.
    :param if_not_exists: no error, and nothing done, where a table of that name exists. When executed, this is
        looked up first, since the server's own IF NOT EXISTS adds the rows to that table (4.2).
    :param copy_grants: copy the privileges that are granted on the table. MatrixOne 4.1.2 on.
    :raises MatrixOneArgumentError: where the server would refuse what is given.
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


class CloneDatabase(_Copy):
    """``CREATE DATABASE … CLONE``: a copy of a database, with all its tables. MatrixOne 3.0 on.

    In a transaction it is a part of it: a rollback takes the clone back.

    ::

        session.execute(CloneDatabase("shop_copy", "shop", snapshot="nightly"))

    :param name: the new database.
    :param source: the database that is cloned.
    :param snapshot: clone it as it was at this snapshot.
    :param timestamp: as it was at this instant: an aware datetime, or a str with a UTC offset.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: make it in this account; from sys alone.
    :param if_not_exists: no error, and nothing done, where a database of that name exists.
    :raises MatrixOneArgumentError: where several moments are given, or ``if_not_exists`` with ``to_account``.
    :raises BranchError: when executed where the transaction has written something.
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
    ) -> None:
        for keyword, value in (("name", name), ("source", source)):
            check_is_name(keyword, value)
        self.name = name
        self.source = source
        self.moment = _moment_or_none(snapshot, timestamp, mo_ts)
        self.to_account = _check_account(to_account)
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)
        _check_if_not_exists(if_not_exists, to_account)

    def _created(self) -> DatabaseObject:
        return DatabaseObject(self.name)

    def _copied_database(self) -> str | None:
        return self.source


class CreateBranch(_Copy):
    """``DATA BRANCH CREATE``: a copy of a table or database whose rows can be compared with it and merged back.

    In a transaction it is a part of it: a rollback takes the branch back. MatrixOne 3.0.6 on.

    ::

        session.execute(CreateBranch("orders_dev", Order))
        session.execute(CreateBranch("shop_dev", database="shop"))

    :param name: the branch: a name, or a Table to say its database as well.
    :param source: the table that is branched: a mapped class, a Table or a name; or ``as_of()`` one.
    :param database: without a source, the database that is branched; with one, the database of those that
        are given as plain names.
    :param snapshot: branch it as it was at this snapshot.
    :param timestamp: as it was at this instant: an aware datetime, or a str with a UTC offset.
    :param mo_ts: the same in nanoseconds since 1970.
    :param to_account: make it in this account; from sys alone.
    :raises MatrixOneArgumentError: where neither a table nor a database is named.
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
    ) -> None:
        if source is None and database is None:
            raise MatrixOneArgumentError("say what to branch: a table, or database=…")
        self.new = TableReference.present("name", name, None if source is None else database)
        if source is None and self.new.database is not None:
            raise MatrixOneArgumentError(f"name={name!r}: the branch of a database is one, and has a name alone")
        self.source = None if source is None else TableReference.of("source", source, database)
        self.name = self.new.name
        self.database = database
        self.moment = _resolve_point_in_time(_moment_or_none(snapshot, timestamp, mo_ts), self.source)
        self.to_account = _check_account(to_account)

    def _created(self) -> DatabaseObject:
        return DatabaseObject(self.name) if self.source is None else self.new.as_object()

    def _copied_database(self) -> str | None:
        return self.database if self.source is None else None


class DropBranch(BranchDDL):
    """``DATA BRANCH DELETE``: drop a branch of a table or database. MatrixOne 3.0.6 on.

    In a transaction it is a part of it.

    ::

        session.execute(DropBranch("orders_dev"))
        session.execute(DropBranch(database="shop_dev"))

    :param name: the table: a name, a mapped class or a Table.
    :param database: without a name, the database that is dropped; with one, the database it is in.
    :raises MatrixOneArgumentError: where neither is named.
    :raises BranchError: when executed where the transaction has written something, or inside a transaction before 4.2
        where nothing was dropped.
    """

    __visit_name__ = "drop_branch"

    def __init__(self, name: TableArgument | None = None, *, database: str | None = None) -> None:
        if name is None and database is None:
            raise MatrixOneArgumentError("say which branch to drop: a table, or database=…")
        if database is not None:
            check_is_name("database", database)
        self.branch = None if name is None else TableReference.present("name", name, database)
        self.database = database
        self.name = (database or "") if self.branch is None else self.branch.name

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        dropped = DatabaseObject(self.database) if self.branch is None else self.branch.as_object()
        return drop_branch(Existence(connection, options), dropped, lambda: execute(self))


_HANGS = "never answers, and KILL does not end it"
_UNMERGED = {
    "ENUM": _HANGS,
    **dict.fromkeys(("BINARY", "VARBINARY"), "changes control characters, such as x'01' into 'x01'"),
}
_UNREADABLE = {
    "BIT": "loses the value; leave it out by columns=",
    **dict.fromkeys(("BLOB", "BINARY", "VARBINARY"), "sends the bytes as text; leave it out by columns="),
}


class _MergeStatement(BranchDDL):
    """From one table into another."""

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
        refuse_columns(Existence(connection, options), self, into, lambda name, type_: _UNMERGED.get(type_))
        return execute(self)


class MergeBranch(_MergeStatement):
    """``DATA BRANCH MERGE``: bring what has changed in a branch into another table. MatrixOne 3.0.6 on.

    On MatrixOne 4.2, a part of the transaction. Older ones commit it by themselves, so that it
    needs an AUTOCOMMIT connection there::

        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(MergeBranch("orders_dev", Order, on_conflict="accept"))

    :param branch: where the changes are: a mapped class, a Table or a name; or ``as_of()`` one.
    :param into: the table that they are brought into.
    :param on_conflict: where a row has changed in both: ``"fail"``, as without it, ``"skip"`` it and leave the one
        of ``into``, or ``"accept"`` the one of the branch.
    :param database: the database of those that are given as plain names; else the connection's own.
    :raises BranchConflict: when executed, with the key of the row, where rows conflict.
    """

    __visit_name__ = "merge_branch"

    def transaction_scope(self, release: Release) -> TransactionScope:
        return (
            TransactionScope.IN_TRANSACTION
            if Feature.MERGE_IN_TRANSACTION.in_release(release)
            else TransactionScope.AUTOCOMMIT
        )


class PickBranch(_MergeStatement):
    """``DATA BRANCH PICK``: bring chosen rows of a branch into another table. MatrixOne 3.0.12 on.

    It commits by itself, so that it needs an AUTOCOMMIT connection::

        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(PickBranch("orders_dev", Order, keys=[1, 2]))

    :param branch: where the rows are: a mapped class, a Table or a name.
    :param into: the table that they are brought into.
    :param keys: their primary keys: values, tuples of values where it has several columns, or a SELECT of them.
    :param between: only what has changed between two snapshots.
    :param on_conflict: as for :class:`MergeBranch`.
    :param database: the database of those that are given as plain names; else the connection's own.
    :raises MatrixOneArgumentError: where neither keys nor snapshots are given.
    :raises BranchConflict: when executed, with the key of the row, where rows conflict.
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
            raise MatrixOneArgumentError("say what to pick: keys=…, between=(snapshot, snapshot), or both")
        self.keys: SelectBase | ClauseElement | list[Any] | None
        self.keys = keys if keys is None or isinstance(keys, ClauseElement) else _keys(keys)
        self.between = None if between is None else _snapshots(between)

    def transaction_scope(self, release: Release) -> TransactionScope:
        return TransactionScope.AUTOCOMMIT


def _keys(keys: Any) -> list[Any]:
    """Return keys as values, or as tuples if they have several columns; rows of a Result are either."""
    # A text or bytes would be taken for the list of its characters, a mapping for that of its keys.
    if isinstance(keys, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(keys, Iterable):
        raise MatrixOneArgumentError(f"keys={keys!r} is not a list of keys")
    try:
        rows = [tuple(key) if isinstance(key, (Row, list)) else key for key in keys]
    except TypeError as error:  # an array of NumPy without a dimension
        raise MatrixOneArgumentError(f"keys={keys!r} is not a list of keys: {error}") from error
    if not rows or any(key is None or (isinstance(key, tuple) and not key) for key in rows):
        raise MatrixOneArgumentError(f"keys={keys!r} is an empty list of keys, or one of them is empty")
    return [key[0] if isinstance(key, tuple) and len(key) == 1 else key for key in rows]


def _snapshots(between: Any) -> tuple[str, str]:
    if not isinstance(between, (tuple, list)) or len(between) != 2:
        raise MatrixOneArgumentError(f"between={between!r} is not a pair of snapshots")
    first, last = between
    return check_name("snapshot", first), check_name("snapshot", last)


class DiffBranch(BranchStatement, TranslatesErrors, Executable, Generative, ClauseElement):
    """``DATA BRANCH DIFF``: the rows in which a branch and a table differ. MatrixOne 3.0.6 on.

    The Result has a row for each change that was made on one side: ``source``, the name of the table it was
    made in; ``flag``, INSERT, UPDATE or DELETE; and the table's columns, in the types of the Table.

    ::

        for row in session.execute(DiffBranch("orders_dev", Order)):
            print(row.source, row.flag, row.id, row.total)
        session.execute(DiffBranch("orders_dev", Order, output="count")).scalar()

    Before 4.2 the server takes it only as the first statement of a transaction, and it is refused for a table with an
    ENUM, and with a BIT or binary column that ``columns=`` does not leave out. Of a table that is given by its name,
    4.2 returns the number of an ENUM's value.

    :param branch: the branch: a mapped class, a Table or a name; or ``as_of(…, snapshot=…)`` one.
    :param against: what it is compared with, likewise.
    :param columns: names or Columns: only these. MatrixOne 3.0.10 on.
    :param output: ``"summary"`` for a row for each of INSERTED, DELETED and UPDATED, with the number on either
        side (MatrixOne 3.0.9 on), or ``"count"`` for the number of changes.
    :param limit: so many rows at most.
    :param as_table: a new table to write the changes to, in place of a Result of them. MatrixOne 4.2 on.
    :param file: a directory, of the server or a stage, to write them to as SQL; the Result tells the file.
    :param database: the database of those that are given as plain names; else the connection's own.
    :raises MatrixOneArgumentError: where more than one output is asked for.
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
            raise MatrixOneArgumentError("one of output=, limit=, as_table= and file= can be asked for")
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
        if isinstance(connection.dialect, MatrixOneServer):
            refuse_columns(Existence(connection, options), self, self.against.as_object(), self._fault)
        return execute(self)

    def _fault(self, name: str, type_: str) -> str | None:
        if type_ == "ENUM":
            return _HANGS
        columns = self.columns or [column.name for column in self.result_columns or ()]
        is_returned = not columns or name.lower() in map(str.lower, columns)
        has_rows = self.output is None and self.as_table is None and self.file is None
        return _UNREADABLE.get(type_) if has_rows and is_returned else None

    @contextmanager
    def sending(self, dialect: MatrixOneServer, context: Any) -> Iterator[None]:
        with super().sending(dialect, context), reading_text(driver_connection(context.root_connection.connection)):
            yield

    def transaction_scope(self, release: Release) -> TransactionScope:
        if not Feature.DIFF_IN_TRANSACTION.in_release(release):
            return TransactionScope.FIRST_STATEMENT
        return TransactionScope.ANY if self.as_table is None else TransactionScope.IN_TRANSACTION

    @property
    def result_columns(self) -> list[Column[Any]] | None:
        """The table's columns in the Result, where they are known."""
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
        raise MatrixOneArgumentError("the source says a moment, as_of() it is: name no other one")
    return past if moment is None else moment
