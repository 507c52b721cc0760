"""Loading mapped objects of the past, apart from those of the present.

A Session has one object for each identity. An object of the past has the identity of the present one, so it
must not go by the Session's identity map: it would be the present object, or stand in for it. And what is loaded
into it must be of the past as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from sqlalchemy import exc
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.context import FromStatement, _MapperEntity
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql import Alias, ClauseElement, Join, Select, TableClause, visitors
from sqlalchemy.sql.selectable import CompoundSelect, FromGrouping, Subquery

from .tables import AsOfTable

_ADVICE = (
    "name the moment of what is loaded along, as in selectinload(old.items.of_type(as_of(Item, …))), turn it off "
    "with lazyload() or defer(), or read the whole graph with time_travel()"
)
_PRESENT_INTO_PAST = f"rows of the present would be loaded into objects of the past: {_ADVICE}"
_PAST_INTO_PRESENT = f"rows of the past would be loaded into objects of the present: {_ADVICE}"


class _PastSession:
    """Stands in for the Session where objects are made: they are kept here, under the id of no Session."""

    hash_key = None
    dispatch = SimpleNamespace(loaded_as_persistent=None)

    def __init__(self, session: Any) -> None:
        self._session = session
        self.identity_map = type(session.identity_map)()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class _PastContext:
    """The context of an execution, with a stand-in for its Session. All else is its own, as it is at the time."""

    session: _PastSession

    def __init__(self, context: Any) -> None:
        self.__dict__.update(_context=context, session=_PastSession(context.session))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context, name, value)


class _AsOfEntity(_MapperEntity):
    """An entity of a compiled SELECT whose objects are loaded into no Session."""

    __slots__ = ()

    def row_processor(self, context: Any, result: Any) -> Any:
        # The processors keep the context: those of joined eager loaders, and of subclasses, made at their first row.
        return super().row_processor(_PastContext(context), result)  # type: ignore[no-untyped-call]


def detach_past_entities(compile_state: Any) -> None:
    """Have the objects that a SELECT loads from the past loaded detached, and refuse what would mix them.

    :raises sqlalchemy.exc.CompileError: where the present would be loaded into the past, or the past into it.
    """
    statement = getattr(compile_state, "select_statement", None)
    if isinstance(statement, Select):
        _check_joins(statement)
    entities = [entity for entity in getattr(compile_state, "_entities", ()) if isinstance(entity, _MapperEntity)]
    if not entities:
        return
    _check_loader_options(compile_state)
    if isinstance(statement, FromStatement):
        _refuse_from_statement(statement)
    if any(map(_is_past, compile_state.current_path.path)):
        _check_what_is_loaded_afterwards(compile_state)
    for join in getattr(compile_state, "eager_joins", {}).values():
        if _reads_past(_leftmost(join)) and _reads_present(join):
            raise exc.CompileError(_PRESENT_INTO_PAST)
    _check_column_properties(compile_state)
    for entity in entities:
        if _reads_past(entity.selectable):
            _check_past_entity(entity, compile_state)
            # The compiled form alone, which the statement cache keeps, is changed.
            entity.__class__ = _AsOfEntity


# -- what a SELECT loads


def _check_past_entity(entity: Any, compile_state: Any) -> None:
    if any(mapper.polymorphic_load == "selectin" for mapper in _subclasses(entity.mapper)):
        raise exc.CompileError(f"columns of subclasses of {entity.mapper.class_.__name__} are {_by_a_second_select()}")


def _check_column_properties(compile_state: Any) -> None:
    """Of what is loaded from the past, joined eager loads included, that no ``column_property()`` reads the present."""
    for key, expressions in compile_state.attributes.items():
        if key[0] != "memoized_setups" or not any(map(_is_past, key[1])):
            continue
        for expression in expressions.values():
            if isinstance(expression, ClauseElement) and any(map(_selects_present, visitors.iterate(expression))):
                raise exc.CompileError(_PRESENT_INTO_PAST)


def _check_what_is_loaded_afterwards(compile_state: Any) -> None:
    """Of a SELECT of ``selectinload()`` and the like, that it reads nothing of the present."""
    if any(map(_reads_present, compile_state.statement.get_final_froms())):
        raise exc.CompileError(_PRESENT_INTO_PAST)


def _refuse_from_statement(statement: Any) -> None:
    if any(isinstance(part, AsOfTable) for part in visitors.iterate(statement.element)):
        raise exc.CompileError(
            "from_statement() of rows of the past would make them objects of the present: "
            "select from aliased(…, statement.subquery()) instead"
        )


def _check_joins(statement: Any) -> None:
    """That no relationship of the past goes by an association table, for which no moment can be said."""
    for target, onclause, *_ in statement._setup_joins:
        for part in (target, onclause):
            relationship = getattr(part, "property", None)
            if isinstance(relationship, RelationshipProperty) and _is_past(part.parent):
                _refuse_association(relationship)


def _refuse_association(relationship: RelationshipProperty[Any]) -> None:
    if relationship.secondary is not None:
        raise exc.CompileError(
            f"{relationship} goes by a table between, {relationship.secondary!s}, which would be read in the present: "
            "join as_of() that table as well, or read the whole graph with time_travel()"
        )


# -- what its loader options say

_LATER = ("selectin", "subquery", "immediate")


def _check_loader_options(compile_state: Any) -> None:
    for strategy, path in _loader_options(compile_state):
        if strategy == ("selectinload_polymorphic", True) and any(map(_is_past, path)):
            raise exc.CompileError(f"columns of subclasses are {_by_a_second_select()}")
        if len(path) < 3 or not isinstance(path[-2], RelationshipProperty) or strategy[1] not in (*_LATER, "joined"):
            continue
        parent, relationship, target = path[-3:]
        if _is_past(parent) != _is_past(target):
            raise exc.CompileError(_PRESENT_INTO_PAST if _is_past(parent) else _PAST_INTO_PRESENT)
        if _is_past(parent):
            _check_between(relationship, target, strategy[1])


def _loader_options(compile_state: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The strategy and the path of each: an entity, its relationship, the entity that is loaded."""
    for key, option in compile_state.attributes.items():
        if key[0] == "loader" and option.strategy:
            yield option.strategy[0], option.path.path


