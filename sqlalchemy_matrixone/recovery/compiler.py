"""Compile the recovery constructs to SQL, in the grammar of the server's release."""

from __future__ import annotations

from typing import Any

from ..core.compilers import DDLCompilerPart, words
from ..core.names import fold
from ..core.release import Feature, format_release
from ..core.server import SYS_ACCOUNT
from ..exc import MatrixOneArgumentError, MatrixOneCompileError
from .constructs import (
    AlterPitr,
    CloneOfPast,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RestorePitr,
    RestoreSnapshot,
)
from .resolve import fraction_of_second
from .target import RecoveryTarget

# Placeholders that str() shows for values that only a connection knows.
_UNKNOWN_DATABASE = "<database>"


class RecoveryDDLCompiler(DDLCompilerPart):
    """Part of the DDL compiler: recovery statements."""

    def visit_create_snapshot(self, create: CreateSnapshot, **kw: Any) -> str:
        return words(
            "CREATE SNAPSHOT",
            "IF NOT EXISTS" if create.if_not_exists else "",
            self._name(create.name),
            "FOR",
            self.target(create.recovery_target, **kw),
            self._publication(create),
        )

    def visit_drop_snapshot(self, drop: DropSnapshot, **kw: Any) -> str:
        return words("DROP SNAPSHOT", "IF EXISTS" if drop.if_exists else "", self._name(drop.name))

    def visit_create_pitr(self, create: CreatePitr, **kw: Any) -> str:
        return words(
            "CREATE PITR",
            "IF NOT EXISTS" if create.if_not_exists else "",
            self._name(create.name),
            "FOR",
            self.target(create.recovery_target, **kw),
            self._range(create),
        )

    def visit_alter_pitr(self, alter: AlterPitr, **kw: Any) -> str:
        exists = "IF EXISTS" if alter.if_exists else ""
        return words("ALTER PITR", exists, self._name(alter.name), self._range(alter))

    def visit_drop_pitr(self, drop: DropPitr, **kw: Any) -> str:
        return words("DROP PITR", "IF EXISTS" if drop.if_exists else "", self._name(drop.name))

    def visit_restore_snapshot(self, restore: RestoreSnapshot, **kw: Any) -> str:
        release = self._release_for(restore)
        if restore.to_account is not None:
            _check_to_account(restore)
        to_account = f"TO ACCOUNT {self._name(restore.to_account)}" if restore.to_account is not None else ""
        if Feature.RESTORE_BY_BRACES.in_release(release):
            source = f"{{SNAPSHOT = {self._name(restore.name)}}}"
            return words("RESTORE", self._dotted(restore.recovery_target, **kw), source, to_account)
        source = f"FROM SNAPSHOT {self._name(restore.name)}"
        return words("RESTORE", self._nested(restore.recovery_target, with_account=True, **kw), source, to_account)

    def visit_restore_pitr(self, restore: RestorePitr, **kw: Any) -> str:
        source = words("FROM PITR", self._name(restore.name), self._restored_time(restore, **kw))
        target = restore.recovery_target
        if restore.to_account is not None:
            # In the server's grammar, the target account precedes the source.
            return words("RESTORE ACCOUNT", self._name(restore.to_account), source, self._name(target.account))
        if target.level == "account" and self._is_own(target.account):
            return words("RESTORE", source)
        foreign = target.account is not None and not self._is_own(target.account)
        if foreign and target.level != "account":
            Feature.PITR_RESTORE_IN_ACCOUNT.require(self._release_for(restore))
        return words("RESTORE", self._nested(target, with_account=foreign, **kw), source)

    def visit_clone_of_past(self, clone: CloneOfPast, **kw: Any) -> str:
        return clone.statement

    def target(self, target: RecoveryTarget | None, **kw: Any) -> str:
        """Return ``CLUSTER``, ``ACCOUNT [a]``, ``DATABASE d`` or ``TABLE d t``, as in CREATE and SHOW."""
        if target is None or (target.level == "account" and self._is_own(target.account)):
            # An account other than sys must not even name itself.
            return "ACCOUNT"
        if target.level == "cluster":
            return "CLUSTER"
        if target.level == "account":
            return words("ACCOUNT", self._name(target.account))
        database = self._database(target, **kw)
        return f"DATABASE {database}" if target.level == "database" else f"TABLE {database} {self._name(target.table)}"

    def _dotted(self, target: RecoveryTarget, **kw: Any) -> str:
        """Return ``TABLE [a.]d.t``, as in RESTORE of a snapshot from 4.0 on."""
        if target.level == "cluster":
            return "CLUSTER"
        parts = [] if target.account is None else [self._name(target.account)]
        if target.level != "account":
            parts.append(self._database(target, **kw))
        if target.level == "table":
            parts.append(self._name(target.table))
        return f"{target.level.upper()} {'.'.join(parts)}"

    def _nested(self, target: RecoveryTarget, *, with_account: bool, **kw: Any) -> str:
        """Return ``[ACCOUNT a] [DATABASE d [TABLE t]]``, as in the other restores."""
        if target.level == "cluster":
            return "CLUSTER"
        return words(
            f"ACCOUNT {self._name(target.account or self._own_account())}" if with_account else "",
            f"DATABASE {self._database(target, **kw)}" if target.level != "account" else "",
            f"TABLE {self._name(target.table)}" if target.level == "table" else "",
        )

    def _publication(self, create: CreateSnapshot) -> str:
        if create.publication is None:
            return ""
        Feature.SNAPSHOT_OF_PUBLICATION.require(self._release_for(create))
        return words("FROM", self._name(create.from_account), "PUBLICATION", self._name(create.publication))

    def _range(self, element: CreatePitr | AlterPitr) -> str:
        return f"RANGE {element.range.length} '{element.range.unit}'"

    def _restored_time(self, restore: RestorePitr, *, to_read: bool = False, **kw: Any) -> str:
        if restore.server_time is not None:
            return self._text(restore.server_time)
        second, nanoseconds = restore.instant()
        instant = f"{second.replace(tzinfo=None).isoformat(' ')}{fraction_of_second(nanoseconds)}+00:00"
        if to_read:
            return self._text(instant)
        raise MatrixOneCompileError(
            f"{instant} can be rendered only on a connected matrixone engine, because the server has to be asked what "
            "its clock shows at that instant: execute the construct there, or pass the time on the server's clock, "
            'server_time="2026-03-01 12:00:00"'
        )

    def _database(self, target: RecoveryTarget, *, to_read: bool = False, **kw: Any) -> str:
        """Return the name of the target's database, in quotes."""
        database = target.in_database(self.dialect.default_schema_name, self.schema_translate_map)
        if database is not None:
            return self._name(database)
        if to_read:
            return _UNKNOWN_DATABASE
        raise _no_database(target)

    def _is_own(self, account: str | None) -> bool:
        own = self._connected_account
        return account is not None and own is not None and fold(account) == fold(own)

    @property
    def _connected_account(self) -> str | None:
        return None if self._server is None else self._server.default_account_name

    def _own_account(self) -> str:
        own = self._connected_account
        if own is None:
            raise MatrixOneCompileError(
                f"MatrixOne before {format_release(Feature.RESTORE_BY_BRACES.since)} requires the name of the account "
                "in RESTORE: pass account=…, or use a matrixone engine that has connected"
            )
        return own


def _check_to_account(restore: RestoreSnapshot) -> None:
    level, account = restore.recovery_target.level, restore.recovery_target.account
    if level == "account" and (account is None or fold(account) != SYS_ACCOUNT):
        return
    subject = f"a {level}" if level != "account" else "the account sys"
    raise MatrixOneCompileError(
        f"no release of MatrixOne restores {subject} to another account: from 4.0 on it accepts TO ACCOUNT, but "
        "ignores it and replaces the original. Restore a whole account other than sys to_account, or clone instead."
    )


def _no_database(target: RecoveryTarget) -> MatrixOneArgumentError:
    return MatrixOneArgumentError(
        f"the Table {target.table!r} names no database and the connection has none: "
        "give the Table a schema, or the URL a database"
    )
