"""The only place that uses the private API of SQLAlchemy.

SQLAlchemy may rename internals in any minor release. Each use of one is a function or class here that is named after
its purpose. It reads attributes without a default, so that a rename raises an error and cannot silently disable a
check. ``tests/unit/test_sqlalchemy_internals.py`` checks the effect of each of them.

Members of the MySQL dialect that its subclasses are expected to override, such as ``_detect_casing``, are not listed
here, but overridden in the dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

import sqlalchemy
from sqlalchemy import CompoundSelect, Select, TextClause, util
from sqlalchemy.dialects.mysql.base import MySQLDialect, MySQLExecutionContext
from sqlalchemy.dialects.mysql.mysqldb import MySQLCompiler_mysqldb
from sqlalchemy.engine.cursor import _NO_CURSOR_DML, CursorResult
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.orm.context import _MapperEntity
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.orm.strategy_options import _LoadElement
from sqlalchemy.sql import Alias, ClauseElement, dml
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.cache_key import HasCacheKey
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import BindParameter, Tuple, UnaryExpression, _label_reference, _textual_label_reference
from sqlalchemy.sql.selectable import _CompoundSelectKeyword
from sqlalchemy.sql.visitors import InternalTraversal

try:
    from sqlalchemy.orm.context import _ORMCompileState
except ImportError:  # its name in SQLAlchemy 2.0
    from sqlalchemy.orm.context import ORMCompileState as _ORMCompileState  # type: ignore[attr-defined,no-redef]

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.engine.default import DefaultExecutionContext
    from sqlalchemy.orm.identity import IdentityMap
    from sqlalchemy.sql.base import ExecutableOption
    from sqlalchemy.sql.compiler import IdentifierPreparer, SQLCompiler
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.schema import Column
    from sqlalchemy.sql.selectable import ForUpdateArg, FromClause, GenerativeSelect
    from sqlalchemy.types import TypeEngine

_C = TypeVar("_C", bound=type)
_A = TypeVar("_A", bound=Alias)
_U = TypeVar("_U", bound=CompoundSelect[Any])

Execute = Callable[[Any], CursorResult[Any]]
"""Sends a construct on the connection on which another one is being executed."""


# -- constructs


class ConnectionAware(ClauseElement):
    """Mixin of constructs that query their connection for what they need before they are compiled and sent."""

    def execute_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the construct.

        :param options: the execution options of the connection and the statement.
        :param execute: sends this construct, or another one in its place.
        """
        return execute(self)

    def _execute_on_connection(
        self, connection: Connection, distilled_params: Any, execution_options: Any
    ) -> CursorResult[Any]:
        def execute(element: Any) -> CursorResult[Any]:
            send = element._send if isinstance(element, ConnectionAware) else element._execute_on_connection
            return cast("CursorResult[Any]", send(connection, distilled_params, execution_options))

        return self.execute_on(connection, {**connection.get_execution_options(), **execution_options}, execute)

    def _send(self, connection: Connection, *args: Any) -> CursorResult[Any]:
        sent: Any = super()._execute_on_connection(connection, *args)
        return cast("CursorResult[Any]", sent)


class ConnectionAwareDDL(ConnectionAware, ExecutableDDLElement):
    """DDL element that queries its connection for what it needs."""


def in_cache_key(*clauses: str, strings: Iterable[str] = (), extends: type[Any] | None = None) -> Callable[[_C], _C]:
    """Return a class decorator that makes attributes part of a construct's cache key, and of its traversal.

    :param clauses: names of attributes that hold a construct or None.
    :param strings: names of attributes that hold a str or None.
    :param extends: the base class whose attributes are part of the key as well.
    """

    def decorate(cls: _C) -> _C:
        construct: Any = cls
        construct._traverse_internals = (
            *(() if extends is None else extends._traverse_internals),
            *((name, InternalTraversal.dp_string) for name in strings),
            *((name, InternalTraversal.dp_clauseelement) for name in clauses),
        )
        return cls

    return decorate


