"""Compare the result of a restore with what was to be restored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.server import matrixone_dialect
from ..exc import Reason, RestoreError
from .contents import DEFAULT, Contents, Difference, Fact, differences, read_contents

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope

_SHOWN = 20


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

    def compare(self, connection: Connection, changed: Sequence[str] = ()) -> None:
        """Compare the current contents with those that were to be restored.

        :param changed: the definitions that the server is known to have changed, each with what to do.
        :raises RestoreError: with reason incomplete, if something differs.
        """
        differing = self._differences(connection)
        if differing:
            texts = list(map(str, differing))
            more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
            raise RestoreError(
                f"The restore was carried out, but its result differs: {'; '.join(texts[:_SHOWN])}{more}. "
                f"{_advice(differing, changed)}",
                Reason.INCOMPLETE,
                done=True,
            )

    def _differences(self, connection: Connection) -> list[Difference]:
        with matrixone_dialect(connection).preserving_clean_state(connection):
            found = self._kept(read_contents(connection, self._scope, past=False, rows=True))
        return list(differences(self._expected, found))

    def _kept(self, contents: Contents) -> Contents:
        return {fact: value for fact, value in contents.items() if not self._may_be_missing(fact)}

    def _may_be_missing(self, fact: Fact) -> bool:
        # A RestoreWarning reports external tables.
        lost = {"sequence": "sequences", DEFAULT: "defaults"}
        return fact.kind == "external table" or lost.get(fact.kind) in self._lose


def _advice(differing: Sequence[Difference], changed: Sequence[str]) -> str:
    again = "If nobody has written to it since, restore it again, or restore another snapshot or point in time."
    if not changed:
        return again
    set_back = f"Another restore would change this again. Set it back: {'; '.join(changed)}."
    return set_back if all(each.fact.kind == DEFAULT for each in differing) else f"{set_back} {again}"
