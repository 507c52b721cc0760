"""Let a node of a cluster see what was committed on the others.

Each node (CN) of a cluster learns of the others' commits with a delay. A snapshot that is created on one node right
after a commit on another would miss that commit, and a restore would not find the snapshot. ``synccommit`` asks all
nodes for their last commit, and returns when all of them have seen the newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.refusals import reason_of
from ..core.server import SYS_ACCOUNT, matrixone_dialect
from ..core.warning import warn
from ..exc import Reason, RecoveryWarning

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# A SET, because it does not leave a transaction open.
SEE_ALL_COMMITS = "SET @matrixone_commits = mo_ctl('cn', 'synccommit', '')"


def see_all_commits(connection: Connection) -> None:
    """Make everything that was committed before, on any node, visible to the connection's next statement.

    Only the administrator of the sys account may request that; for others nothing is sent.

    :param connection: one on which nothing has run since its last commit or rollback.
    """
    dialect = matrixone_dialect(connection)
    if dialect.default_account_name != SYS_ACCOUNT:
        return
    with dialect.preserving_clean_state(connection):
        try:
            connection.exec_driver_sql(SEE_ALL_COMMITS)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            if reason_of(error) is not Reason.NOT_PERMITTED:
                warn(
                    "Not all nodes of the cluster could be asked for their last commit; what was committed on another "
                    f"node a moment ago may be missed: {error.orig}",
                    RecoveryWarning,
                )