class CachedStatementOption(HasCacheKey, ORMOption):
    """Base of options of a whole statement that are part of its cache key; see :func:`options_of`."""


def options_of(statement: Any) -> tuple[ExecutableOption, ...]:
    """Return the options of a statement, in the order in which they were given; empty if it cannot have options."""
    # Checked by its type, because SQLAlchemy's test suite compiles a mock that has every attribute.
    if not issubclass(type(statement), Executable):
        return ()
    return cast("Executable", statement)._with_options


def new_alias(cls: type[_A], element: FromClause, name: str | None) -> _A:
    """Create an alias of a subclass of Alias. Without a name, the compiler generates one."""
    return cls._construct(element, name=name)


def union_all_as(cls: type[_U], *selects: Select[Any]) -> _U:
    """Create a UNION ALL of a subclass of CompoundSelect."""
    return cls(_CompoundSelectKeyword.UNION_ALL, *selects)


def with_selects(union: _U, other: CompoundSelect[Any]) -> _U:
    """Return a copy of a UNION that has its order and limit, but the SELECTs of another UNION."""
    copy = union._generate()
    copy.selects = other.selects
    return copy


def given_name(alias: Alias) -> str | None:
    """Return the name that an alias was given; None if the compiler generates it."""
    return alias.name if alias._orig_name is not None else None


