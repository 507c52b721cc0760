"""The base of all operations: one recovery construct as a step of a migration."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from contextlib import AbstractContextManager
from inspect import cleandoc, signature
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError
from sqlalchemy import MetaData, Table

from ...core.server import URLS, MatrixOneServer
from ...core.statement import MatrixOneDDL
from ...exc import MatrixOneArgumentError
from ...recovery.target import current_database
from ..transaction import check_nothing_written, outside_transaction
from .options import DOCUMENTATION, OF_OPERATIONS, known_database, plain

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


class RecoveryOp(MigrateOperation):
    """One recovery construct as an operation.

    :cvar options: the optional keywords, a ``TypedDict``.
    :param name: the name of the snapshot or PITR.
    :param arguments: the keywords of the construct and of the operation. ``table="orders"`` without a database, and
        ``database=True``, refer to the current database of the connection that the migration runs on, so that one
        migration can be used for databases with different names.
    """

    construct: ClassVar[type[MatrixOneDDL]]
    options: ClassVar[Any]

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        self._check_keywords(arguments)
        self.name = name
        self.arguments = plain(arguments)

    def _check_keywords(self, arguments: Collection[str]) -> None:
        """Check the keywords that the construct does not check.

        :raises TypeError: if the operation does not have one of them.
        """
        for keyword in sorted(OF_OPERATIONS.intersection(arguments) - self.options.__annotations__.keys()):
            raise TypeError(f"op.{self.operation}() got an unexpected keyword argument {keyword!r}")

    @property
    def operation(self) -> str:
        """Return the name of the operation, which is also that of the construct, such as ``create_pitr``."""
        return self.construct.__visit_name__

    @property
    def commit_first(self) -> bool:
        """Return whether the operation may commit what the migrations have written before it."""
        return bool(self.arguments.get("commit_first", True))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (self.operation, self.name, self.arguments)

    def element(self, own_database: str | None) -> MatrixOneDDL:
        """Return the construct for a connection to this database."""
        arguments = self._of_construct()
        if "table" in arguments and "database" not in arguments:
            arguments["table"] = Table(arguments["table"], MetaData())
        elif arguments.get("database") is True:
            arguments["database"] = known_database(own_database)
        return self._construct(self._name(own_database), arguments)

    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        """Raise an error, before anything is committed, if the construct can certainly not be executed."""

    def executing(self, context: MigrationContext, operation: str) -> AbstractContextManager[None]:
        """Return a context that puts the construct at the right point of the migration's transaction."""
        return outside_transaction(context, operation)

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        """Execute the construct, or print it."""
        operations.execute(element)

    def _name(self, own_database: str | None) -> str | None:
        """Return the name for the construct.

        :raises MatrixOneArgumentError: if there is none.
        """
        if self.name is None:
            raise MatrixOneArgumentError(
                f"op.{self.operation}() requires a name, as its first argument. Nothing was sent."
            )
        return self.name

    def _of_construct(self) -> dict[str, Any]:
        return {keyword: value for keyword, value in self.arguments.items() if keyword not in OF_OPERATIONS}

    def _construct(self, name: str | None, arguments: dict[str, Any]) -> MatrixOneDDL:
        try:
            signature(self.construct).bind(name, **arguments)
        except TypeError as error:  # None was passed for a required argument
            raise MatrixOneArgumentError(f"op.{self.operation}(): {error}") from error
        return self.construct(name, **arguments)  # type: ignore[call-arg]


@Operations.implementation_for(RecoveryOp)
def _run(operations: Operations, op: RecoveryOp) -> None:
    context = operations.get_context()
    if not isinstance(context.dialect, MatrixOneServer):
        raise CommandError(f"op.{op.operation}() needs a URL of {URLS}; this one is of {context.dialect.name}")
    element = op.element(_own_database(context))
    op.check(context, element)
    operation = f"op.{op.operation}({element.name!r})"
    if not op.commit_first:
        check_nothing_written(context, operation)
    with op.executing(context, operation):
        op.execute(operations, element)


def _own_database(context: MigrationContext) -> str | None:
    if context.as_sql or context.connection is None:
        return context.dialect.default_schema_name
    return current_database(context.connection)


_Operation = TypeVar("_Operation", bound=RecoveryOp)


def operation(cls: type[_Operation]) -> type[_Operation]:
    """Register a class as an operation of Alembic. It has a method of the operation's name, which invokes it."""
    name = cls.construct.__visit_name__
    method = vars(cls)[name].__func__
    method.__doc__ = _documentation(method.__doc__, cls.options.__annotations__)
    return Operations.register_operation(name)(cls)


def _documentation(docstring: str, keywords: dict[str, Any]) -> str:
    """Return the docstring of an operation with the documentation of the keywords that it omits."""
    text, raises, errors = cleandoc(docstring).partition(":raises")
    fields = [
        textwrap.fill(f":param {keyword}: {DOCUMENTATION[keyword]}", width=112, subsequent_indent="    ")
        for keyword in keywords
        if f":param {keyword}:" not in text
    ]
    blank_line = [] if ":param" in text else [""]
    return "\n".join([text.rstrip(), *blank_line, *fields, raises + errors]).rstrip()
