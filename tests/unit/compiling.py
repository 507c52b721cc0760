"""Compile constructs for a release of MatrixOne."""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing import AssertsCompiledSQL

from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql


def dialect(release: str = "4.2.0") -> MatrixOneDialect_pymysql:
    return MatrixOneDialect_pymysql(server_version=release)


def assert_compile(clause: Any, expected: str, release: str = "4.2.0", **kw: Any) -> None:
    """Assert what a construct is sent as, with newlines taken out, by SQLAlchemy's own helper."""
    kw.setdefault("dialect", dialect(release))
    kw.setdefault("render_postcompile", True)
    AssertsCompiledSQL().assert_compile(clause, expected, **kw)


def compiled(clause: Any, release: str = "4.2.0", **kw: Any) -> Any:
    return clause.compile(dialect=dialect(release), **kw)


def sql(clause: Any, release: str = "4.2.0", **kw: Any) -> str:
    """Return what a construct is sent as, in one line, for assertions about a part of it."""
    kw.setdefault("compile_kwargs", {"render_postcompile": True})
    return " ".join(str(compiled(clause, release, **kw)).split())
