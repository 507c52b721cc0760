"""Write ``sqlalchemy_matrixone/alembic/op.pyi``, by which editors and type checkers know the operations.

    python -m tools.op_stub

Alembic's own ``op`` has such a file as well: at run time it holds proxies, which have no signatures.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.operations import Operations

from sqlalchemy_matrixone.alembic import op
from sqlalchemy_matrixone.alembic.operations import OPERATIONS, RecoveryOp

PATH = Path(op.__file__).with_suffix(".pyi")

HEADER = '''"""``alembic.op`` with the recovery operations. Written by ``python -m tools.op_stub``; do not edit."""

from collections.abc import Collection

from alembic.op import *  # noqa: F403

from ..core.arguments import TableArgument, Timeout, Timestamp
from ..recovery.pitr_range import RangeArgument
from .operations import Database
'''

DEFAULTS = {"bool": False, "Collection[str]": ()}
"""The defaults of the keywords by their types; None for all others."""


def stub() -> str:
    """Return the text of the file."""
    return HEADER + "".join(_definition(each, each.construct.__visit_name__) for each in OPERATIONS)


def _definition(operation: type[RecoveryOp], name: str) -> str:
    lines: list[str] = []
    for parameter in _parameters(operation, name):
        if parameter.kind is parameter.KEYWORD_ONLY and "    *,\n" not in lines:
            lines.append("    *,\n")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"    {parameter.name}: {parameter.annotation}{default},\n")
    # Alembic moves the docstring of an operation to its method of Operations.
    doc = textwrap.indent(inspect.getdoc(getattr(Operations, name)) or "", "    ").lstrip()
    return f'\ndef {name}(\n{"".join(lines)}) -> None:\n    """{doc}\n    """\n'


def _parameters(operation: type[RecoveryOp], name: str) -> Iterator[inspect.Parameter]:
    """Yield the parameters of an operation, with the keywords in its ``**options`` written out."""
    for parameter in inspect.signature(getattr(operation, name)).parameters.values():
        if parameter.name != "operations" and parameter.kind is not parameter.VAR_KEYWORD:
            yield parameter
    for keyword, annotation in operation.options.__annotations__.items():
        yield _keyword(keyword, annotation.__forward_arg__)


def _keyword(name: str, annotation: str) -> inspect.Parameter:
    default: Any = True if name == "commit_first" else DEFAULTS.get(annotation)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


if __name__ == "__main__":
    PATH.write_text(stub())
