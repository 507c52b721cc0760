"""Compose the DDL compiler from the parts that the features provide, and make it available to plain MySQL dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler

from ..accounts.compiler import AccountDDLCompiler
from ..branches.compiler import BranchDDLCompiler
from ..recovery.compiler import RecoveryDDLCompiler
from ..recovery.constructs import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RecoveryDDL,
    RestorePitr,
    RestoreSnapshot,
)
from .table_ddl import MatrixOneTableDDLCompiler

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class MatrixOneDDLCompiler(RecoveryDDLCompiler, BranchDDLCompiler, AccountDDLCompiler, MatrixOneTableDDLCompiler):
    """Compile MatrixOne DDL and the statements that are specific to MatrixOne."""

    @classmethod
    def for_dialect(cls, dialect: Dialect, **kw: Any) -> MatrixOneDDLCompiler:
        """Return a compiler without a statement, for compiling parts of statements."""
        return cls(dialect, cast(Any, None), **kw)


def _compile_on_mysql(element: RecoveryDDL, compiler: DDLCompiler, **kw: Any) -> str:
    """Compile a construct on a dialect named mysql, so that an application can use it before it changes its URL."""
    own = MatrixOneDDLCompiler.for_dialect(compiler.dialect, schema_translate_map=compiler.schema_translate_map)
    visit = getattr(own, f"visit_{element.__visit_name__}")
    return str(visit(element, **kw))


for construct in (CreateSnapshot, DropSnapshot, CreatePitr, AlterPitr, DropPitr, RestoreSnapshot, RestorePitr):
    compiles(construct, "mysql", "mariadb")(_compile_on_mysql)
