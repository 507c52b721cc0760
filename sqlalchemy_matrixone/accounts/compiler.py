"""Compile the account constructs to SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.compilers import DDLCompilerPart, words

if TYPE_CHECKING:
    from .constructs import AlterAccount, CreateAccount, DropAccount


class AccountDDLCompiler(DDLCompilerPart):
    """Part of the DDL compiler: accounts."""

    def visit_create_account(self, create: CreateAccount, **kw: Any) -> str:
        return words(
            "CREATE ACCOUNT",
            "IF NOT EXISTS" if create.if_not_exists else "",
            self._name(create.name),
            self._administrator(create, **kw),
            "SUSPEND" if create.suspended else "",
            self._comment(create),
        )

    def visit_alter_account(self, alter: AlterAccount, **kw: Any) -> str:
        return words(
            "ALTER ACCOUNT",
            "IF EXISTS" if alter.if_exists else "",
            self._name(alter.name),
            self._administrator(alter, **kw) if alter.password is not None else "",
            alter.status.upper() if alter.status is not None else "",
            self._comment(alter),
        )

    def visit_drop_account(self, drop: DropAccount, **kw: Any) -> str:
        return words("DROP ACCOUNT", "IF EXISTS" if drop.if_exists else "", self._name(drop.name))

    def _administrator(self, element: CreateAccount | AlterAccount, *, password_as: str = "'***'", **kw: Any) -> str:
        """Return the clause for the administrator.

        :param password_as: what to render in place of the password.
        """
        return f"ADMIN_NAME {self._text(element.admin_name or '')} IDENTIFIED BY {password_as}"

    def _comment(self, element: CreateAccount | AlterAccount) -> str:
        return "" if element.comment is None else f"COMMENT {self._text(element.comment)}"
