"""Render the operations as Python code of a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate.render import renderers

from .operations import RecoveryOp

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@renderers.dispatch_for(RecoveryOp)
def _render(context: AutogenContext, op: RecoveryOp) -> str:
    arguments = [] if op.name is None else [repr(op.name)]
    arguments += [f"{keyword}={value!r}" for keyword, value in op.arguments.items()]
    prefix = context.opts.get("alembic_module_prefix") or ""
    return f"{prefix}{op.operation}({', '.join(arguments)})"
