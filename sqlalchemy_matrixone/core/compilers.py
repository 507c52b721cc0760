"""Common base classes of the parts that the compilers are composed of."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import types
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.dialects.mysql.mysqldb import MySQLCompiler_mysqldb

from .release import NEWEST, Feature, Release
from .server import MatrixOneServer


class DDLCompilerPart(MySQLDDLCompiler):
    """Base of the parts of the DDL compiler. They compile on a plain MySQL dialect as well."""

    @property
    def _server(self) -> MatrixOneServer | None:
        """Return the dialect if it is a MatrixOne dialect."""
        return self.dialect if isinstance(self.dialect, MatrixOneServer) else None

    @property
    def _release(self) -> Release:
        return NEWEST if self._server is None else self._server.server_release

    def _release_for(self, element: Any) -> Release:
        """Return the release for which to compile a construct of this package."""
        known: Release | None = element.release
        return known or self._release

    def _name(self, name: str | None) -> str:
        """Return a name in quotes, always, because the reserved words differ between releases."""
        assert name is not None
        return self.preparer.quote_identifier(name)

    def _text(self, text: str) -> str:
        """Return a string literal."""
        return self.sql_compiler.render_literal_value(text, types.String())


class StatementCompilerPart(MySQLCompiler_mysqldb):
    """Base of the parts of the statement compiler."""

    @property
    def _server(self) -> MatrixOneServer:
        return cast("MatrixOneServer", self.dialect)

    def _supports(self, feature: Feature) -> bool:
        return self._server.supports(feature)

    def _text(self, text: str) -> str:
        """Return a string literal."""
        return self.render_literal_value(text, types.String())


def words(*given: str) -> str:
    """Join the parts of a statement, omitting empty ones."""
    return " ".join(filter(None, given))
