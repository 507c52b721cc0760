"""The base of the dialects for all drivers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, cast

from sqlalchemy import pool, schema, sql, util
from sqlalchemy.dialects.mysql.base import MySQLDialect

from . import types as matrixone_types
from .core.charset import check_charset
from .core.connection import NOTHING, driver_connection, following, state_of
from .core.driver_internals import charset_of
from .core.errors import raise_violation, reports_lost_connection
from .core.options import INDEX_OPTIONS
from .core.release import (
    NEWEST,
    Feature,
    Release,
    describe_release,
    format_release,
    is_untested,
    parse_greeting,
    parse_release,
)
from .core.server import OUTSIDE_TRANSACTION, execute_below
from .core.sql_mode import set_autocommit
from .core.sql_text import for_many, makes_temporary_table
from .core.sqlalchemy_internals import forget
from .core.statement import ServerStatement
from .core.url import DIALECT_PARAMETERS, account_of, check_skip_locked, release_of, skip_locked_of
from .exc import MatrixOneArgumentError, MatrixOneInvalidRequestError
from .recovery.inspector import MatrixOneInspector
from .reflection.dialect import MatrixOneReflection
from .sql.compiler import MatrixOneCompiler, MatrixOneExecutionContext, TimeTravelExecutionContext, is_ordinary
from .sql.ddl_compiler import MatrixOneDDLCompiler
from .sql.preparer import MatrixOneIdentifierPreparer
from .timetravel.compiler import AsOfCompiler, check_bound_points_in_time
from .timetravel.missing_columns import explain_missing_column

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


class _ServerFacts(NamedTuple):
    """Facts that are queried in one statement on the first connection of an engine."""

    database: str
    isolation_level: str
    """The level that the server reports, which is not the one that it applies."""
    sql_mode: str
    lower_case_table_names: str
    account: str


_FACTS = "SELECT DATABASE(), @@transaction_isolation, @@sql_mode, @@lower_case_table_names, current_account_name()"


class MatrixOneDialect(MatrixOneReflection):
    """Base of the MatrixOne dialects. It is combined with one of SQLAlchemy's MySQL driver dialects.

    :param server_version: the release to compile for, such as ``"3.0.14"``, if it cannot be read from a connection: for
        offline scripts, mock engines, or behind a proxy that hides it. It can also be given in the URL, as
        ``?server_version=3.0.14``.
    :param skip_locked: with ``"wait"``, ``with_for_update(skip_locked=True)`` waits for the locks of others, since
        MatrixOne cannot skip them. Without it, ``skip_locked=True`` raises a ``CompileError``. It can also be given in
        the URL, as ``?skip_locked=wait``.
    :raises MatrixOneArgumentError: if one of these has another value.

    :ivar server_release: the release as a tuple, such as ``(3, 0, 14)``: from the greeting once connected, and the
        newest known release if it is unknown.
    :ivar default_account_name: the account that the engine is connected to.
    """

    supports_statement_cache = True

    statement_compiler = MatrixOneCompiler
    ddl_compiler = MatrixOneDDLCompiler
    type_compiler_cls = matrixone_types.MatrixOneTypeCompiler
    execution_ctx_cls = MatrixOneExecutionContext
    time_travel_ctx_cls = TimeTravelExecutionContext
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

    _support_float_cast = True  # a property in SQLAlchemy 2.0 that depends on MySQL's version
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
            self.skip_locked = check_skip_locked(skip_locked)
        if server_version is not None:
            self._configured_release = parse_release(server_version)
        if self._configured_release is not None:
            self.server_release = self._configured_release
        self._apply_release_flags()

    def _apply_release_flags(self) -> None:
        """Set SQLAlchemy's feature flags for the server's release, overriding those of the MySQL dialect."""
        self._requires_alias_for_on_duplicate_key = False  # every release uses VALUES(column)
        self._needs_correct_for_88718_96365 = False
        self.supports_sequences = self.sequences_optional = True  # SQLAlchemy 2.0 sets them by the version of MariaDB
        # UPDATE and DELETE support RETURNING too, but their flags are not set. With them, the ORM would add RETURNING
        # automatically, also to statements of several tables, for which the server refuses it.
        self.insert_returning = self.supports(Feature.RETURNING)
        # These are computed from the flags above on first access, which may have been before the first connection.
        forget(self, "insert_executemany_returning", "insert_executemany_returning_sort_by_parameter_order")

    def type_descriptor(self, typeobj: TypeEngine[Any]) -> TypeEngine[Any]:
        if (variant := matrixone_types.variant_for(typeobj, self)) is not typeobj:
            return variant.dialect_impl(self)
        return cast("TypeEngine[Any]", super().type_descriptor(typeobj))  # type: ignore[no-untyped-call]

    # -- the URL

    @classmethod
    def get_dialect_cls(cls, url: URL) -> type[MatrixOneDialect]:
        """Return a subclass with the settings of the URL, for code that creates a dialect from it and never connects.

        Alembic's ``--sql`` and mock engines only get the class from the URL.
        """
        attributes = {
            "_configured_release": release_of(url),
            "skip_locked": skip_locked_of(url),
            "default_schema_name": url.database,
            "default_account_name": account_of(url),
        }
        return _class_of_url(cast("Any", cls), *attributes.items())

    def create_connect_args(self, url: URL, *args: Any, **kw: Any) -> ConnectArgsType:
        return super().create_connect_args(url.difference_update_query(DIALECT_PARAMETERS), *args, **kw)

    # -- the first connection

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Return a function that prepares a new connection, without the second SET NAMES of MySQL's dialect."""

        def look(connection: DBAPIConnection) -> None:
            if not state_of(connection).complete:
                self._follows_all = False
                check_charset(charset_of(driver_connection(connection)))
                if statement := set_autocommit(None, driver_connection(connection).get_server_info()):
                    execute_below(connection, statement)

        return look

    def initialize(self, connection: Connection) -> None:
        row = connection.exec_driver_sql(_FACTS).one()
        # With use_unicode=0, the drivers return bytes.
        texts = (value.decode() if isinstance(value, bytes) else value for value in row)
        self._facts = _ServerFacts(*("" if text is None else str(text) for text in texts))
        self.default_account_name = self._facts.account
        self._initializing = True
        try:
            super().initialize(connection)
        finally:
            self._initializing = False
        self._apply_release_flags()

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        self.server_release = self._configured_release or self._ask_release(connection)
        # The MySQL version that MatrixOne claims compatibility with. SQLAlchemy's code for MySQL depends on it.
        return self._parse_server_version("8.0.30")

    def _ask_release(self, connection: Connection) -> Release:
        version = str(driver_connection(connection.connection).get_server_info())
        if parse_greeting(version) is None:
            # Only the second choice, because 2.2.2 reports 2.2.0 here.
            version = str(connection.exec_driver_sql("SELECT version()").scalar())
        release = parse_greeting(version) or NEWEST
        if is_untested(version):
            log.warning(
                "The server reports version %r, on which this package was not tested. It is treated as %s; "
                "set server_version= in the URL for another release.",
                version,
                describe_release(release),
            )
        return release

    def _get_default_schema_name(self, connection: Connection) -> str | None:  # type: ignore[override]
        if self._initializing:
            return self._facts.database or None
        # This connection may have executed a USE since.
        return cast("str | None", connection.exec_driver_sql("SELECT DATABASE()").scalar())

    def get_default_isolation_level(self, dbapi_conn: DBAPIConnection) -> IsolationLevel:
        return _LEVEL

    def _detect_sql_mode(self, connection: Connection) -> None:
        self._sql_mode = self._facts.sql_mode

    def _detect_ansiquotes(self, connection: Connection) -> None:
        """Do not change quotes and escapes, whatever sql_mode the server reports.

        Names are quoted with backquotes, which every release accepts in every mode. Before 4.2 the modes are reported,
        but ignored. For backslashes see :mod:`.core.sql_mode`.
        """

    def _detect_casing(self, connection: Connection) -> int:
        self._casing = int(self._facts.lower_case_table_names or 1)
        return self._casing

    # -- executing statements

    def do_execute(self, cursor: DBAPICursor, statement: str, parameters: Any, context: Any = None) -> None:
        # This runs for each statement. Most are ordinary, which their compiled form knows.
        compiled: Any = context.compiled if context is not None and self._follows_all else None
        is_known = isinstance(compiled, MatrixOneCompiler) and OUTSIDE_TRANSACTION not in context.execution_options
        try:
            if is_known and compiled.is_ordinary:
                cursor.execute(statement, parameters)
            else:
                with self._guarding(statement, context) or NOTHING:
                    cursor.execute(statement, parameters)
        except self.loaded_dbapi.Error as error:
            raise_violation(self.loaded_dbapi, error, statement)
            explain_missing_column(error, context)
            raise

    def do_executemany(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        try:
            with self._guarding(statement, context) or NOTHING:
                super().do_executemany(cursor, for_many(statement), parameters, context)  # type: ignore[no-untyped-call]
        except self.loaded_dbapi.Error as error:
            raise_violation(self.loaded_dbapi, error, statement)
            raise

    def do_execute_no_params(
        self, cursor: DBAPICursor, statement: str, context: ExecutionContext | None = None
    ) -> None:
        try:
            with self._guarding(statement, context) or NOTHING:
                super().do_execute_no_params(cursor, statement, context)  # type: ignore[no-untyped-call]
        except self.loaded_dbapi.Error as error:
            raise_violation(self.loaded_dbapi, error, statement)
            raise

    def _guarding(self, statement: str, context: Any) -> AbstractContextManager[None] | None:
        """Return a context for the sending of a statement; None for an ordinary statement."""
        if context is None or (
            self._follows_all
            and OUTSIDE_TRANSACTION not in context.execution_options
            and is_ordinary(context.compiled, statement)
        ):
            return None
        connection = context.root_connection.connection
        return self._both(self._guard(statement, context, connection), following(connection, statement))

    def _guard(self, statement: str, context: Any, connection: Any) -> AbstractContextManager[None]:
        if isinstance(context.compiled, AsOfCompiler):
            check_bound_points_in_time(context.compiled, context)
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
                f"MatrixOne before {format_release(feature.since)} loses everything that is written in a transaction "
                "in which a temporary table is created or written to, without an error at its COMMIT. Use temporary "
                "tables on a connection in AUTOCOMMIT."
            )

    def do_commit(self, dbapi_connection: Any) -> None:
        state = state_of(dbapi_connection)
        after_commit, state.after_commit = state.after_commit, None
        if reason := state.must_roll_back:
            # After a failed commit, SQLAlchemy considers the transaction ended and does not send a ROLLBACK.
            self.do_rollback(dbapi_connection)
            raise MatrixOneInvalidRequestError(f"Nothing was committed; the transaction was rolled back: {reason}")
        try:
            with following(dbapi_connection, "COMMIT"):
                super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]
        except self.loaded_dbapi.Error as error:
            if self.is_disconnect(error, dbapi_connection, None):
                if after_commit is not None:  # the COMMIT may have been carried out
                    after_commit()
            elif state.must_roll_back:
                # Without a rollback, the next transaction of this connection would be treated as the rest of this one.
                self.do_rollback(dbapi_connection)
            raise
        if after_commit is not None:
            after_commit()

    def do_rollback(self, dbapi_connection: Any) -> None:
        with following(dbapi_connection, "ROLLBACK"):
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]

    # -- autocommit and isolation levels

    def detect_autocommit_setting(self, dbapi_conn: DBAPIConnection) -> bool:
        """Return whether a rollback can be omitted, because there is nothing that it could end."""
        state = state_of(dbapi_conn)
        return state.autocommit is True and state.is_clean

    def get_isolation_level_values(self, dbapi_conn: DBAPIConnection) -> list[IsolationLevel]:
        return ["AUTOCOMMIT", _LEVEL]

    def check_isolation_level(self, level: str) -> None:
        """Check an isolation level.

        :raises MatrixOneArgumentError: for the levels that the server accepts and ignores.
        """
        if level in _IGNORED_LEVELS:
            raise MatrixOneArgumentError(
                f"isolation_level={level!r} was not set: MatrixOne works in READ COMMITTED whatever level is set, so "
                'that a transaction sees what others commit in the meantime. Use "READ COMMITTED" or "AUTOCOMMIT", and '
                "with_for_update() for rows that must not change."
            )

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        """Send the SET directly, because the driver does not send it if the server's flags mislead it.

        A SET commits. SQLAlchemy changes the level only outside of transactions, so only a transaction of reads that
        bypassed SQLAlchemy may be open here, and it is ended.
        """
        execute_below(dbapi_connection, f"SET AUTOCOMMIT = {int(level == 'AUTOCOMMIT')}")

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> IsolationLevel:
        """Return the level that the server applies.

        On the releases that were tested, it reports the level that was set, or REPEATABLE READ.
        """
        return _LEVEL

    # -- features that the server lacks

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
            return False  # its message may contain any value
        if super().is_disconnect(e, connection, cursor):
            return True
        return isinstance(e, self.loaded_dbapi.Error) and reports_lost_connection(e)


@lru_cache(maxsize=256)
def _class_of_url(cls: type[Any], *attributes: tuple[str, Any]) -> type[MatrixOneDialect]:
    """Return a subclass with the given attributes."""
    common = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "supports_statement_cache": True}
    return type(cls.__name__, (cls,), common | dict(attributes))
