"""The dialect, whatever the driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, cast

from sqlalchemy import pool, schema, sql, util
from sqlalchemy.dialects.mysql.base import MySQLDialect

from . import types as matrixone_types
from .core.connection import NOTHING, driver_connection, following, state_of
from .core.errors import RaisingViolations
from .core.options import INDEX_OPTIONS
from .core.release import NEWEST, Feature, Release, format_release, is_untested, parse_greeting, parse_release
from .core.server import OUTSIDE_TRANSACTION, SYS_ACCOUNT, execute_below
from .core.sql_mode import set_autocommit
from .core.sql_text import makes_temporary_table
from .core.sqlalchemy_internals import forget
from .core.statement import ServerStatement
from .exc import MatrixOneArgumentError, MatrixOneInvalidRequestError
from .recovery.inspector import MatrixOneInspector
from .reflection.dialect import MatrixOneReflection
from .sql.compiler import MatrixOneCompiler, MatrixOneExecutionContext
from .sql.ddl_compiler import MatrixOneDDLCompiler
from .sql.preparer import MatrixOneIdentifierPreparer

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection
    from sqlalchemy.engine.interfaces import (
        ConnectArgsType,
        DBAPIConnection,
        DBAPICursor,
        ExecutionContext,
        IsolationLevel,
    )
    from sqlalchemy.types import TypeEngine

log = logging.getLogger("sqlalchemy_matrixone")

_LEVEL: IsolationLevel = "READ COMMITTED"
"""The isolation level of every transaction."""
_IGNORED_LEVELS = frozenset(("READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"))

# The numbers of most of the server's errors, those of lost connections among them: these are told by text.
_GENERIC = frozenset((1105, 20101))
_LOST = (
    "context canceled",
    "backend closed",
    "client closed",
    "stream closed",
    "connection closed",
    "connection reset",
    "no available backend",
    "connect to remote backend",
    "connect to backend",
)


class _ServerFacts(NamedTuple):
    """What the first connection of an engine is asked for, in one statement."""

    database: str
    isolation_level: str
    """What the server says, which is not what it does."""
    sql_mode: str
    lower_case_table_names: str
    account: str


_FACTS = "SELECT DATABASE(), @@transaction_isolation, @@sql_mode, @@lower_case_table_names, current_account_name()"


class MatrixOneDialect(MatrixOneReflection):
    """What MatrixOne does otherwise than MySQL; a mixin before one of SQLAlchemy's MySQL driver dialects.

    :param server_version: the release to compile for, such as ``"3.0.14"``, where it cannot be learned from
        a connection: for offline scripts, mock engines, or behind a proxy that hides it. The URL takes it
        too, as ``?server_version=3.0.14``.
    :param skip_locked: ``"wait"`` lets ``with_for_update(skip_locked=True)`` wait for the locks of others, since
        MatrixOne cannot skip them; without it, that is a ``CompileError``. The URL takes it too, as
        ``?skip_locked=wait``.
    :raises MatrixOneArgumentError: if one of these has another value.

    :ivar server_release: the release as a tuple, ``(3, 0, 14)``. From the greeting once connected; the
        newest known one where nothing tells.
    :ivar default_account_name: the account that the engine is connected to.
    """

    supports_statement_cache = True

    statement_compiler = MatrixOneCompiler
    ddl_compiler = MatrixOneDDLCompiler
    type_compiler_cls = matrixone_types.MatrixOneTypeCompiler
    execution_ctx_cls = MatrixOneExecutionContext
    preparer = MatrixOneIdentifierPreparer  # type: ignore[assignment]
    inspector = MatrixOneInspector

    colspecs = {**MySQLDialect.colspecs, **matrixone_types.colspecs}  # noqa: RUF012
    ischema_names = {**MySQLDialect.ischema_names, **matrixone_types.ischema_names}  # noqa: RUF012
    construct_arguments = [  # noqa: RUF012
        (schema.Table, {"*": None}),
        (sql.Update, {"limit": None}),
        (sql.Delete, {"limit": None}),
        (schema.PrimaryKeyConstraint, {"using": None}),
        (schema.Index, dict.fromkeys(("using", "length", "prefix", "with_parser", *INDEX_OPTIONS))),
    ]

    _support_float_cast = True  # a property in SQLAlchemy 2.0, which goes by MySQL's version
    supports_sequences = True
    sequences_optional = True

    _configured_release: Release | None = None
    _initializing = False
    _follows_all = True

    def __init__(
        self, server_version: str | None = None, skip_locked: Literal["wait"] | None = None, **kw: Any
    ) -> None:
        super().__init__(**kw)
        if skip_locked is not None:
            self.skip_locked = _check_skip_locked(skip_locked)
        if server_version is not None:
            self._configured_release = parse_release(server_version)
        if self._configured_release is not None:
            self.server_release = self._configured_release
        self._apply_release_flags()

    def _apply_release_flags(self) -> None:
        """SQLAlchemy's own flags for what the release has, over those that MySQL's dialect sets for MySQL's."""
        self._requires_alias_for_on_duplicate_key = False  # it is VALUES(column) on every release
        self._needs_correct_for_88718_96365 = False
        # Not for UPDATE and DELETE, where it is there too: these say when the ORM is to add it, and it would where
        # the server refuses it, to statements of several tables.
        self.insert_returning = self.supports(Feature.RETURNING)
        # Worked out from the above when first asked for, which may have been before the first connection.
        forget(self, "insert_executemany_returning", "insert_executemany_returning_sort_by_parameter_order")

    def type_descriptor(self, typeobj: TypeEngine[Any]) -> TypeEngine[Any]:
        if (variant := matrixone_types.variant_for(typeobj, self)) is not typeobj:
            return variant.dialect_impl(self)
        return cast("TypeEngine[Any]", super().type_descriptor(typeobj))  # type: ignore[no-untyped-call]

    # -- the URL

    @classmethod
    def get_dialect_cls(cls, url: URL) -> type[MatrixOneDialect]:
        """A subclass that knows what the URL says, for those who make a dialect of a URL and never connect.

        Alembic's ``--sql`` and mock engines ask the URL for the class alone.
        """
        stated = _of_query(url, "server_version")
        attributes = {
            "_configured_release": parse_release(stated) if stated else None,
            "skip_locked": _check_skip_locked(_of_query(url, "skip_locked")),
            "default_schema_name": url.database,
            "default_account_name": _account_of(url.username),
        }
        return _class_of_url(cast("Any", cls), *attributes.items())

    def create_connect_args(self, url: URL, *args: Any, **kw: Any) -> ConnectArgsType:
        return super().create_connect_args(url.difference_update_query(["server_version", "skip_locked"]), *args, **kw)

    # -- the first connection

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Look at a new connection. MySQL's dialect sends a second SET NAMES here, which is left out."""

        def look(connection: DBAPIConnection) -> None:
            if not state_of(connection).complete:
                self._follows_all = False
                if statement := set_autocommit(None, driver_connection(connection).get_server_info()):
                    execute_below(connection, statement)

        return look

    def initialize(self, connection: Connection) -> None:
        row = connection.exec_driver_sql(_FACTS).one()
        self._facts = _ServerFacts(*("" if value is None else str(value) for value in row))
        self.default_account_name = self._facts.account
        self._initializing = True
        try:
            super().initialize(connection)
        finally:
            self._initializing = False
        self._apply_release_flags()

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        self.server_release = self._configured_release or self._ask_release(connection)
        # The MySQL that MatrixOne says it is compatible with; MySQL's code paths go by it.
        return self._parse_server_version("8.0.30")

    def _ask_release(self, connection: Connection) -> Release:
        version = str(driver_connection(connection.connection).get_server_info())
        if parse_greeting(version) is None:
            # Asked second: on 2.2.2 it says 2.2.0.
            version = str(connection.exec_driver_sql("SELECT version()").scalar())
        if is_untested(version):
            log.warning(
                "The server says that it is %r, which this package was not tested on. It is treated as MatrixOne %s; "
                "server_version= in the URL names another release.",
                version,
                format_release(NEWEST),
            )
        return parse_greeting(version) or NEWEST

    def _get_default_schema_name(self, connection: Connection) -> str | None:  # type: ignore[override]
        if self._initializing:
            return self._facts.database or None
        # Asked of a connection that has seen a USE, maybe.
        return cast("str | None", connection.exec_driver_sql("SELECT DATABASE()").scalar())

    def get_default_isolation_level(self, dbapi_conn: DBAPIConnection) -> IsolationLevel:
        return _LEVEL

    def _detect_sql_mode(self, connection: Connection) -> None:
        self._sql_mode = self._facts.sql_mode

    def _detect_ansiquotes(self, connection: Connection) -> None:
        """Leave quotes and escapes as they are, whatever sql_mode the server reports.

        Names are quoted with backquotes, which every release reads in every mode; before 4.2 the modes are reported and
        ignored. For backslashes see :mod:`.core.sql_mode`.
        """

    def _detect_casing(self, connection: Connection) -> int:
        self._casing = int(self._facts.lower_case_table_names or 1)
        return self._casing

    # -- what runs on a connection

    def do_execute(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        with RaisingViolations(self.loaded_dbapi, statement), self._guarding(statement, context) or NOTHING:
            cursor.execute(statement, parameters)

    def do_executemany(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        with RaisingViolations(self.loaded_dbapi, statement), self._guarding(statement, context) or NOTHING:
            super().do_executemany(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]

    def do_execute_no_params(
        self, cursor: DBAPICursor, statement: str, context: ExecutionContext | None = None
    ) -> None:
        with RaisingViolations(self.loaded_dbapi, statement), self._guarding(statement, context) or NOTHING:
            super().do_execute_no_params(cursor, statement, context)  # type: ignore[no-untyped-call]

    def _guarding(self, statement: str, context: Any) -> AbstractContextManager[None] | None:
        """Return what goes around the sending of a statement; None, and fast, for the usual one."""
        if context is None or (
            self._follows_all
            and not isinstance(getattr(context.compiled, "statement", None), ServerStatement)
            and OUTSIDE_TRANSACTION not in context.execution_options
            and not makes_temporary_table(statement)
        ):
            return None
        connection = context.root_connection.connection
        return self._both(self._guard(statement, context, connection), following(connection, statement))

    def _guard(self, statement: str, context: Any, connection: Any) -> AbstractContextManager[None]:
        element = getattr(context.compiled, "statement", None)
        if isinstance(element, ServerStatement):
            return element.sending(self, context)
        if (error := context.execution_options.get(OUTSIDE_TRANSACTION)) is not None:
            self.refuse_in_transaction(connection, error, statement)
            return self.rolling_back_after(connection)
        if makes_temporary_table(statement) and state_of(connection).in_transaction:
            self._warn_of_lost_writes()
        return NOTHING

    @staticmethod
    @contextmanager
    def _both(outer: AbstractContextManager[None], inner: AbstractContextManager[None]) -> Iterator[None]:
        with outer, inner:
            yield

    def _warn_of_lost_writes(self) -> None:
        feature = Feature.TEMPORARY_TABLE_IN_TRANSACTION
        if not self.supports(feature):
            util.warn(
                f"MatrixOne before {format_release(feature.since)} loses all that a transaction writes in which a "
                "temporary table is made or written to, with no error at its COMMIT. Use temporary tables on a "
                "connection in AUTOCOMMIT."
            )

    def do_commit(self, dbapi_connection: Any) -> None:
        state = state_of(dbapi_connection)
        after_commit, state.after_commit = state.after_commit, None
        if reason := state.must_roll_back:
            # After a failed commit, SQLAlchemy takes the transaction for ended and sends no ROLLBACK of its own.
            self.do_rollback(dbapi_connection)
            raise MatrixOneInvalidRequestError(f"Nothing was committed, the transaction was rolled back: {reason}")
        try:
            with following(dbapi_connection, "COMMIT"):
                super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]
        except self.loaded_dbapi.Error as error:
            # Without it, the next transaction of this connection would be taken for the rest of this one.
            if state.must_roll_back and not self.is_disconnect(error, dbapi_connection, None):
                self.do_rollback(dbapi_connection)
            raise
        if after_commit is not None:
            after_commit()

    def do_rollback(self, dbapi_connection: Any) -> None:
        with following(dbapi_connection, "ROLLBACK"):
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]

    # -- autocommit and isolation levels

    def detect_autocommit_setting(self, dbapi_conn: DBAPIConnection) -> bool:
        """Return whether a rollback can be left out, because there is nothing that it could end."""
        state = state_of(dbapi_conn)
        return state.autocommit is True and state.is_clean

    def get_isolation_level_values(self, dbapi_conn: DBAPIConnection) -> list[IsolationLevel]:
        return ["AUTOCOMMIT", _LEVEL]

    def check_isolation_level(self, level: str) -> None:
        """
        :raises MatrixOneArgumentError: for the levels that the server accepts and ignores.
        """
        if level in _IGNORED_LEVELS:
            raise MatrixOneArgumentError(
                f"isolation_level={level!r} was not set: MatrixOne works in READ COMMITTED whatever level is set, so "
                'that a transaction sees what others commit meanwhile. Use "READ COMMITTED" or "AUTOCOMMIT", and '
                "with_for_update() for rows that must not change."
            )

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        """Send the SET itself, since the driver sends none if the server's flags mislead it.

        A SET commits. SQLAlchemy changes the level outside of transactions alone, so what may be open
        here are reads that went past it; they end.
        """
        execute_below(dbapi_connection, f"SET AUTOCOMMIT = {int(level == 'AUTOCOMMIT')}")

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> IsolationLevel:
        """Return what the server does. It says what was set, or REPEATABLE READ, on the releases that were tested."""
        return _LEVEL

    # -- what the server has not

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Roll back to a savepoint, if that is possible without the server's ROLLBACK TO, which fails."""
        dbapi_connection = connection.connection
        state = state_of(dbapi_connection)

        def roll_back() -> None:
            explicit_begin = state.explicit_begin
            self.do_rollback(dbapi_connection)
            if explicit_begin:
                execute_below(dbapi_connection, "BEGIN")

        state.roll_back_to(name, roll_back)

    def do_begin_twophase(self, connection: Connection, xid: Any) -> NoReturn:
        raise MatrixOneInvalidRequestError("MatrixOne has no two-phase transactions: XA is a syntax error there.")

    # -- lost connections

    def is_disconnect(
        self,
        e: Any,
        connection: pool.PoolProxiedConnection | DBAPIConnection | None,
        cursor: DBAPICursor | None,
    ) -> bool:
        if isinstance(e, (self.loaded_dbapi.IntegrityError, self.loaded_dbapi.DataError)):
            return False  # its text may contain any value
        if super().is_disconnect(e, connection, cursor):
            return True
        # An error of any other number may have such words out of a value.
        if not isinstance(e, self.loaded_dbapi.Error) or _GENERIC.isdisjoint(e.args[:1]):
            return False
        text = str(e).lower()
        return any(lost in text for lost in _LOST)


def _account_of(username: str | None) -> str | None:
    """The account in a login of ``account:user[:role]`` or ``account#user[#role]``; a bare user is one of sys."""
    if username is None:
        return None
    for separator in ":#":
        if separator in username:
            return username.split(separator)[0]
    return SYS_ACCOUNT


def _of_query(url: URL, name: str) -> str | None:
    value = url.query.get(name)
    if isinstance(value, tuple):
        raise MatrixOneArgumentError(f"{name} stands twice in the URL")
    return value


def _check_skip_locked(value: Any) -> Literal["wait"] | None:
    if value not in (None, "wait"):
        raise MatrixOneArgumentError(f"skip_locked can only be 'wait', not {value!r}")
    return cast("Literal['wait'] | None", value)


@lru_cache(maxsize=256)
def _class_of_url(cls: type[Any], *attributes: tuple[str, Any]) -> type[MatrixOneDialect]:
    """Return a subclass with the given attributes."""
    common = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "supports_statement_cache": True}
    return type(cls.__name__, (cls,), common | dict(attributes))
