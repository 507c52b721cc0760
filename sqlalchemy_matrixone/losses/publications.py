"""Publications of restored objects: the server drops them with the former object, or removes its tables from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.names import fold
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_ALL = "*"


def publish_again(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to publish the restored objects again. Subscribers find publications by their names."""
    loss = Loss()
    for publication in _publications(connection):
        if not _is_affected(scope, publication):
            continue
        if scope.level == "table":
            loss.statements.append(_alter(scope, publication))
        elif publication["sub_account"]:
            loss.statements.append(_create(scope, publication))
        else:
            loss.names.append(f"publication {scope.name(publication['publication'])}, whose accounts no longer exist")
    return loss


def publish_dropped(scope: RestoreScope, connection: Connection) -> Loss:
    """Read which publications may have contained a dropped table: the server has removed it from them."""
    if scope.level != "table":
        return publish_again(scope, connection)
    loss = Loss()
    for publication in _publications(connection):
        tables = list(filter(None, _parts(publication["tables"])))
        if publication["database"] == fold(scope.database) and tables != [_ALL]:
            name = scope.name(publication["publication"])
            listed = ", ".join(map(scope.name, [*tables, fold(scope.table) or ""]))
            loss.names.append(
                f"its place in publication {name}, if it had one: ALTER PUBLICATION {name} TABLE {listed}"
            )
    return loss


def _publications(connection: Connection) -> list[dict[str, Any]]:
    result = connection.exec_driver_sql("SHOW PUBLICATIONS").mappings()
    return [{str(key).lower(): value for key, value in row.items()} for row in result]


def _is_affected(scope: RestoreScope, publication: Mapping[str, Any]) -> bool:
    if scope.level == "account":
        return True
    if publication["database"] != fold(scope.database):
        return False
    return scope.level == "database" or fold(scope.table) in _parts(publication["tables"])


def _alter(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    """Return the statement that gives a publication its tables again, after it has lost one."""
    return f"ALTER PUBLICATION {scope.name(publication['publication'])} {_tables(scope, publication)}"


def _create(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    accounts = _parts(publication["sub_account"])
    comment = publication["comments"]
    return " ".join(
        filter(
            None,
            (
                f"CREATE PUBLICATION {scope.name(publication['publication'])}",
                f"DATABASE {scope.name(publication['database'])}",
                _tables(scope, publication),
                f"ACCOUNT {'ALL' if accounts == [_ALL] else ', '.join(map(scope.name, accounts))}",
                f"COMMENT {scope.text(comment)}" if comment else "",
            ),
        )
    )


def _tables(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    tables = _parts(publication["tables"])
    return "" if tables == [_ALL] else f"TABLE {', '.join(map(scope.name, tables))}"


def _parts(names: str) -> list[str]:
    return names.split(",")
