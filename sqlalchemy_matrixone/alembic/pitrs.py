"""The PITRs that are declared, compared with those that the server has.

Declared are ``Table(..., matrixone_pitr="7d")``, ``MetaData(info={"matrixone_pitr": "7d"})`` for the database
of the tables, and ``MetaData(info={"matrixone_pitrs": [CreatePitr(...)]})`` for anything else. They are
matched by their object, which has one PITR at most, not by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alembic.operations.ops import CreateTableOp, MigrateOperation, UpgradeOps
from alembic.util import CommandError, PriorityDispatchResult, to_list
from sqlalchemy import MetaData

from ..core.arguments import check_flag
from ..core.names import fold
from ..core.options import PITR_OPTION as TABLE_OPTION
from ..core.server import MatrixOneServer
from ..exc import Reason, RecoveryError
from ..recovery import catalog
from ..recovery.constructs import CreatePitr
from ..recovery.pitr_range import PitrRange
from ..recovery.reactivation import free_name
from ..recovery.target import RecoveryTarget, implied_name
from ..recovery.values import Pitr
from .ops import AlterPitrOp, CreatePitrOp, DropPitrOp
from .transaction import log, outside_transaction

if TYPE_CHECKING:
    # Half imported while Alembic loads its plugins.
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

DROP_OPTION = "matrixone_drop_pitrs"
TYPE = TABLE_OPTION
"""What ``include_object`` and ``include_name`` are told as the type."""


@dataclass(frozen=True)
class Policy:
    """A PITR as declared, or as the server has it; what ``include_object`` is given.

    :ivar target: the object, in lower case and with its database; without an account for one of the own.
    :ivar range: how far back; None where it is declared that there shall be none.
    :ivar name: the PITR's name; None where it is implied.
    """

    target: RecoveryTarget
    range: PitrRange | None
    name: str | None = None

    @property
    def full_name(self) -> str:
        return self.name or implied_name(self.target.database or "", self.target.table)


@dataclass(frozen=True)
class _CurrentNames:
    """What the connection's own account and database are called."""

    account: str | None
    database: str | None

    def canonical(self, target: RecoveryTarget | None) -> RecoveryTarget:
        """The object as one key: as the server folds it, with the own database, without the own account."""
        if target is None:
            return RecoveryTarget("account")
        account = fold(target.account)
        return RecoveryTarget(
            target.level,
            None if account == fold(self.account) or target.level != "account" else account,
            fold(target.in_database(self.database, None)),
            fold(target.table),
        )

    def keywords(self, target: RecoveryTarget) -> dict[str, Any]:
        """The object as an operation names it: the own database goes without its name."""
        own = target.database == fold(self.database)
        match target.level:
            case "table":
                return {"table": target.table} if own else {"database": target.database, "table": target.table}
            case "database":
                return {"database": True if own else target.database}
            case "account":
                return {} if target.account is None else {"account": target.account}
            case _:
                return {"cluster": True}


Policies = dict[RecoveryTarget, Policy]


def compare_pitrs(
    context: AutogenContext, upgrade_ops: UpgradeOps, schemas: Iterable[str | None]
) -> PriorityDispatchResult:
    """Add to the upgrade what brings the server's PITRs to what is declared.

    PITRs are dropped first and created last, so that in both directions a PITR is there only while its
    table is.
    """
    dialect = context.dialect
    if not isinstance(dialect, MatrixOneServer):  # one of MySQL
        return PriorityDispatchResult.CONTINUE
    _tidy_tables(upgrade_ops)
    own = _CurrentNames(dialect.default_account_name, dialect.default_schema_name)
    wanted = _declared(context, own)
    drop_others = check_flag(DROP_OPTION, context.opts.get(DROP_OPTION, False))
    if wanted or drop_others:
        existing = _existing(context, own)
        wanted = _replacing_inactive(wanted, existing)
        if drop_others:
            wanted = _undeclared(existing.active, {schema or own.database for schema in schemas}) | wanted
        drops, others = _operations(context, own, wanted, existing.active)
        upgrade_ops.ops[:0] = drops
        upgrade_ops.ops.extend(others)
    return PriorityDispatchResult.CONTINUE


