"""The base of all constructs that this package adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sqlalchemy.engine import URL

from ..exc import Reason
from .refusals import server_errors_as
from .sqlalchemy_internals import ConnectionAware, ConnectionAwareDDL

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, CursorResult

    from ..exc import RecoveryError
    from .release import Release
    from .server import MatrixOneServer
    from .sqlalchemy_internals import Execute


class ServerStatement:
    """A statement that defines how it is sent. The dialect calls it for that."""

    def sending(self, dialect: MatrixOneServer, context: Any) -> AbstractContextManager[None]:
        """Return a context for the time during which the statement is sent."""
        raise NotImplementedError


class TranslatesErrors(ConnectionAware):
    """Mixin of constructs that raise server errors as errors of this package."""

    __visit_name__: str
    error: ClassVar[type[RecoveryError]]

    def execute_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the construct, and raise errors of the server as the construct's class of errors."""
        with server_errors_as(self.error, self.operation, if_lost=Reason.UNKNOWN):
            return self.run_on(connection, options, execute)

    @property
    def operation(self) -> str:
        """Return a description of the statement for messages, such as ``create snapshot 's'``."""
        words = self.__visit_name__.replace("_", " ")
        name = getattr(self, "name", None)
        return words if name is None else f"{words} {name!r}"

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the construct; see :meth:`execute_on`."""
        return execute(self)


class MatrixOneDDL(ServerStatement, TranslatesErrors, ConnectionAwareDDL):
    """An executable DDL element that is specific to MatrixOne."""

    name: str

    #: The release to compile for if the dialect does not know it, as with a plain ``mysql`` dialect.
    release: Release | None = None

    def __str__(self) -> str:
        """Return the SQL for the newest release, with placeholders in angle brackets for facts of the connection."""
        # With a paramstyle other than the driver's, a % is not doubled.
        dialect_class: Any = URL.create("matrixone+pymysql").get_dialect()
        dialect = dialect_class(paramstyle="named")
        return str(self.compile(dialect=dialect, compile_kwargs={"to_read": True}))

    def tables(self) -> Iterator[Table]:
        """Yield the Tables that it was given, by which a Session with several engines chooses the engine."""
        return iter(())

    def get_children(self, **kw: Any) -> Iterator[Table]:
        return self.tables()

    def copy_with(self, **attributes: Any) -> Self:
        """Return a copy with some attributes set."""
        copy = self.__class__.__new__(self.__class__)
        copy.__dict__.update(self.__dict__, **attributes)
        return copy
