"""Views with capitals in their names: a restore creates them again under a name that nothing finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import fold, unquote_name
from .scope import Loss, RestoreScope
from .view_text import CREATE_VIEW

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def recreate_views(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to create the views again.

    The restore itself does not fold the names of views: from ``CREATE VIEW `Totals` `` it creates ``Totals``, and every
    query looks for ``totals``.
    """
    loss = Loss()
    if scope.level == "table":
        return loss
    statement = "SELECT reldatabase, relname, rel_createsql FROM mo_catalog.mo_tables {at} WHERE relkind = 'v' AND "
    for database, name, create in scope.read(connection, statement + scope.criteria("reldatabase"), past=True):
        if fold(name) != name:
            continue  # left by a restore: nothing finds it
        match = CREATE_VIEW.fullmatch(create)
        if match is None or fold(created := unquote_name(match["name"])) == created:
            continue
        view = scope.name(scope.copy_of(database, name)[0], name)
        loss.statements += [
            f"USE {scope.name(scope.copy_of(database, name)[0])}",
            f"CREATE VIEW IF NOT EXISTS {view}{match['rest'].replace('%', '%%')}",
        ]
    return loss
