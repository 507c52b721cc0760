"""Render statements for which the server would return wrong rows in a form that it understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.release import Feature
from .group_corrections import GroupCorrections
from .join_corrections import JoinCorrections
from .subquery_corrections import SubqueryCorrections
from .windows import warn_of_peers, with_frame

if TYPE_CHECKING:
    from sqlalchemy.sql import elements


class CorrectingCompiler(GroupCorrections, JoinCorrections, SubqueryCorrections):
    """Part of the statement compiler: statements that are written differently because of faults of the server."""

    def visit_over(self, over: elements.Over[Any], **kw: Any) -> str:
        """Render a window function with the frame that it has by default, if the server would take another one."""
        if not self._supports(Feature.WINDOW_PEERS):
            warn_of_peers(over)
        return super().visit_over(with_frame(over), **kw)  # type: ignore[no-any-return, no-untyped-call]
