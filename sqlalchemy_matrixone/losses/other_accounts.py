"""What a restore by sys loses in other accounts, as far as sys can read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.release import Feature
from .tables import name_external_tables
from .texts import DEFAULTS, DEFINITIONS, special_texts
from .views import recreate_views

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .scope import RestoreScope


def kinds_at_risk(scope: RestoreScope, connection: Connection, lose: frozenset[str]) -> list[str]:
    """Return the kinds of things that may be lost in the accounts of a scope.

    Only an account itself can read its privileges and indexes, so that these kinds are never ruled out.

    :param lose: the kinds of things to leave to the server.
    """
    kinds = ["grants"]
    if not scope.supports(Feature.VECTOR_INDEXES_KEPT_BY_RESTORE) and scope.supports(Feature.CLONE):
        kinds.append("vector_indexes")
    if scope.read(connection, f"SELECT 1 FROM mo_catalog.mo_pubs WHERE {scope.accounts} LIMIT 1"):
        kinds.append("publications")
    pitrs = f"SELECT 1 FROM mo_catalog.mo_pitr WHERE level IN ('database', 'table') AND {scope.accounts} LIMIT 1"
    if scope.read(connection, pitrs):
        kinds.append("active_PITRs")
    if recreate_views(scope, connection).statements:
        kinds.append("views")
    if name_external_tables(scope, connection).names:
        kinds.append("external_tables")
    texts = {text.kind for text in special_texts(scope, connection, lose)}
    kinds += [DEFAULTS] if "default" in texts else []
    kinds += [DEFINITIONS] if texts - {"default"} else []
    return [kind for kind in kinds if kind not in lose]