# -- what is declared


def _declared(context: AutogenContext, own: _CurrentNames) -> Policies:
    policies: Policies = {}
    for metadata in to_list(context.metadata, default=[]):
        for policy in _policies_of(context, own, metadata):
            if policies.setdefault(policy.target, policy) != policy:
                raise CommandError(
                    f"two different PITRs are declared for {_describe(policy.target)}, which can have one"
                )
    return policies


def _policies_of(context: AutogenContext, own: _CurrentNames, metadata: MetaData) -> Iterator[Policy]:
    for table in metadata.tables.values():
        if TABLE_OPTION in table.kwargs and context.run_object_filters(table, table.name, "table", False, None):
            yield Policy(own.canonical(RecoveryTarget.of(table=table)), _range(table.kwargs[TABLE_OPTION]))
    if TABLE_OPTION in metadata.info:
        yield Policy(_database_of(metadata, own), _range(metadata.info[TABLE_OPTION]))
    for pitr in metadata.info.get("matrixone_pitrs", ()):
        if not isinstance(pitr, CreatePitr):
            raise CommandError(f"MetaData.info['matrixone_pitrs'] holds CreatePitr(...) constructs, not {pitr!r}")
        yield Policy(own.canonical(pitr.recovery_target), pitr.range, fold(pitr.name))


def _database_of(metadata: MetaData, own: _CurrentNames) -> RecoveryTarget:
    database = metadata.schema or own.database
    if database is None:
        raise CommandError(
            f"MetaData.info[{TABLE_OPTION!r}] is about a database, and neither the MetaData nor the URL names one"
        )
    return RecoveryTarget("database", database=fold(database))


def _range(declared: Any) -> PitrRange | None:
    return None if declared is None else PitrRange.of(declared)


# -- what the server has


@dataclass(frozen=True)
class _Existing:
    """The PITRs of the server by their object: those that protect it as it is now, and those that do not."""

    active: Policies
    inactive: Policies
    names: frozenset[str]


def _existing(context: AutogenContext, own: _CurrentNames) -> _Existing:
    active: Policies = {}
    inactive: Policies = {}
    pitrs = _read(context.migration_context)
    for pitr in pitrs:
        target = own.canonical(RecoveryTarget(pitr.level, pitr.account, pitr.database, pitr.table))
        if _name_included(context, own, target, pitr.name):
            policies = inactive if pitr.active is False else active
            policies.setdefault(target, Policy(target, PitrRange(pitr.length, pitr.unit), pitr.name))
    inactive = {target: policy for target, policy in inactive.items() if target not in active}
    return _Existing(active, inactive, frozenset(pitr.name for pitr in pitrs))


def _replacing_inactive(wanted: Policies, existing: _Existing) -> Policies:
    """Return the declared PITRs with those of databases in place of inactive ones.

    An inactive PITR stays, for what only it can restore, and keeps its name. Its object is protected by a PITR of the
    database, as :meth:`Recovery.reactivate_pitrs` does it.
    """
    replaced = {
        target: policy
        for target, policy in wanted.items()
        if target in existing.inactive and policy.range is not None and target.database is not None
    }
    result = {target: policy for target, policy in wanted.items() if target not in replaced}
    for target, policy in replaced.items():
        database = RecoveryTarget("database", database=target.database)
        candidates = [known[database] for known in (result, existing.active) if database in known]
        name = candidates[-1].name if candidates else free_name(target.database or "", existing.names)
        ranges = [candidate.range for candidate in (policy, *candidates) if candidate.range is not None]
        result[database] = Policy(database, max(ranges, key=lambda range_: range_.hours), name)
    return result