def joins_of(statement: Select[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the target and the ON clause of each join() of a SELECT, as they were given."""
    return ((target, onclause) for target, onclause, *_ in statement._setup_joins)


def lock_of(statement: GenerativeSelect) -> ForUpdateArg | None:
    """Return what with_for_update() was given."""
    return statement._for_update_arg


def limits_rows(statement: GenerativeSelect) -> bool:
    """Return whether a SELECT or a union has a LIMIT, OFFSET or FETCH."""
    return bool(statement._has_row_limiting_clause)


def is_plain_distinct(statement: Select[Any]) -> bool:
    """Return whether a SELECT has DISTINCT, but neither ON of it nor GROUP BY nor HAVING."""
    others = (statement._distinct_on, statement._group_by_clauses, statement._having_criteria)
    return statement._distinct is True and not any(others)


def group_by_of(statement: Select[Any]) -> tuple[ColumnElement[Any], ...]:
    """Return the keys by which a SELECT groups."""
    return tuple(statement._group_by_clauses)


def order_by_of(statement: GenerativeSelect) -> tuple[ColumnElement[Any], ...]:
    """Return the keys by which a SELECT or a union is sorted."""
    return tuple(statement._order_by_clauses)


def limit_of(statement: GenerativeSelect) -> tuple[ColumnElement[Any] | None, ColumnElement[Any] | None] | None:
    """Return the numbers of LIMIT and OFFSET, each of them None if it is missing; None instead of both for FETCH."""
    if statement._fetch_clause is not None:
        return None
    return statement._limit_clause, statement._offset_clause


def is_plain(statement: Select[Any]) -> bool:
    """Return whether a SELECT has neither DISTINCT nor GROUP BY nor HAVING."""
    return not any((statement._distinct, statement._group_by_clauses, statement._having_criteria))


def sorted_expression(key: Any, statement: Select[Any]) -> Any:
    """Return the expression of a key of ORDER BY; for the name of a column, that column if the SELECT has it."""
    if isinstance(key, _textual_label_reference):
        return statement.selected_columns.get(key.element, key)
    if isinstance(key, UnaryExpression) and isinstance(key.element, (UnaryExpression, _textual_label_reference)):
        element = sorted_expression(key.element, statement)  # of DESC or NULLS LAST
        return key if element is key.element else UnaryExpression(element, operator=key.operator, modifier=key.modifier)
    return key.element if isinstance(key, _label_reference) else key


def is_only_a_name(expression: Any) -> bool:
    """Return whether an expression is a string in ORDER BY, which may name a column of the result."""
    return isinstance(expression, _textual_label_reference)


def outer_froms(compiler: SQLCompiler) -> set[FromClause]:
    """Return the FROM elements of enclosing statements that are not those of the SELECT that is being compiled."""
    return set(compiler.stack[-2]["correlate_froms"]) - own_froms(compiler) if len(compiler.stack) > 1 else set()


def own_froms(compiler: SQLCompiler) -> set[FromClause]:
    """Return the FROM elements of the SELECT that is being compiled, without those that it correlates to."""
    return set(compiler.stack[-1]["asfrom_froms"])


# -- INSERT


def asks_for_generated_key(statement: dml.Insert) -> bool:
    """Return whether an INSERT of one row lets the dialect choose how to fetch the generated key."""
    return not (
        statement._inline
        or statement._returning
        or statement._return_defaults
        or statement._select_names
        or is_upsert(statement)
    )


def gives_key_as_expression(statement: dml.Insert) -> bool:
    """Return whether the values of an INSERT contain an SQL expression for the column whose ids are generated."""
    key = getattr(statement.table, "autoincrement_column", None)
    if key is None or statement._values is None:
        return False
    # SQLAlchemy keeps a column that was given by its name as a string.
    value = statement._values.get(key, statement._values.get(key.key))
    return isinstance(value, ClauseElement) and not isinstance(value, BindParameter)


def repeats_values(compiler: SQLCompiler) -> bool:
    """Return whether an INSERT that has been compiled has its VALUES repeated for each row, if there are several."""
    return compiler._insertmanyvalues is not None


def is_upsert(statement: Any) -> bool:
    """Return whether a statement is an INSERT with ON DUPLICATE KEY UPDATE."""
    return isinstance(statement, dml.Insert) and statement._post_values_clause is not None


def has_several_rows(statement: dml.Insert) -> bool:
    """Return whether a single INSERT has, or can have, several rows: ``values([…])`` or a SELECT."""
    return bool(statement._multi_values) or statement.select is not None


def defaults_to_return(statement: dml.Insert) -> tuple[Any, ...] | None:
    """Return the columns that return_defaults() fetches after an INSERT; None if return_defaults() was not called."""
    if not statement._return_defaults:
        return None
    return tuple(statement._return_defaults_columns or statement.table.c)


def returning_defaults(statement: dml.Insert, columns: tuple[Any, ...]) -> dml.Insert:
    """Return a copy of an INSERT whose return_defaults() fetches only these columns, at least one.

    Calling ``return_defaults()`` again would add them to the others.
    """
    copy = statement._generate()
    copy._return_defaults_columns = columns
    return copy


# -- types and columns


def variants_of(type_: TypeEngine[Any]) -> Mapping[str, TypeEngine[Any]]:
    """Return the types that were added to a type by ``with_variant()``, by the name of their dialect."""
    return type_._variant_mapping


def affinity_of(type_: TypeEngine[Any]) -> type[TypeEngine[Any]]:
    """Return the generic type, such as Boolean, that a type belongs to; for a TypeDecorator, that of its ``impl``."""
    affinity = type_._type_affinity
    assert affinity is not None
    return affinity


def reflected_default(column: Column[Any]) -> str | None:
    """Return the SQL of a server default that was reflected; None for one that was declared."""
    default: Any = column.server_default
    if default is None or not default.reflected or not isinstance(default.arg, TextClause):
        return None
    return default.arg.text


# -- the dialect


class IsolationLevelHook(MySQLDialect):
    """Part of a dialect that checks an isolation level before SQLAlchemy compares it with the supported levels."""

    def check_isolation_level(self, level: str) -> None:
        """Check a level, in upper case and with spaces. Raise an error that explains more than SQLAlchemy's own."""

    def _assert_and_set_isolation_level(self, dbapi_conn: Any, level: Any) -> None:
        self.check_isolation_level(level.replace("_", " ").upper())
        super()._assert_and_set_isolation_level(dbapi_conn, level)  # type: ignore[no-untyped-call]


# -- compilers


def percent_sign(preparer: IdentifierPreparer) -> str:
    """Return how a percent sign is written in a statement: twice, if the driver treats a single one as a parameter."""
    return "%%" if preparer._double_percents else "%"


class StatementHooks(MySQLCompiler_mysqldb):
    """Part of a statement compiler that gives public names to SQLAlchemy's hooks for subclasses."""

    def applicable_prefixes(self, prefixes: Iterable[tuple[Any, str]]) -> Iterable[tuple[Any, str]]:
        """Return the prefixes of a statement, each with the dialect that it applies to."""
        return prefixes

    def completed_select(self, statement: Select[Any], froms: Sequence[FromClause]) -> Select[Any]:
        """Return a SELECT as it is rendered after its columns.

        :param froms: the elements of its FROM, without those of an enclosing statement.
        """
        return statement

    def render_values(self, rows: Iterable[Any], **kw: Any) -> str:
        """Return VALUES with its rows, each of which is a tuple construct."""
        raise NotImplementedError

    def _generate_prefixes(self, stmt: Any, prefixes: Any, **kw: Any) -> str:
        return super()._generate_prefixes(stmt, self.applicable_prefixes(prefixes), **kw)  # type: ignore[no-any-return, no-untyped-call]

    def _compose_select_body(self, text: str, statement: Any, state: Any, columns: Any, froms: Any, *args: Any) -> str:
        completed = self.completed_select(statement, froms)
        return super()._compose_select_body(text, completed, state, columns, froms, *args)  # type: ignore[no-any-return, no-untyped-call]

    def _render_values(self, element: Any, **kw: Any) -> str:
        kw.setdefault("literal_binds", element.literal_binds)
        rows = (Tuple(*row, types=element._column_types).self_group() for rows in element._data for row in rows)
        return self.render_values(rows, **kw)


def froms_of(statement: Select[Any], compiler: SQLCompiler) -> list[FromClause]:
    """Return the FROM elements of a SELECT in a statement that is being compiled, and those that it correlates to.

    ``get_final_froms()`` compiles the SELECT by itself, which fails if a subquery of it selects from a table that an
    enclosing SELECT has too.
    """
    state: Any = statement._compile_state_factory(statement, compiler)
    return list(state._get_display_froms())


def generated_alias(compiler: SQLCompiler, name: Any) -> str:
    """Return the name of an alias that the compiler generates for a table, such as one to disambiguate equal names."""
    return compiler._truncated_identifier("alias", name)


def enclosing_froms(compiler: SQLCompiler) -> Iterator[FromClause]:
    """Yield the FROM elements of the SELECTs that enclose the one being compiled."""
    return (source for level in compiler.stack[:-1] for source in level["asfrom_froms"])


def visible_froms(compiler: SQLCompiler) -> Iterator[FromClause]:
    """Yield the FROM elements of the SELECT that is being compiled and of those that enclose it."""
    return (source for level in compiler.stack for source in level["asfrom_froms"])


def selectable_of(compiler: SQLCompiler) -> Any:
    """Return the SELECT that is being compiled; None outside of one."""
    return compiler.stack[-1]["selectable"] if compiler.stack else None


def add_result_column(compiler: SQLCompiler, name: str, objects: tuple[Any, ...], type_: TypeEngine[Any]) -> None:
    """Register a column of the result with the compiler. Call this for all columns in their order.

    :param objects: the keys, besides its name, by which the column is found in a row.
    """
    compiler._add_to_result_map(name, name, objects, type_)


def execute_scalar(context: DefaultExecutionContext, statement: str, type_: TypeEngine[Any] | None) -> Any:
    """Execute a statement on the cursor of another statement that is about to be sent, and return its value."""
    return context._execute_scalar(statement, type_)


def values_of(context: DefaultExecutionContext) -> Iterator[Mapping[str, Any]]:
    """Yield each parameter set of a statement that is about to be sent, including values rendered into its text."""
    compiled = cast("SQLCompiler", context.compiled)
    for sent in context.compiled_parameters:
        yield compiled.construct_params(sent, extracted_parameters=context.extracted_parameters, _check=False)


def forget(dialect: Dialect, *names: str) -> None:
    """Reset memoized attributes of a dialect, which may have been computed before it was connected to the server."""
    for name in names:
        util.memoized_property.reset(dialect, name)


def without_rows(result: CursorResult[Any]) -> CursorResult[Any]:
    """Return a result without rows, like that of DDL, for a statement whose rows have been read."""
    return CursorResult(result.context, _NO_CURSOR_DML, None)


# -- SELECTs as compiled by the ORM


class LoaderOption(NamedTuple):
    """An option such as ``selectinload()``: its strategy, and the path of entities and relationships it applies to."""

    strategy: tuple[Any, ...]
    path: tuple[Any, ...]


class LoadedColumns(NamedTuple):
    """The column expressions that are loaded into the objects at the end of a path."""

    path: tuple[Any, ...]
    expressions: list[Any]


class CompiledSelect:
    """A SELECT as compiled by the ORM."""

    def __init__(self, state: _ORMCompileState) -> None:
        self._state: Any = state

    @classmethod
    def of(cls, compile_state: Any) -> Self | None:
        """Wrap a compile state; return None if it is not that of an ORM SELECT."""
        return cls(compile_state) if isinstance(compile_state, _ORMCompileState) else None

    @property
    def statement(self) -> Any:
        """Return the Select or FromStatement."""
        return self._state.select_statement

    @property
    def final_froms(self) -> list[Any]:
        """Return the FROM elements of the statement that is sent."""
        return list(self._state.statement.get_final_froms())

    @property
    def entities(self) -> list[Any]:
        """Return the mapped entities that are selected, each with ``mapper`` and ``selectable``."""
        return [entity for entity in self._state._entities if isinstance(entity, _MapperEntity)]

    @property
    def loaded_for(self) -> tuple[Any, ...]:
        """Return the path from the first SELECT to this one, if an option such as ``selectinload()`` created it."""
        path: tuple[Any, ...] = self._state.current_path.path
        return path

    @property
    def loader_options(self) -> list[LoaderOption]:
        """Return the loader options that the statement has for relationships and columns."""
        return [
            LoaderOption(option.strategy[0], option.path.path)
            for option in self._state.attributes.values()
            if isinstance(option, _LoadElement) and option.strategy
        ]

    @property
    def loaded_columns(self) -> list[LoadedColumns]:
        """Return the columns of each entity that is loaded, including joined eager loads."""
        found = [
            LoadedColumns(key[1], list(setups.values()))
            for key, setups in self._state.attributes.items()
            if key[0] == "memoized_setups"
        ]
        if isinstance(self.statement, Select) and self.entities and not found:
            # Each entity has this key. It is a string, so a rename would not raise an error by itself.
            raise NotImplementedError(f"SQLAlchemy {sqlalchemy.__version__} keeps what a SELECT loads elsewhere")
        return found

    @property
    def eager_joins(self) -> list[FromClause]:
        """Return the FROM elements extended by the tables of joined eager loads."""
        return list(self._state.eager_joins.values())


def load_detached(entity: Any) -> None:
    """Load the objects of a mapped entity of a :class:`CompiledSelect` without attaching them to a Session.

    Only the compiled form, which the statement cache keeps, is changed.
    """
    entity.__class__ = _DetachedEntity


class _NoSession:
    """Stand-in for the Session while objects are created: it holds them, and they do not belong to any Session."""

    hash_key = None
    dispatch = SimpleNamespace(loaded_as_persistent=None)

    def __init__(self, session: Any) -> None:
        self._session = session
        self.identity_map = new_identity_map(session)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class _DetachedContext:
    """An execution context with a stand-in for its Session. Everything else is delegated to the original context."""

    session: _NoSession

    def __init__(self, context: Any) -> None:
        self.__dict__.update(_context=context, session=_NoSession(context.session))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context, name, value)


class _DetachedEntity(_MapperEntity):
    __slots__ = ()

    def row_processor(self, context: Any, result: Any) -> Any:
        _pass_values_to_loaders(context, result.context)
        # The processors keep a reference to the context. This includes those of joined eager loaders, and those of
        # subclasses, which are created at their first row.
        return super().row_processor(_DetachedContext(context), result)  # type: ignore[no-untyped-call]


# -- the SELECTs that loader options send


_TOP_LEVEL = "sa_top_level_orm_context"
_VALUES = "matrixone_values_for_loaders"


class PassedToLoaders:
    """Mixin of types whose bound values reach the SELECTs that loader options such as ``selectinload()`` send.

    SQLAlchemy builds these SELECTs from the entities in the cached compiled form. That form, including its bound
    values, comes from the first statement with the same cache key. Later statements with that key have other values.
    """


def _pass_values_to_loaders(context: Any, execution: DefaultExecutionContext) -> None:
    """Store the values with which a SELECT is executed, for the SELECTs that its loader options send."""
    if not (extracted := execution.extracted_parameters):
        return  # it was compiled for this execution, so it already has the right values
    top: Any = context._get_top_level_context()
    key = cast("SQLCompiler", execution.compiled).cache_key
    assert key is not None
    known = top.execution_options.get(_VALUES, {})
    values = {
        compiled.key: known.get(current.key, current)
        for compiled, current in zip(key.bindparams, extracted, strict=True)
        if isinstance(compiled.type, PassedToLoaders)
    }
    for each in (top, context):
        each.execution_options = each.execution_options.union({_VALUES: {**known, **values}})


class PassingValues(MySQLExecutionContext):
    """Part of an execution context that passes the values of a SELECT to the SELECTs of its loader options.

    A dialect uses it only once it has compiled a point in time: the method takes 5 % of the time of a statement.
    """

    @classmethod
    def _init_compiled(cls, *args: Any, **kw: Any) -> Any:
        if options := args[_OPTIONS]:
            args = _with_passed_values(options, args)
        return super()._init_compiled(*args, **kw)


# The positions of the arguments of DefaultExecutionContext._init_compiled(), which SQLAlchemy passes by position. This
# runs for each statement, and naming them all would take as long as the rest of the method.
_OPTIONS, _EXTRACTED_PARAMETERS = 3, 7


def _with_passed_values(options: Mapping[str, Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments with the values that were stored for the SELECTs of loader options, if any."""
    values = options.get(_VALUES)
    if values is None and (top := options.get(_TOP_LEVEL)) is not None:
        values = top.execution_options.get(_VALUES)
    extracted = args[_EXTRACTED_PARAMETERS]
    if not values or not extracted:
        return args
    current = [values.get(each.key, each) for each in extracted]
    return (*args[:_EXTRACTED_PARAMETERS], current, *args[_EXTRACTED_PARAMETERS + 1 :])


# -- Sessions


def new_identity_map(session: Session) -> IdentityMap:
    """Return an empty identity map of the same class as that of the Session."""
    return type(session.identity_map)()


def replace_identity_map(session: Session, identity_map: IdentityMap) -> None:
    """Replace the identity map of a Session. See :func:`attach` and :func:`detach` for the Session of its objects."""
    session.identity_map = identity_map


def detach(identity_map: IdentityMap, session: Session) -> None:
    """Detach the objects of an identity map from a Session, and fire the corresponding events.

    ``Session.expunge()`` would not do, because it cascades to objects that are not in the map.
    """
    InstanceState._detach_states(identity_map.all_states(), session)


def attach(identity_map: IdentityMap, session: Session | None) -> None:
    """Attach the objects of an identity map to a Session or, temporarily, to none, without firing events."""
    for state in identity_map.all_states():
        state.session_id = None if session is None else session.hash_key


def is_in_begin_block(target: Session | scoped_session[Any] | Connection) -> bool:
    """Return whether ``with target.begin():`` is active, in which SQLAlchemy allows nothing after a commit()."""
    transactional: Any = target() if isinstance(target, scoped_session) else target
    return transactional._trans_context_manager is not None
