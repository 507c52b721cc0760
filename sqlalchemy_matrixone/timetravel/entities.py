"""Load historical objects separately from current ones.

A Session has one object for each identity. A historical object has the same identity as the current one, so it must
not go through the Session's identity map: it would be the current object, or replace it. Everything that is loaded into
it must be historical as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy.orm import FromStatement, RelationshipProperty
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql import Alias, ClauseElement, FromClause, Join, Select, TableClause, visitors
from sqlalchemy.sql.selectable import CompoundSelect, FromGrouping, Subquery

from ..core.sqlalchemy_internals import CompiledSelect, LoadedColumns, LoaderOption, joins_of, load_detached
from ..exc import MatrixOneCompileError
from .tables import AsOfTable

_ADVICE = (
    "specify a point in time for what is loaded along with it, as in selectinload(old.items.of_type(as_of(Item, …))), "
    "turn the loading off with lazyload() or defer(), or read the whole graph with time_travel()"
)
_PRESENT_INTO_PAST = f"current rows would be loaded into historical objects: {_ADVICE}"
_PAST_INTO_PRESENT = f"historical rows would be loaded into current objects: {_ADVICE}"
_SECOND_SELECT = "loaded by a second SELECT, which would read current rows: use with_polymorphic(), or time_travel()"

_BY_A_SELECT_OF_ITS_OWN = frozenset(("selectin", "subquery", "immediate"))
_EAGER = _BY_A_SELECT_OF_ITS_OWN | {"joined"}


def load_past_detached(compiled: CompiledSelect) -> None:
    """Load historical objects detached, and refuse what would mix them with current ones.

    :raises sqlalchemy.exc.CompileError: if current rows would be loaded into historical objects, or vice versa.
    """
    if isinstance(compiled.statement, Select):
        _check_joins(compiled.statement)
    entities = compiled.entities
    if not entities:
        return
    for option in compiled.loader_options:
        _check_loader_option(option)
    if isinstance(compiled.statement, FromStatement):
        _check_from_statement(compiled.statement)
    if any(map(_is_past, compiled.loaded_for)):
        _check_reads_no_present(compiled.final_froms)
    for join in compiled.eager_joins:
        _check_eager_join(join)
    for columns in compiled.loaded_columns:
        _check_column_properties(columns)
    for entity in entities:
        if _reads_past(entity.selectable):
            _check_polymorphic_load(entity.mapper)
            load_detached(entity)


# -- what a SELECT loads


def _check_polymorphic_load(mapper: Any) -> None:
    subclasses = (each for each in mapper.self_and_descendants if each is not mapper)
    if any(each.polymorphic_load == "selectin" for each in subclasses):
        raise MatrixOneCompileError(f"columns of subclasses of {mapper.class_.__name__} are {_SECOND_SELECT}")


def _check_column_properties(columns: LoadedColumns) -> None:
    """Refuse a ``column_property()`` that reads current rows into a historical object."""
    if not any(map(_is_past, columns.path)):
        return
    for expression in columns.expressions:
        if isinstance(expression, ClauseElement):
            _check_reads_no_present(part for part in visitors.iterate(expression) if isinstance(part, Select))


def _check_reads_no_present(selectables: Iterable[Any]) -> None:
    if any(map(_reads_present, selectables)):
        raise MatrixOneCompileError(_PRESENT_INTO_PAST)


def _check_eager_join(join: FromClause) -> None:
    """Refuse a joined eager load of current rows into historical objects."""
    if _reads_past(_first_joined(join)):
        _check_reads_no_present([join])


def _check_from_statement(statement: Any) -> None:
    if any(isinstance(part, AsOfTable) for part in visitors.iterate(statement.element)):
        raise MatrixOneCompileError(
            "from_statement() would load historical rows into current objects: select from aliased(…, "
            "statement.subquery()) instead"
        )


def _check_joins(statement: Select[Any]) -> None:
    """Refuse a join by a relationship of a historical entity that has an association table."""
    for parts in joins_of(statement):
        for part in parts:
            relationship = getattr(part, "property", None)
            if isinstance(relationship, RelationshipProperty) and _is_past(part.parent):
                _check_no_association(relationship)


def _check_no_association(relationship: RelationshipProperty[Any]) -> None:
    """Refuse an association table, for which no point in time can be given."""
    if relationship.secondary is not None:
        raise MatrixOneCompileError(
            f"{relationship} uses an association table, {relationship.secondary}, of which current rows would be "
            "read: join as_of() that table as well, or read the whole graph with time_travel()"
        )


# -- what its loader options load


class _EagerLoad(NamedTuple):
    """A relationship that a loader option loads eagerly."""

    parent: Any
    relationship: RelationshipProperty[Any]
    target: Any
    strategy: str

    @classmethod
    def of(cls, option: LoaderOption) -> _EagerLoad | None:
        """Return None for an option that loads nothing, or nothing by a relationship."""
        strategy = option.strategy[1]
        if len(option.path) < 3 or strategy not in _EAGER:
            return None
        parent, relationship, target = option.path[-3:]
        return cls(parent, relationship, target, strategy) if isinstance(relationship, RelationshipProperty) else None


def _check_loader_option(option: LoaderOption) -> None:
    if option.strategy == ("selectinload_polymorphic", True) and any(map(_is_past, option.path)):
        raise MatrixOneCompileError(f"columns of subclasses are {_SECOND_SELECT}")
    load = _EagerLoad.of(option)
    if load is None:
        return
    match _is_past(load.parent), _is_past(load.target):
        case True, False:
            raise MatrixOneCompileError(_PRESENT_INTO_PAST)
        case False, True:
            raise MatrixOneCompileError(_PAST_INTO_PRESENT)
        case True, True:
            _check_no_association(load.relationship)
            _check_is_fixed(load)


def _check_is_fixed(load: _EagerLoad) -> None:
    """Refuse a bind parameter as point in time of a second SELECT, which is sent without the first one's parameters."""
    if load.strategy in _BY_A_SELECT_OF_ITS_OWN and any(map(_has_parameter, visitors.iterate(load.target.selectable))):
        raise MatrixOneCompileError(
            f"{load.relationship} is loaded by a separate SELECT, which a bindparam() does not reach: "
            "pass the time itself to as_of(), or use joinedload()"
        )


# -- points in time of selectables


def _is_past(part: Any) -> bool:
    """Return whether a part of a path is a historical entity."""
    return isinstance(part, AliasedInsp) and _reads_past(part.selectable)


def _has_parameter(element: Any) -> bool:
    return isinstance(element, AsOfTable) and element.moment.is_parameter


def _first_joined(element: Any) -> Any:
    """Return the first element of a join of joins."""
    while isinstance(element, (Join, FromGrouping)):
        element = element.left if isinstance(element, Join) else element.element
    return element


def _reads_present(element: Any) -> bool:
    """Return whether a selected table is read without a point in time."""
    match element:
        case AsOfTable():
            return False
        case Join():
            return _reads_present(element.left) or _reads_present(element.right)
        case FromGrouping() | Alias() | Subquery():
            return _reads_present(element.element)
        case CompoundSelect():
            return any(map(_reads_present, element.selects))
        case Select():
            return any(map(_reads_present, element.get_final_froms()))
    return isinstance(element, TableClause)


def _reads_past(selectable: Any) -> bool:
    """Return whether a selectable returns columns of a historical table, rather than only filtering by them."""
    sources = (source for column in selectable.c for source in column.proxy_set)
    return any(isinstance(getattr(source, "table", None), AsOfTable) for source in sources)
