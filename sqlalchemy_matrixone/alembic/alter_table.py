"""Render the ALTER TABLE constructs of Alembic that MatrixOne writes differently from MySQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from alembic.ddl.base import alter_table, format_column_name, format_server_default
from alembic.ddl.mysql import MySQLAlterDefault, MySQLChangeColumn, MySQLModifyColumn
from sqlalchemy import types
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from ..core.kept_text import check_kept

# A function call, except those for the current time, which need no parentheses.
_EXPRESSION = re.compile(r"(?!now\(|current_\w+\(|localtime)\w+\(.*\)", re.I | re.S)


def as_rendered_for_matrixone(construct: Any) -> Any:
    """Return a construct of Alembic, wrapped if its syntax on MatrixOne differs from MySQL's."""
    return _Rendered(construct) if type(construct) in _RENDERERS else construct


class _Rendered(ExecutableDDLElement):
    """A construct of Alembic that is rendered by this module.

    Alembic itself would render the construct in MySQL's form if the dialect is named mysql.
    """

    def __init__(self, element: Any) -> None:
        self.element = element


@compiles(_Rendered)
def _compile(element: _Rendered, compiler: DDLCompiler, **kw: Any) -> str:
    return _RENDERERS[type(element.element)](element.element, compiler)


def _alter_default(element: MySQLAlterDefault, compiler: DDLCompiler) -> str:
    change = "DROP DEFAULT" if element.default is None else f"SET DEFAULT {_default(compiler, element.default)}"
    return f"{_alter_table(element, compiler)} ALTER COLUMN {_column(compiler, element.column_name)} {change}"


def _modify_column(element: MySQLModifyColumn, compiler: DDLCompiler) -> str:
    column = _column(compiler, element.column_name)
    return f"{_alter_table(element, compiler)} MODIFY {column} {_specification(element, compiler)}"


def _change_column(element: MySQLChangeColumn, compiler: DDLCompiler) -> str:
    columns = f"{_column(compiler, element.column_name)} {_column(compiler, element.newname)}"
    return f"{_alter_table(element, compiler)} CHANGE {columns} {_specification(element, compiler)}"


def _alter_table(element: Any, compiler: DDLCompiler) -> str:
    return alter_table(compiler, element.table_name, element.schema)


def _column(compiler: DDLCompiler, name: Any) -> str:
    return str(format_column_name(compiler, name))


def _default(compiler: DDLCompiler, default: Any) -> str:
    """Render a default as in CREATE TABLE, with an expression in parentheses."""
    rendered = str(format_server_default(compiler, default))
    return f"({rendered})" if _EXPRESSION.fullmatch(rendered) else rendered


def _specification(element: MySQLChangeColumn, compiler: DDLCompiler) -> str:
    """Render the full column specification, because MODIFY and CHANGE reset what they omit."""
    words = [compiler.dialect.type_compiler_instance.process(element.type_)]
    words.append("NULL" if element.nullable else "NOT NULL")
    if element.autoincrement:
        words.append("AUTO_INCREMENT")
    if element.default is not None and element.default is not False:
        words.append(f"DEFAULT {_default(compiler, element.default)}")
    if element.comment:
        check_kept(element.comment, "comment")
        words.append(f"COMMENT {compiler.sql_compiler.render_literal_value(element.comment, types.String())}")
    return " ".join(words)


_RENDERERS: dict[type[Any], Callable[[Any, DDLCompiler], str]] = {
    MySQLAlterDefault: _alter_default,
    MySQLModifyColumn: _modify_column,
    MySQLChangeColumn: _change_column,
}
