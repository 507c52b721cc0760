"""Execute CREATE PITR and ALTER PITR, and check what the PITR protects afterwards."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..core.beside import pause
from ..core.names import fold
from ..exc import PitrError, Reason, RecoveryWarning
from . import catalog
from .constructs import AlterPitr, CreatePitr, DropPitr
from .pitr_names import free_name, is_automatic
from .pitr_objects import is_of, protecting, range_of, with_present_object
from .pitr_range import PitrRange
from .protection import describe_existing, describe_inactive
from .reactivation import protect_again, refused_for_former

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from .values import Pitr


def create_pitr(connection: Connection, element: CreatePitr, *, may_rename: bool = False) -> Pitr:
    """Create a PITR, and return it.

    With ``if_not_exists``, an existing PITR of that name is returned. If it is inactive, its object is protected by a
    PITR of the database; a :class:`RecoveryWarning` states that, and whether it is of another object or range.

    :param may_rename: whether to create it under another name if an inactive PITR of the same object has the name, and
        to use a PITR that was created in place of inactive ones.
    :raises PitrError: with reason exists, if there is one; with reason unsupported, if it would protect an object of
        another account. It is then dropped again.
    """
    if element.if_not_exists:
        pitrs = catalog.get_pitrs(connection)
        if (found := _find(pitrs, element.name)) is not None:
            if may_rename and found.active is False and is_of(found, element.recovery_target, connection):
                return _create_beside(connection, element, found, pitrs)
            return _existing(connection, element, found, pitrs)
    try:
        connection.execute(element)
    except PitrError as refused:
        if refused.reason is not Reason.EXISTS:
            raise
        return _under_taken_name(connection, element, refused, may_rename)
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


def _under_taken_name(connection: Connection, element: CreatePitr, refused: PitrError, may_rename: bool) -> Pitr:
    """Create a PITR beside an inactive one of its name and object, or use an automatic one, or explain the refusal."""
    pitrs = catalog.get_pitrs(connection)
    found = _find(pitrs, element.name)
    if found is not None and found.active is False:
        if may_rename and is_of(found, element.recovery_target, connection):
            return _create_beside(connection, element, found, pitrs)
        raise PitrError(
            f"PITR {element.name!r} was not created: a PITR of that name exists. It is inactive, and keeps the history "
            f"of the former {found.describe()}. Choose another name; or drop it, and lose that history.",
            Reason.EXISTS,
        ) from refused.__cause__
    of_object = _active_of_object(connection, element, pitrs)
    if may_rename and found is None and of_object is not None and is_automatic(of_object):
        return _adopt(connection, of_object, element.range)
    former = _former(connection, element, pitrs) if found is None and of_object is None else None
    advice = former or _advice(element, found, of_object)
    raise PitrError(f"{refused}. {advice}", Reason.EXISTS) from refused.__cause__


def _former(connection: Connection, element: CreatePitr, pitrs: Sequence[Pitr]) -> str | None:
    """Return what to do about an inactive PITR because of which the server refuses one of a database."""
    target = element.recovery_target
    if target is None or target.level != "database":
        return None
    return refused_for_former(fold(target.database_on(connection)) or "", pitrs)


def _active_of_object(connection: Connection, element: CreatePitr, pitrs: Sequence[Pitr]) -> Pitr | None:
    return next(
        (pitr for pitr in pitrs if pitr.active is not False and is_of(pitr, element.recovery_target, connection)), None
    )


def _adopt(connection: Connection, automatic: Pitr, wanted: PitrRange | None = None) -> Pitr:
    """Use the PITR that was created in place of inactive ones, with the longer of both ranges.

    The server allows a database one active PITR, and cannot rename it. That it was altered shows that it was adopted.
    """
    has = range_of(automatic)
    if wanted is None and automatic.modified_at != automatic.created_at:
        return automatic  # is adopted already
    if not catalog.reads_exact_pitr_times(connection):
        pause(connection, 1)  # or both times may be in the same second
    longer = max(has, wanted or has, key=lambda each: each.hours)
    connection.execute(AlterPitr(automatic.name, range=str(longer)))
    return _named(catalog.get_pitrs(connection), automatic.name)


def _advice(element: CreatePitr, found: Pitr | None, of_object: Pitr | None) -> str:
    """Return a sentence on what to do if a PITR of the same name or object exists.

    :param found: that of the name.
    """
    nothing = f"PITR {element.name!r} was not created."
    existing = found or of_object
    if existing is None:
        return nothing
    known = f"{existing.name!r} is of {existing.describe()} and reaches back {existing.range}"
    if existing is not of_object:
        return f"{nothing} {known}: choose another name."
    repeat = ", or pass if_not_exists=True to keep it as it is" if existing is found else ""
    return f"{nothing} {known}: change its range with alter_pitr({existing.name!r}, range=…){repeat}."


def _create_beside(connection: Connection, element: CreatePitr, found: Pitr, pitrs: Sequence[Pitr]) -> Pitr:
    """Create a PITR beside an inactive one of the same object, whose history only that one keeps.

    :param pitrs: all PITRs of the account.
    """
    assert found.database is not None
    name = free_name(found.database, {pitr.name for pitr in pitrs}, found.table)
    renamed = element.copy_with(name=name, if_not_exists=False)
    try:
        connection.execute(renamed)
    except PitrError as refused:
        if refused.reason is not Reason.EXISTS:
            raise
        of_object = _active_of_object(connection, element, pitrs)
        if of_object is not None:
            return _use(connection, element, of_object, refused)
        if (former := _former(connection, element, pitrs)) is not None:
            raise PitrError(f"{refused}. {former}", Reason.EXISTS) from refused.__cause__
        raise PitrError(
            f"PITR {element.name!r} was not created: it exists, and is inactive, and this release of MatrixOne takes "
            f"it for the PITR of the present {found.level}. Protect the database instead: "
            f"create_pitr(range=…, database={found.database!r}).",
            Reason.EXISTS,
        ) from refused.__cause__
    return _created(connection, renamed)


def _use(connection: Connection, element: CreatePitr, active: Pitr, refused: PitrError) -> Pitr:
    """Use the active PITR of the object, which has another name: the server allows no second one."""
    if is_automatic(active):
        return _adopt(connection, active, element.range)
    if not element.if_not_exists:
        raise PitrError(f"{refused}. {_advice(element, None, active)}", Reason.EXISTS) from refused.__cause__
    if (difference := describe_existing(active, element.range, is_of_object=True)) is not None:
        _warn(difference)
    return active


def _existing(connection: Connection, element: CreatePitr, pitr: Pitr, pitrs: Sequence[Pitr]) -> Pitr:
    """Return an existing PITR of that name; if it is inactive, protect its object again.

    :param pitrs: all PITRs of the account.
    """
    if protect_again(connection, with_present_object(connection, [pitr]), pitrs):
        pitrs = catalog.get_pitrs(connection)
    is_of_object = is_of(pitr, element.recovery_target, connection)
    if is_of_object and is_automatic(pitr) and pitr.active is not False:
        pitr = _adopt(connection, pitr)
    difference = describe_existing(
        pitr,
        element.range,
        is_of_object=is_of_object,
        protected_by=_protecting(connection, pitr, pitrs) if pitr.active is False else None,
    )
    if difference is not None:
        _warn(difference)
    return pitr


def _protecting(connection: Connection, pitr: Pitr, pitrs: Sequence[Pitr]) -> Pitr | None:
    return next(iter(protecting(connection, pitr, pitrs)), None)


def _named(pitrs: Sequence[Pitr], name: str) -> Pitr:
    found = _find(pitrs, name)
    if found is None:
        raise PitrError(f"PITR {name!r} was created or altered, but no longer exists", Reason.NOT_FOUND)
    return found


def _find(pitrs: Sequence[Pitr], name: str) -> Pitr | None:
    return next((pitr for pitr in pitrs if pitr.name == fold(name)), None)


def _warn(message: str) -> None:
    warnings.warn(message, RecoveryWarning, stacklevel=5)
