"""What Alembic's test suite may ask of a MatrixOne server, besides what SQLAlchemy's asks."""

from __future__ import annotations

from alembic.testing.requirements import SuiteRequirements as AlembicRequirements
from sqlalchemy.testing import exclusions

from .. import requirements


def _no(reason: str) -> exclusions.compound:
    return exclusions.skip_if(lambda config: True, reason)  # type: ignore[no-untyped-call, no-any-return]


class Requirements(requirements.Requirements, AlembicRequirements):
    """Both suites' answers; SQLAlchemy's first, where both ask."""

    fk_ondelete_is_reflected = fk_onupdate_is_reflected = reflects_fk_options = exclusions.open()
    autoincrement_on_composite_pk = autocommit_isolation = exclusions.open()
    identity_columns = identity_columns_alter = _no("MatrixOne has AUTO_INCREMENT, not IDENTITY")
    fk_initially = fk_deferrable = _no("MatrixOne has no deferred foreign keys")
    foreign_key_match = _no("MatrixOne does not report MATCH")
