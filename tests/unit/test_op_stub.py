"""The stub of ``sqlalchemy_matrixone.alembic.op`` for editors and type checkers."""

from __future__ import annotations

import ast

from sqlalchemy_matrixone.alembic import op
from tools import op_stub

TEMPLATE_IMPORT = "from sqlalchemy_matrixone.alembic import op\n"


def test_op_stub_is_that_of_the_operations() -> None:
    written = ast.dump(ast.parse(op_stub.PATH.read_text()))
    assert written == ast.dump(ast.parse(op_stub.stub())), "run python -m tools.op_stub"


def test_op_stub_names_what_op_has_at_run_time() -> None:
    defined = [node.name for node in ast.parse(op_stub.PATH.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert "create_pitr" in defined
    assert all(callable(getattr(op, name)) for name in defined)


def test_op_stub_shows_the_documentation_of_an_operation() -> None:
    functions = [node for node in ast.parse(op_stub.PATH.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert all("proxied" not in (ast.get_docstring(function) or "proxied") for function in functions)
