"""The operations as the Python of a migration."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from alembic.autogenerate.render import renderers

from .ops import RecoveryOp

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@renderers.dispatch_for(RecoveryOp)
def _render(context: AutogenContext, op: RecoveryOp) -> str:
    arguments = [] if op.name is None else [repr(op.name)]
    arguments += [f"{keyword}={_literal(context, value)}" for keyword, value in op.arguments.items()]
    prefix = context.opts.get("alembic_module_prefix") or ""
    return f"{prefix}{op.operation}({', '.join(arguments)})"


def _literal(context: AutogenContext, value: Any) -> str:
    if isinstance(value, dt.datetime):
        context.imports.add("import datetime")
        return f"datetime.datetime.fromisoformat({value.isoformat()!r})"
    return repr(value)
