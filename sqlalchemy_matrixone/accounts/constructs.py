"""Create, alter and drop accounts, without showing passwords anywhere.

The server executes these statements immediately, and refuses them in a transaction. Only the sys account may use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from sqlalchemy import exc

from ..core.arguments import check_choice, check_flag, check_is_name, check_object_name
from ..core.refusals import reason_of
from ..core.server import OUTSIDE_TRANSACTION, matrixone_dialect
from ..core.statement import MatrixOneDDL
from ..exc import AccountError, MatrixOneArgumentError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.sqlalchemy_internals import Execute

Status = Literal["open", "suspend", "restricted"]


class Secret(str):
    """A string that logs and messages do not show, because SQLAlchemy writes the ``repr()`` of parameters there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _check_password(password: Any) -> Secret:
    if not isinstance(password, str) or not password:
        raise MatrixOneArgumentError("password= is empty or not a str")
    return Secret(password)


def _check_comment(comment: Any) -> str | None:
    if comment is not None and not isinstance(comment, str):
        raise MatrixOneArgumentError(f"comment={comment!r} is not a str")
    return comment


class AccountDDL(MatrixOneDDL):
    """Base of the constructs.

    :ivar password: a parameter of the statement, so that the text of the statement does not contain it.
    """

    error = AccountError
    password: Secret | None = None

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the statement with the password as a bound parameter, so that it is not part of the SQL."""
        compiled = self.compile(dialect=matrixone_dialect(connection), compile_kwargs={"password_as": "%s"})
        parameters = () if self.password is None else (self.password,)
        try:
            return connection.exec_driver_sql(
                str(compiled), parameters, execution_options={**options, OUTSIDE_TRANSACTION: self.error}
            )
        except exc.DBAPIError as error:
            if self.password is not None and self.password in str(error.orig):
                self._raise_without_password(error, self.password)
            raise

    def _raise_without_password(self, error: exc.DBAPIError, password: Secret) -> NoReturn:
        """Raise an error that quotes the statement, but without the password and without the original as its cause."""
        message = str(error.orig).replace(str(password), "***")
        raise self.error(f"{self.operation}: {message}", reason_of(error)) from None


class CreateAccount(AccountDDL):
    """``CREATE ACCOUNT``: create a tenant with its own administrator.

    ::

        connection.execute(CreateAccount("acc2", admin_name="admin", password=password, if_not_exists=True))
        connection.execute(RestoreSnapshot("nightly", account="acc1", to_account="acc2"))

    Takes effect immediately, and a rollback does not undo it. The password is a parameter of the statement: ``print()``
    of the construct, logs (including ``echo=True``) and errors show ``'***'``. So does a script that Alembic prints
    with ``--sql``, where it must be filled in. Any release; the sys account only.

    :param name: the account's name. The server folds it to lower case.
    :param admin_name: the name of the administrator.
    :param password: the administrator's password.
    :param comment: a comment that SHOW ACCOUNTS displays.
    :param suspended: create it suspended, so that nobody can log in.
    :param if_not_exists: do nothing if an account of that name exists.
    :raises MatrixOneArgumentError: if a name is invalid, or the password is empty.
    :raises AccountError: when executed, if the server refuses it; with reason active_transaction before it is sent, if
        something has run since the last commit or rollback.
    """

    __visit_name__ = "create_account"

    def __init__(
        self,
        name: str,
        *,
        admin_name: str,
        password: str,
        comment: str | None = None,
        suspended: bool = False,
        if_not_exists: bool = False,
    ) -> None:
        check_object_name("name", name)
        self.name = name
        self.admin_name = check_is_name("admin_name", admin_name)
        self.password = _check_password(password)
        self.comment = _check_comment(comment)
        self.suspended = check_flag("suspended", suspended)
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)


class AlterAccount(AccountDDL):
    """``ALTER ACCOUNT``: change one property of an account: its administrator's password, its status or its comment.

    ::

        connection.execute(AlterAccount("acc2", status="suspend"))
        connection.execute(AlterAccount("acc2", admin_name="admin", password=password))

    Takes effect immediately, and a rollback does not undo it. The password is shown nowhere, as in
    :class:`CreateAccount`.
    Any release; the sys account only.

    :param name: the account's name.
    :param admin_name: the administrator whose password is changed.
    :param password: the new password.
    :param status: ``"open"``; ``"suspend"``, so that nobody can log in; or ``"restricted"``, so that nothing can be
        written.
    :param comment: the new comment.
    :param if_exists: do nothing if there is no such account.
    :raises MatrixOneArgumentError: if not exactly one property is to be changed.
    :raises AccountError: when executed, as for :class:`CreateAccount`.
    """

    __visit_name__ = "alter_account"

    def __init__(
        self,
        name: str,
        *,
        admin_name: str | None = None,
        password: str | None = None,
        status: Status | None = None,
        comment: str | None = None,
        if_exists: bool = False,
    ) -> None:
        check_object_name("name", name)
        if (admin_name is None) != (password is None):
            raise MatrixOneArgumentError("admin_name= and password= must be passed together")
        if sum(given is not None for given in (password, status, comment)) != 1:
            raise MatrixOneArgumentError("pass one change: admin_name= with password=, status=, or comment=")
        if status is not None:
            check_choice("status", status, ("open", "suspend", "restricted"))
        self.name = name
        self.admin_name = None if admin_name is None else check_is_name("admin_name", admin_name)
        self.password = None if password is None else _check_password(password)
        self.status = status
        self.comment = _check_comment(comment)
        self.if_exists = check_flag("if_exists", if_exists)


class DropAccount(AccountDDL):
    """``DROP ACCOUNT``: drop a tenant with all its databases.

    ::

        connection.execute(DropAccount("acc2", if_exists=True))

    Takes effect immediately, and a rollback does not undo it. Snapshots and PITRs that sys has of the account can still
    be restored to another account. Any release; the sys account only.

    :param name: the account's name.
    :param if_exists: do nothing if there is no such account.
    :raises AccountError: when executed, as for :class:`CreateAccount`.
    """

    __visit_name__ = "drop_account"

    def __init__(self, name: str, *, if_exists: bool = False) -> None:
        check_object_name("name", name)
        self.name = name
        self.if_exists = check_flag("if_exists", if_exists)