def _read(context: MigrationContext) -> list[Pitr]:
    assert context.connection is not None
    try:
        return catalog.get_pitrs(context.connection)
    except RecoveryError as refused:
        if refused.reason is not Reason.ACTIVE_TRANSACTION:
            raise
    # Accounts other than sys have SHOW PITR alone for it.
    with outside_transaction(context, "reading the PITRs", reading=True):
        return catalog.get_pitrs(context.connection)


def _name_included(context: AutogenContext, own: _CurrentNames, target: RecoveryTarget, name: str) -> bool:
    parents: Any = {}
    if target.database is not None:
        parents["schema_name"] = None if target.database == fold(own.database) else target.database
    if target.table is not None:
        parents["table_name"] = target.table
    kind: Any = TYPE
    return context.run_name_filters(name, kind, parents)


def _undeclared(existing: Policies, databases: set[str | None]) -> Policies:
    """Of the databases that are compared and of their tables, the PITRs, as such that shall not be."""
    names = {fold(database) for database in databases}
    return {target: replace(policy, range=None) for target, policy in existing.items() if target.database in names}


# -- the difference


def _operations(
    context: AutogenContext, own: _CurrentNames, declared: Policies, existing: Policies
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return the operations that drop PITRs, and those that create and change them."""
    drops: list[MigrateOperation] = []
    others: list[MigrateOperation] = []
    for target, policy in declared.items():
        found = existing.get(target)
        if found is None:
            others.extend(_missing(context, own, policy))
        elif policy.range is None:
            drops.extend(_unwanted(context, own, found))
        elif found.range != policy.range:
            others.extend(_changed(context, own, found, policy))
    return drops, others


def _missing(context: AutogenContext, own: _CurrentNames, declared: Policy) -> Iterator[MigrateOperation]:
    if declared.range is not None and _included(context, declared):
        log.info("Detected added PITR of %s", _describe(declared.target))
        yield _create(declared, own)


def _unwanted(context: AutogenContext, own: _CurrentNames, found: Policy) -> Iterator[MigrateOperation]:
    if _included(context, found, reflected=True):
        log.info("Detected removed PITR %r of %s", found.name, _describe(found.target))
        yield DropPitrOp(**_name_filter(found, own), existing=_create(found, own))


def _changed(
    context: AutogenContext, own: _CurrentNames, found: Policy, declared: Policy
) -> Iterator[MigrateOperation]:
    if _included(context, declared, compare_to=found):
        log.info("Detected PITR range change of %s from %s to %s", _describe(found.target), found.range, declared.range)
        yield AlterPitrOp(**_name_filter(found, own), range=str(declared.range), existing_range=str(found.range))


def _included(
    context: AutogenContext, policy: Policy, *, reflected: bool = False, compare_to: Policy | None = None
) -> bool:
    run_filters: Any = context.run_object_filters
    return bool(run_filters(policy, policy.full_name, TYPE, reflected, compare_to))


def _create(policy: Policy, own: _CurrentNames) -> CreatePitrOp:
    return CreatePitrOp(_explicit_name(policy), range=str(policy.range), **own.keywords(policy.target))


def _name_filter(policy: Policy, own: _CurrentNames) -> dict[str, Any]:
    """An existing PITR: by its object where its name follows from that, and else by its name."""
    name = _explicit_name(policy)
    return own.keywords(policy.target) if name is None else {"name": name}


def _explicit_name(policy: Policy) -> str | None:
    target = policy.target
    implied = target.database is not None and policy.name in (None, implied_name(target.database, target.table))
    return None if implied else policy.name


def _tidy_tables(upgrade_ops: UpgradeOps) -> None:
    """The declaration belongs to the model; in ``op.create_table()`` it would do nothing."""
    for op in upgrade_ops.ops:
        if isinstance(op, CreateTableOp):
            op.kw.pop(TABLE_OPTION, None)


def _describe(target: RecoveryTarget) -> str:
    parts = [part for part in (target.account, target.database, target.table) if part]
    return " ".join([target.level, ".".join(parts)]).strip()
