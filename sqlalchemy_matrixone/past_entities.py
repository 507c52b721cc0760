"""Loading mapped objects of the past, apart from those of the present.

A Session has one object for each identity. An object of the past has the identity of the present one, so it
must not go by the Session's identity map: it would be the present object, or stand in for it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import exc
from sqlalchemy.orm.context import _MapperEntity
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql import Join
from sqlalchemy.sql.selectable import FromGrouping

from .timetravel import reads_past

_ADVICE = (
    "name the moment of what is loaded along, as in selectinload(old.items.of_type(as_of(Item, …))), turn it off "
    "with lazyload(), or read the whole graph with time_travel()"
)


class _PastEntity(_MapperEntity):
    """An entity of a compiled SELECT whose objects are loaded into no Session."""

    __slots__ = ()

    def row_processor(self, context: Any, result: Any) -> Any:
        session = context.session
        # The processors, those of joined eager loaders too, keep what they find here; the id of none is None.
        context.session = SimpleNamespace(
            identity_map=type(session.identity_map)(),
            hash_key=None,
            dispatch=SimpleNamespace(loaded_as_persistent=None),
        )
        try:
            return super().row_processor(context, result)  # type: ignore[no-untyped-call]
        finally:
            context.session = session


def detach_past_entities(compile_state: Any) -> None:
    """Have the objects that a SELECT loads from the past loaded detached, and refuse what would mix them.

    :raises sqlalchemy.exc.CompileError: where something of the present would be loaded into them.
    """
    entities = [entity for entity in getattr(compile_state, "_entities", ()) if isinstance(entity, _MapperEntity)]
    past = [entity for entity in entities if reads_past(entity.selectable)]
    if len(past) < len(entities) and any(map(_is_past, compile_state.current_path.path)):
        raise exc.CompileError(f"objects of the present would be loaded into objects of the past: {_ADVICE}")
    for join in getattr(compile_state, "eager_joins", {}).values():
        if reads_past(_leftmost(join)) and _reads_present(join):
            raise exc.CompileError(f"rows of the present would be joined to objects of the past: {_ADVICE}")
    for entity in past:
        # The compiled form alone, which the statement cache keeps, is changed.
        entity.__class__ = _PastEntity


def _is_past(part: Any) -> bool:
    return isinstance(part, AliasedInsp) and reads_past(part.selectable)


def _leftmost(element: Any) -> Any:
    while isinstance(element, (Join, FromGrouping)):
        element = element.left if isinstance(element, Join) else element.element
    return element


def _reads_present(element: Any) -> bool:
    if isinstance(element, FromGrouping):
        return _reads_present(element.element)
    if isinstance(element, Join):
        return _reads_present(element.left) or _reads_present(element.right)
    return not reads_past(element)
