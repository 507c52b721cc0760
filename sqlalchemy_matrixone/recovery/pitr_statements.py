"""Execute CREATE PITR and ALTER PITR, and check what the PITR protects afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.beside import pause
from ..core.warning import warn
from ..exc import PitrError, Reason, RecoveryWarning
from . import catalog
from .constructs import AlterPitr, CreatePitr, DropPitr
from .pitr_conflicts import PitrConflict
from .pitr_names import free_name, is_automatic, pitr_named
from .pitr_objects import protecting, range_of, with_present_object
from .pitr_range import PitrRange
from .pitr_reader import reads_exact_pitr_times
from .protection import describe_existing, describe_inactive
from .reactivation import protect_again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from .values import Pitr


def create_pitr(connection: Connection, element: CreatePitr, *, may_rename: bool = False) -> Pitr:
    """Create a PITR, and return it.

    The server refuses it if a PITR, even an inactive one, has its name, or if an active one has its object:

    - The name belongs to an inactive PITR of the same object, which only that one can restore to an earlier state. With
      ``may_rename``, the new PITR is created beside it, as ``shop__2``.
    - The name belongs to any other PITR. With ``if_not_exists``, that one is returned; if it is inactive, its object is
      protected by a PITR of the database.
    - The object has the PITR ``shop__auto``, which was created in place of inactive ones. With ``may_rename``, that one
      is adopted: it is returned, with the longer of both ranges.

    In all other cases, an error states what to do. A :class:`RecoveryWarning` states how an existing PITR that is
    returned differs from the one that was to be created.

    :param may_rename: whether another name will do, because the caller has not chosen this one.
    :raises PitrError: with reason exists, if there is one; with reason unsupported, if it would protect an object of
        another account. It is then dropped again.
    """
    if element.if_not_exists:
        conflict = PitrConflict.read(connection, element)
        if conflict.same_name is not None:
            if may_rename and conflict.former is not None:
                return _create_beside(connection, conflict, conflict.former)
            return _use_of_same_name(connection, conflict, conflict.same_name)
    try:
        connection.execute(element)
    except PitrError as refused:
        if refused.reason is not Reason.EXISTS:
            raise
        return _after_refusal(connection, PitrConflict.read(connection, element), refused, may_rename)
    return _created(connection, element)


def alter_pitr(connection: Connection, element: AlterPitr) -> Pitr:
    """Change the range of a PITR, and return it. A :class:`RecoveryWarning` states if it is inactive."""
    connection.execute(element)
    pitrs = catalog.get_pitrs(connection)
    pitr = _named(pitrs, element.name)
    if pitr.active is False:
        inactive = describe_inactive(pitr, _protecting(connection, pitr, pitrs))
        _warn(f"PITR {pitr.name!r} reaches back {pitr.range} now, but {inactive}")
    return pitr


def _created(connection: Connection, element: CreatePitr) -> Pitr:
    """Return a PITR that was just created, if it protects anything; otherwise drop it.

    If the caller has chosen the name of an automatic one, it is marked as adopted.
    """
    pitr = _named(catalog.get_pitrs(connection), element.name)
    if pitr.active is not False:
        return _adopt(connection, pitr, element.range) if is_automatic(pitr) else pitr
    connection.execute(DropPitr(pitr.name))
    raise PitrError(
        f"PITR {pitr.name!r} was created and dropped again: it did not protect what it was created for, because "
        "MatrixOne found an object of that name in another account. Protect the whole account, "
        "create_pitr(name, range=…), or the tables.",
        Reason.UNSUPPORTED,
    )


def _after_refusal(connection: Connection, conflict: PitrConflict, refused: PitrError, may_rename: bool) -> Pitr:
    """Create a PITR in spite of those that are in the way, or use one of them, or explain the server's refusal."""
    if may_rename and conflict.former is not None:
        return _create_beside(connection, conflict, conflict.former)
    if may_rename and conflict.same_name is None and conflict.automatic is not None:
        return _adopt(connection, conflict.automatic, conflict.element.range)
    raise conflict.explain(refused) from refused.__cause__


def _adopt(connection: Connection, automatic: Pitr, wanted: PitrRange | None = None) -> Pitr:
    """Use the PITR that was created in place of inactive ones, with the longer of both ranges.

    The server allows a database one active PITR, and cannot rename it. That it was altered shows that it was adopted.
    """
    has = range_of(automatic)
    if wanted is None and automatic.modified_at != automatic.created_at:
        return automatic  # is adopted already
    if not reads_exact_pitr_times(connection):
        pause(connection, 1)  # or both times may be in the same second
    longer = max(has, wanted or has, key=lambda each: each.hours)
    connection.execute(AlterPitr(automatic.name, range=str(longer)))
    return _named(catalog.get_pitrs(connection), automatic.name)


def _create_beside(connection: Connection, conflict: PitrConflict, former: Pitr) -> Pitr:
    """Create a PITR under another name, beside the inactive one, whose history only that one keeps."""
    assert former.database is not None
    name = free_name(former.database, {pitr.name for pitr in conflict.pitrs}, former.table)
    renamed = conflict.element.copy_with(name=name, if_not_exists=False)
    try:
        connection.execute(renamed)
    except PitrError as refused:
        if refused.reason is not Reason.EXISTS:
            raise
        if conflict.same_object is not None:
            return _use_of_same_object(connection, conflict, conflict.same_object, refused)
        if conflict.mistaken is not None:
            raise conflict.explain_object(refused) from refused.__cause__
        raise PitrError(
            f"PITR {conflict.element.name!r} was not created: it exists, and is inactive, and this release of "
            f"MatrixOne treats it as the PITR of the present {former.level}. Protect the database instead: "
            f"create_pitr(range=…, database={former.database!r}).",
            Reason.EXISTS,
        ) from refused.__cause__
    return _created(connection, renamed)


def _use_of_same_object(connection: Connection, conflict: PitrConflict, active: Pitr, refused: PitrError) -> Pitr:
    """Use the active PITR of the object, which has another name: the server allows no second one."""
    if is_automatic(active):
        return _adopt(connection, active, conflict.element.range)
    if not conflict.element.if_not_exists:
        raise conflict.explain_object(refused) from refused.__cause__
    if (difference := describe_existing(active, conflict.element.range, is_of_object=True)) is not None:
        _warn(difference)
    return active


def _use_of_same_name(connection: Connection, conflict: PitrConflict, pitr: Pitr) -> Pitr:
    """Return the existing PITR of that name; if it is inactive, protect its object again."""
    pitrs = conflict.pitrs
    if protect_again(connection, with_present_object(connection, [pitr]), pitrs):
        pitrs = catalog.get_pitrs(connection)
    if conflict.is_of_object and is_automatic(pitr) and pitr.active is not False:
        pitr = _adopt(connection, pitr)
    difference = describe_existing(
        pitr,
        conflict.element.range,
        is_of_object=conflict.is_of_object,
        protected_by=_protecting(connection, pitr, pitrs) if pitr.active is False else None,
    )
    if difference is not None:
        _warn(difference)
    return pitr


def _protecting(connection: Connection, pitr: Pitr, pitrs: Sequence[Pitr]) -> Pitr | None:
    return next(iter(protecting(connection, pitr, pitrs)), None)


def _named(pitrs: Sequence[Pitr], name: str) -> Pitr:
    found = pitr_named(pitrs, name)
    if found is None:
        raise PitrError(f"PITR {name!r} was created or altered, but no longer exists", Reason.NOT_FOUND)
    return found


def _warn(message: str) -> None:
    warn(message, RecoveryWarning)