def _check_between(relationship: RelationshipProperty[Any], target: AliasedInsp[Any], strategy: str) -> None:
    _refuse_association(relationship)
    if strategy in _LATER and any(
        isinstance(part, AsOfTable) and part.moment.value is not None for part in _tables(target)
    ):
        raise exc.CompileError(
            f"{relationship} is loaded by a SELECT of its own, which a bindparam() does not reach: "
            "give as_of() the time itself, or use joinedload()"
        )


def _by_a_second_select() -> str:
    return "loaded by a second SELECT, which would read the present: use with_polymorphic(), or time_travel()"


# -- what reads when


def _is_past(part: Any) -> bool:
    return isinstance(part, AliasedInsp) and _reads_past(part.selectable)


def _tables(part: AliasedInsp[Any]) -> Iterator[Any]:
    return visitors.iterate(part.selectable)


def _subclasses(mapper: Any) -> Iterator[Any]:
    return (each for each in mapper.self_and_descendants if each is not mapper)


def _leftmost(element: Any) -> Any:
    while isinstance(element, (Join, FromGrouping)):
        element = element.left if isinstance(element, Join) else element.element
    return element


def _selects_present(element: Any) -> bool:
    return isinstance(element, Select) and any(map(_reads_present, element.get_final_froms()))


def _reads_present(element: Any) -> bool:
    """Whether a table that is selected from is read without a moment."""
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
            return _selects_present(element)
    return isinstance(element, TableClause)


def _reads_past(selectable: Any) -> bool:
    """Whether a column of it is out of a table of the past. One that is only filtered by the past is not."""
    sources = (source for column in selectable.c for source in column.proxy_set)
    return any(isinstance(getattr(source, "table", None), AsOfTable) for source in sources)
