"""The logger of the migrations."""

from __future__ import annotations

import logging

# A child of Alembic's own logger, so that its usual configuration shows these messages.
log = logging.getLogger("alembic.matrixone")
