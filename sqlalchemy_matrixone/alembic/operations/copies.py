"""Operations that create and drop clones and branches."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Unpack

from alembic.operations import Operations
from alembic.operations.ops import DropTableOp, ExecuteSQLOp
from sqlalchemy.schema import DropSchema

from ...branches.constructs import CloneDatabase, CloneTable, CreateBranch, DropBranch
from ...core.statement import MatrixOneDDL
from ...exc import MatrixOneArgumentError
from ..transaction import with_nothing_written
from .base import RecoveryOp, operation
from .options import CommitFirst, CopyGrants, IfNotExists, InDatabase, Source, ToAccount, known_database

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


class _CopyOp(RecoveryOp):
    """An operation that can run inside a transaction, but only before anything else is written in it."""

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        for keyword, value in (("name", name), ("source", arguments.get("source"))):
            if value is not None and not isinstance(value, str):
                raise MatrixOneArgumentError(f"op.{self.operation}(): {keyword}={value!r} is not a str: pass the name")
        super().__init__(name, **arguments)

    def element(self, own_database: str | None) -> MatrixOneDDL:
        arguments = self._of_construct()
        if arguments.get("database") is True:
            arguments["database"] = known_database(own_database)
        return self._construct(self.name, arguments)

    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        element.compile(dialect=context.dialect)

    def executing(self, context: MigrationContext, operation: str) -> AbstractContextManager[None]:
        return with_nothing_written(context, operation)

    def _refuse_to_reverse_elsewhere(self) -> None:
        if "to_account" in self.arguments:
            raise NotImplementedError(
                f"{self.operation} {self.name!r} has no reverse: what it created is in the account "
                f"{self.arguments['to_account']!r}, in which the current account cannot drop anything"
            )


class CloneTableOptions(Source, InDatabase, ToAccount, IfNotExists, CopyGrants, CommitFirst, total=False):
    """The keywords of ``op.clone_table()``."""


@operation
class CloneTableOp(_CopyOp):
    """``op.clone_table()``. Its reverse drops the clone."""

    construct = CloneTable
    options = CloneTableOptions

    def reverse(self) -> DropTableOp:
        self._refuse_to_reverse_elsewhere()
        assert self.name is not None
        database = self.arguments.get("database")
        return DropTableOp(self.name, schema=None if database is True else database)

    @classmethod
    def clone_table(cls, operations: Operations, name: str, source: str, **options: Unpack[CloneTableOptions]) -> None:
        """Copy a table with its rows, which share their storage until they change. Requires MatrixOne 3.0 or later.

        The clone is a part of the same transaction as the operations that follow. If the migration has written
        anything before, that is committed first. ::

            op.clone_table("orders_copy", "orders", snapshot="before_import")

        :param name: the new table.
        :param source: the table that is cloned.
        :param database: the database of both; by default the one that the migration runs on.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(cls(name, source=source, **options))


class CloneDatabaseOptions(Source, ToAccount, IfNotExists, CommitFirst, total=False):
    """The keywords of ``op.clone_database()``."""


@operation
class CloneDatabaseOp(_CopyOp):
    """``op.clone_database()``. Its reverse drops the clone."""

    construct = CloneDatabase
    options = CloneDatabaseOptions

    def reverse(self) -> ExecuteSQLOp:
        self._refuse_to_reverse_elsewhere()
        assert self.name is not None
        return ExecuteSQLOp(DropSchema(self.name))

    @classmethod
    def clone_database(
        cls, operations: Operations, name: str, source: str, **options: Unpack[CloneDatabaseOptions]
    ) -> None:
        """Copy a database with all its tables. Requires MatrixOne 3.0 or later.

        Otherwise the same as :meth:`clone_table`. ::

            op.clone_database("shop_copy", "shop")

        :param name: the new database.
        :param source: the database that is cloned.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(cls(name, source=source, **options))


class CreateBranchOptions(InDatabase, Source, ToAccount, CommitFirst, total=False):
    """The keywords of ``op.create_branch()``."""


@operation
class CreateBranchOp(_CopyOp):
    """``op.create_branch()``. Its reverse drops the branch."""

    construct = CreateBranch
    options = CreateBranchOptions

    def reverse(self) -> DropBranchOp:
        self._refuse_to_reverse_elsewhere()
        if "source" in self.arguments:
            return DropBranchOp(self.name, database=self.arguments.get("database"), existing=self)
        return DropBranchOp(database=self.name, existing=self)

    @classmethod
    def create_branch(
        cls, operations: Operations, name: str, source: str | None = None, **options: Unpack[CreateBranchOptions]
    ) -> None:
        """Copy a table or database so that it can be merged back. Requires MatrixOne 3.0.6 or later.

        Otherwise the same as :meth:`clone_table`. ::

            op.create_branch("orders_dev", "orders")
            op.create_branch("shop_dev", database="shop")

        :param name: the name of the branch.
        :param source: the table that is branched.
        :param database: without a source, the database that is branched; with one, the database of both.
            True for the one that the migration runs on.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(cls(name, source=source, **options))


class DropBranchOptions(InDatabase, CommitFirst, total=False):
    """The keywords of ``op.drop_branch()``."""


@operation
class DropBranchOp(_CopyOp):
    """Drop a branch.

    :param existing: the operation that creates the branch, which :meth:`reverse` returns.
    """

    construct = DropBranch
    options = DropBranchOptions

    def __init__(self, name: str | None = None, *, existing: CreateBranchOp | None = None, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.existing = existing

    def reverse(self) -> CreateBranchOp:
        if self.existing is None:
            raise NotImplementedError(f"drop_branch {self.name!r} has no reverse without the operation that created it")
        return self.existing

    @classmethod
    def drop_branch(cls, operations: Operations, name: str | None = None, **options: Unpack[DropBranchOptions]) -> None:
        """Drop a branch of a table or a database. Otherwise the same as :meth:`clone_table`.

        ::

            op.drop_branch("orders_dev")
            op.drop_branch(database="shop_dev")

        :param name: the table.
        :param database: without a name, the database that is dropped; with one, the database of the table. True for the
            one that the migration runs on.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))
