"""The features of a MatrixOne server that Alembic's test suite may use, in addition to those for SQLAlchemy's."""

from __future__ import annotations

from alembic.testing.requirements import SuiteRequirements as AlembicRequirements

from .. import requirements
from ..requirements import _no, _yes


class Requirements(requirements.Requirements, AlembicRequirements):
    """The requirements of both suites. Those of SQLAlchemy take precedence."""

    fk_ondelete_is_reflected = fk_onupdate_is_reflected = reflects_fk_options = _yes
    autoincrement_on_composite_pk = autocommit_isolation = _yes
    identity_columns = identity_columns_alter = requirements.Requirements.identity_columns
    fk_initially = fk_deferrable = fk_deferrable_is_reflected = requirements.Requirements.deferrable_fks
    foreign_key_match = _no("MATCH is not reported")
