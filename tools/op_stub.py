"""Write ``sqlalchemy_matrixone/alembic/op.pyi``, by which editors and type checkers know the operations.

    python -m tools.op_stub

Alembic's own ``op`` has such a file as well: at run time it holds proxies, which have no signatures.
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

from alembic.operations import Operations

from sqlalchemy_matrixone.alembic import op, ops

PATH = Path(op.__file__).with_suffix(".pyi")

HEADER = '''"""``alembic.op`` with the recovery operations. Written by ``python -m tools.op_stub``; do not edit."""

from collections.abc import Collection
from typing import Any

from alembic.op import *  # noqa: F403

from ..core.arguments import Timeout, Timestamp
from ..recovery.pitr_range import RangeArgument
from .ops import Database
'''


def stub() -> str:
    """Return the text of the file."""
    operations = [each for each in vars(ops).values() if _is_operation(each)]
    return HEADER + "".join(_definition(each, each.construct.__visit_name__) for each in operations)


def _is_operation(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, ops.RecoveryOp) and "construct" in vars(value)


def _definition(operation: type[ops.RecoveryOp], name: str) -> str:
    signature = inspect.signature(getattr(operation, name))
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "operations"]
    lines: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "    *,\n" not in lines:
            lines.append("    *,\n")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"    {parameter.name}: {parameter.annotation}{default},\n")
    # Alembic moves the docstring of an operation to its method of Operations.
    doc = textwrap.indent(inspect.getdoc(getattr(Operations, name)) or "", "    ").lstrip()
    return f'\ndef {name}(\n{"".join(lines)}) -> None:\n    """{doc}\n    """\n'


if __name__ == "__main__":
    PATH.write_text(stub())
