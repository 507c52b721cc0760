"""Texts with quotes or backslashes in definitions: some releases change them when they copy a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.names import readable
from ..core.release import Feature
from .default_text import default_in_hex, default_value, doubles_quotes
from .scope import Loss, Text, Texts
from .view_text import definition_of, names_database, of_other_database, strings, with_strings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .scope import RestoreScope

DEFAULTS = "defaults"
DEFINITIONS = "definitions"

_SPECIAL = frozenset("'\"`\\")
_COLUMNS = (
    "SELECT att_database, att_relname, attname, mo_show_visible_bin(att_default, 1), att_comment, attr_enum "
    "FROM mo_catalog.mo_columns {at} WHERE (att_default <> '' OR att_comment <> '' OR attr_enum <> '') AND "
)
_TABLES = (
    "SELECT reldatabase, relname, relkind, rel_comment, rel_createsql FROM mo_catalog.mo_tables {at} "
    "WHERE (rel_comment <> '' OR relkind = 'v') AND "
)


def special_texts(scope: RestoreScope, connection: Connection, lose: frozenset[str]) -> Texts:
    """Return the texts that the copy of a table may change, before it is copied.

    :param lose: the kinds of things to leave to the server.
    """
    return {
        text: value
        for text, value in _read(scope, connection, lose, past=True).items()
        if _is_special(scope, text, value)
    }


def _is_special(scope: RestoreScope, text: Text, value: str) -> bool:
    if text.kind == "query":
        # Comments are removed, in strings too. Before 4.2 a clone replaces its database's name anywhere in the text.
        in_strings = any("\\" in each or "/*" in each for each in strings(value))
        return in_strings or (scope.copy is not None and names_database(value, text.database))
    # A default is a literal, with quotes around it.
    return not _SPECIAL.isdisjoint(value[1:-1] if text.kind == "default" else value)


def _read(scope: RestoreScope, connection: Connection, lose: frozenset[str], *, past: bool) -> Texts:
    if {DEFAULTS, DEFINITIONS} <= lose:
        return {}
    texts: Texts = {}
    for database, table, column, *values in scope.read(
        connection, _COLUMNS + scope.criteria("att_database", "att_relname"), past=past
    ):
        for kind, value in zip(("default", "comment", "values"), values, strict=True):
            if value and (DEFAULTS if kind == "default" else DEFINITIONS) not in lose:
                texts[Text(kind, database, table, column)] = value
    if DEFINITIONS not in lose:
        for row in scope.read(connection, _TABLES + scope.criteria("reldatabase", "relname"), past=past):
            texts |= _of_table(*row)
    return texts


def _of_table(database: str, table: str, kind: str, comment: str, statement: str) -> Texts:
    texts = {Text("comment", database, table): comment} if comment else {}
    if kind == "v" and (definition := definition_of(statement)) is not None:
        texts[Text("query", database, table)] = definition
    return texts


def restore_texts(scope: RestoreScope, connection: Connection, before: Texts) -> Loss:
    """Return how to set back the texts that have changed, after the tables were copied."""
    loss = Loss()
    if not before:
        return loss
    database, table = scope.copy_of(scope.database or "", scope.table or "")
    copied = replace(scope, database=database, table=table, copy=None)
    after = _read(copied, connection, frozenset(), past=False)
    for text, value in before.items():
        name = scope.copy_of(text.database, text.table)
        found = after.get(text._replace(database=name[0], table=name[1]), "")
        if found == value and text.kind != "query":
            continue
        if text.kind == "query":
            loss.names += _compare_views(scope, text, name, value, found)
        elif text.kind == "comment" and text.column is None:
            loss.statements.append(f"ALTER TABLE {scope.name(*name)} COMMENT = {scope.text(value)}")
        else:
            loss.names.append(_describe(scope, text, name, value, found))
    return loss


def _compare_views(scope: RestoreScope, text: Text, name: tuple[str, str], value: str, found: str) -> list[str]:
    """Return what has become of a view, with the statement that sets it back.

    The server writes the query in its own words (4.2), and names the copy's database in it.
    """
    if found and strings(found) == strings(value) and _moved(found, scope, text, name) == found:
        return []
    is_copy = name[0] != text.database
    wanted = _moved(with_strings(found, value), scope, text, name) if is_copy else value
    # A name without a database means the current one, not that of the view.
    use = f"USE {scope.name(name[0])}; " if is_copy else ""
    view = scope.name(*name)
    what = "has a changed query" if found else "is missing"
    return [f"the view {view} {what}: {use}CREATE OR REPLACE VIEW {view}{wanted.replace('%', '%%')}"]


def _moved(definition: str, scope: RestoreScope, text: Text, name: tuple[str, str]) -> str:
    """Return a definition that names the copy's database instead of its source."""
    if name[0] == text.database:
        return definition
    return of_other_database(definition, text.database, readable(scope.name(name[0])))


def _describe(scope: RestoreScope, text: Text, name: tuple[str, str], value: str, found: str) -> str:
    column = scope.name(text.column or "")
    if text.kind == "default":
        value, found = value.replace("%", "%%"), found.replace("%", "%%")
        return (
            f"the default of {scope.name(*name)}.{column} has become {found}: ALTER TABLE {scope.name(*name)} "
            f"ALTER COLUMN {column} SET DEFAULT {_as_written(scope, value)}"
        )
    rows = ", and the rows with them show the changed ones" if text.kind == "values" else ""
    return (
        f"the {text.kind} of {scope.name(*name)}.{column} ha{'ve' if text.kind == 'values' else 's'} become "
        f"{scope.text(found)} instead of {scope.text(value)}{rows}"
    )


def _as_written(scope: RestoreScope, default: str) -> str:
    """Return a default of the catalog as ALTER TABLE takes it."""
    if doubles_quotes(scope) and (text := default_value(default)) is not None:
        return default_in_hex(scope, text)
    if scope.supports(Feature.DEFAULTS_WITH_DOUBLED_QUOTES):
        return f"({default})"
    return "'" + default[1:-1].replace("'", "''") + "'" if default.startswith("'") else default
