"""SQLAlchemy's own dialect suite, on a server.

::

    pytest tests/suite -n 1 --dburi matrixone+pymysql://dump:111@127.0.0.1:6001/

With ``-n``, each worker creates separate databases, and drops them at the end. Without it the URL names a
database, and that and two more, ``test_schema`` and ``test_schema_2``, have to be there.
"""

import pytest

import sqlalchemy_matrixone  # noqa: F401  (registers the dialect)

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403
