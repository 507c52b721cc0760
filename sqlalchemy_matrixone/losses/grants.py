"""Privileges on restored objects: the server grants them on an object's id, which a restore changes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ..core.release import Feature
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_GRANTS = (
    "SELECT role_name, obj_type, obj_id, privilege_name, with_grant_option "
    "FROM mo_catalog.mo_role_privs {at} WHERE obj_id <> 0 AND obj_type IN ('database', 'table', 'view')"
)


class _Object(NamedTuple):
    """A database, or a table or view in a database."""

    database: str
    table: str | None = None


class _Grant(NamedTuple):
    role: str
    kind: str
    object_id: int
    privilege: str
    with_grant_option: bool

    @property
    def words(self) -> str:
        """Return the privilege as GRANT spells it: ``ALL`` for what the catalog calls ``table all``."""
        whole = self.privilege in (f"{self.kind} all", f"{self.kind} ownership")
        return (self.privilege.removeprefix(f"{self.kind} ") if whole else self.privilege).upper()


def grant_again(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the GRANT statements for the restored objects."""
    # A restore of the account also restores the rows of this table, with the former ids.
    rows = scope.read(connection, _GRANTS, past=scope.level == "account")
    grants = [_Grant._make((*row[:4], row[4] in (1, "true"))) for row in rows]
    objects = _objects(scope, connection) if grants else {}
    return Loss(_statements(scope, grants, objects))


def _statements(scope: RestoreScope, grants: list[_Grant], objects: dict[int, _Object]) -> list[str]:
    together: defaultdict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for grant in grants:
        if grant.object_id in objects:
            on = _on(scope, grant, objects[grant.object_id])
            together[on, grant.role, grant.with_grant_option].append(grant.words)
    return [
        f"GRANT {', '.join(dict.fromkeys(privileges))} ON {on} TO {scope.name(role)}"
        + (" WITH GRANT OPTION" if with_grant_option else "")
        for (on, role, with_grant_option), privileges in together.items()
    ]


def grants_of_copy(scope: RestoreScope, connection: Connection) -> list[str]:
    """Read the GRANT statements that give a copy the privileges of its source."""
    rows = scope.read(connection, _GRANTS)
    grants = [_Grant._make((*row[:4], row[4] in (1, "true"))) for row in rows]
    return _statements(scope, grants, _ids(scope, connection, past=True) if grants else {})


def _objects(scope: RestoreScope, connection: Connection) -> dict[int, _Object]:
    """Return the objects, by id, whose grants the restored objects should have.

    Grants outlive their object. They are therefore those of the object that is restored, unless revoked since, and
    those of the object that it replaces.
    """
    source = _ids(scope, connection, past=True)
    if scope.level == "account":
        return source
    restored = set(source.values())
    present = _ids(scope, connection, past=False)
    return source | {number: name for number, name in present.items() if name in restored}


def _ids(scope: RestoreScope, connection: Connection, *, past: bool) -> dict[int, _Object]:
    # Before 4.1, ALTER TABLE, TRUNCATE and DELETE without WHERE lose the grants too.
    number = "rel_logical_id" if scope.supports(Feature.LOGICAL_TABLE_ID) else "rel_id"
    tables = f"SELECT {number}, reldatabase, relname FROM mo_catalog.mo_tables {{at}} WHERE "
    tables += scope.criteria("reldatabase", "relname")
    ids = {int(row[0]): _Object(*row[1:]) for row in scope.read(connection, tables, past=past)}
    if scope.level != "table":
        databases = f"SELECT dat_id, datname FROM mo_catalog.mo_database {{at}} WHERE {scope.criteria('datname')}"
        ids |= {int(row[0]): _Object(row[1]) for row in scope.read(connection, databases, past=past)}
    return ids


def _on(scope: RestoreScope, grant: _Grant, granted: _Object) -> str:
    database, table = scope.copy_of(granted.database, granted.table or "")
    if grant.kind == "database":
        return f"DATABASE {scope.name(database)}"
    if granted.table is None:  # all tables of the database
        return f"{grant.kind.upper()} {scope.name(database)}.*"
    return f"{grant.kind.upper()} {scope.name(database, table)}"
