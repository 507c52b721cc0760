"""What Alembic's test suite may ask of a MatrixOne server, besides what SQLAlchemy's asks."""

from __future__ import annotations

from alembic.testing.requirements import SuiteRequirements as AlembicRequirements

from .. import requirements
from ..requirements import _no, _yes


class Requirements(requirements.Requirements, AlembicRequirements):
    """Both suites' answers; SQLAlchemy's first, where both ask."""

    fk_ondelete_is_reflected = fk_onupdate_is_reflected = reflects_fk_options = _yes
    autoincrement_on_composite_pk = autocommit_isolation = _yes
    identity_columns = identity_columns_alter = requirements.Requirements.identity_columns
    fk_initially = fk_deferrable = fk_deferrable_is_reflected = requirements.Requirements.deferrable_fks
    foreign_key_match = _no("MATCH is not reported")
