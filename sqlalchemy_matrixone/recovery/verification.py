"""Compare the result of a restore with what was to be restored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..core.release import Feature
from ..core.server import matrixone_dialect
from ..exc import Reason, RestoreError
from .contents import DEFAULT, Contents, Fact, differences, read_contents

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope

_SHOWN = 20
_INTERVAL = 0.2  # seconds between two comparisons
_PATIENCE = 3  # how often to compare again
_PATIENCE_IF_MISSING = 50


class Verification:
    """The comparison of a scope's contents after a restore with its contents at the restored point in time.

    The historical contents are read before the restore.
    """

    def __init__(self, connection: Connection, scope: RestoreScope, lose: frozenset[str]) -> None:
        """Read the contents to restore.

        :param lose: the kinds of things that may be missing.
        """
        self._scope = scope
        self._lose = lose
        with matrixone_dialect(connection).preserving_clean_state(connection):
            self._expected = self._kept(read_contents(connection, scope, past=True, rows=True))

    def compare(self, connection: Connection) -> None:
        """Compare the current contents with those that were to be restored.

        :raises RestoreError: with reason incomplete, if something differs.
        """
        differing = self._visible_differences(connection)
        if differing:
            more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
            raise RestoreError(
                f"The restore was carried out, but its result differs: {'; '.join(differing[:_SHOWN])}{more}. If "
                "nobody has written to it since, restore it again, or from another snapshot or moment.",
                Reason.INCOMPLETE,
                done=True,
            )

    def _visible_differences(self, connection: Connection) -> list[str]:
        """Return the differences that remain once the restore is visible.

        Before 3.0 it may become visible to accounts other than sys only seconds after it has ended.
        """
        differing, compared = self._differences(connection), 0
        while differing and not self._scope.supports(Feature.CLONE) and compared < _patience(differing):
            time.sleep(_INTERVAL)
            differing, compared = self._differences(connection), compared + 1
        return differing

    def _differences(self, connection: Connection) -> list[str]:
        with matrixone_dialect(connection).preserving_clean_state(connection):
            found = self._kept(read_contents(connection, self._scope, past=False, rows=True))
        return list(differences(self._expected, found))

    def _kept(self, contents: Contents) -> Contents:
        return {fact: value for fact, value in contents.items() if not self._may_be_missing(fact)}

    def _may_be_missing(self, fact: Fact) -> bool:
        # A RestoreWarning reports external tables.
        lost = {"sequence": "sequences", DEFAULT: "defaults"}
        return fact.kind == "external table" or lost.get(fact.kind) in self._lose


def _patience(differing: list[str]) -> int:
    return _PATIENCE_IF_MISSING if any(difference.endswith("is missing") for difference in differing) else _PATIENCE
