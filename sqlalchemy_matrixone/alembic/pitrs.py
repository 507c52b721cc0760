"""Compare the declared PITRs with those of the server.

PITRs are declared by ``Table(..., matrixone_pitr="7d")``, by ``MetaData(info={"matrixone_pitr": "7d"})`` for the
database of the tables, and by ``MetaData(info={"matrixone_pitrs": [CreatePitr(...)]})`` for anything else. They are
matched by their object, which has at most one PITR, and not by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alembic.operations.ops import CreateTableOp, MigrateOperation, UpgradeOps
from alembic.util import CommandError, PriorityDispatchResult, to_list
from sqlalchemy import MetaData

from ..core.arguments import check_flag
from ..core.beside import autocommit_connection, second_engine
from ..core.names import fold
from ..core.options import PITR_OPTION as TABLE_OPTION
from ..core.server import MatrixOneServer
from ..exc import Reason, RecoveryError
from ..recovery import catalog
from ..recovery.constructs import CreatePitr
from ..recovery.pitr_names import free_name
from ..recovery.pitr_objects import range_of, table_now
from ..recovery.pitr_range import PitrRange
from ..recovery.target import RecoveryTarget, implied_name
from ..recovery.values import Pitr
from .declarations import LIST_OPTION
from .inactive_pitrs import DeclaredObjects
from .log import log
from .operations import AlterPitrOp, CreatePitrOp, DropPitrOp

if TYPE_CHECKING:
    # Only for typing: these modules are half imported while Alembic loads its plugins.
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

DROP_OPTION = "matrixone_drop_pitrs"
TYPE = TABLE_OPTION
"""The type that is passed to ``include_object`` and ``include_name``."""


@dataclass(frozen=True)
class Policy:
    """A PITR as declared or as it exists on the server. It is passed to ``include_object``.

    :ivar target: the object, in lower case and with its database; without an account if it is in the current account.
    :ivar range: how far back the PITR reaches; None if it is declared that the object has no PITR.
    :ivar name: the name of the PITR; None if it is implied.
    """

    target: RecoveryTarget
    range: PitrRange | None
    name: str | None = None

    @property
    def full_name(self) -> str:
        """Return the name of the PITR, implied or declared."""
        return self.name or implied_name(self.target.database or "", self.target.table)


@dataclass(frozen=True)
class _CurrentNames:
    """The names of the current account and the current database of the connection."""

    account: str | None
    database: str | None

    def canonical(self, target: RecoveryTarget | None) -> RecoveryTarget:
        """Return an object as a canonical key.

        Its names are folded as the server folds them. The current database is named, and the current account is not.
        """
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
        """Return an object as the keywords of an operation, which do not name the current database."""
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
    """Add the operations to the upgrade that make the PITRs of the server match the declared ones.

    PITRs are dropped first and created last, so that in both directions a PITR exists only while its table exists.
    """
    dialect = context.dialect
    if not isinstance(dialect, MatrixOneServer):  # a MySQL dialect
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


def declared_objects(context: MigrationContext) -> DeclaredObjects:
    """Return the databases and tables for which the models declare a PITR.

    :raises CommandError: if two different PITRs of one object are declared.
    """
    from alembic.autogenerate.api import AutogenContext  # half imported while Alembic loads its plugins

    dialect = context.dialect
    assert isinstance(dialect, MatrixOneServer)
    own = _CurrentNames(dialect.default_account_name, dialect.default_schema_name)
    declared = _declared(AutogenContext(context, autogenerate=False), own)
    return {
        (target.database, target.table)
        for target, policy in declared.items()
        if target.database is not None and policy.range is not None
    }


def _declared(context: AutogenContext, own: _CurrentNames) -> Policies:
    policies: Policies = {}
    for metadata in to_list(context.metadata, default=[]):
        for policy in _policies_of(context, own, metadata):
            if policies.setdefault(policy.target, policy) != policy:
                raise CommandError(
                    f"two different PITRs are declared for {_describe(policy.target)}, which can have only one"
                )
    return policies


def _policies_of(context: AutogenContext, own: _CurrentNames, metadata: MetaData) -> Iterator[Policy]:
    for table in metadata.tables.values():
        if TABLE_OPTION in table.kwargs and context.run_object_filters(table, table.name, "table", False, None):
            yield Policy(own.canonical(RecoveryTarget.of(table=table)), _range(table.kwargs[TABLE_OPTION]))
    if TABLE_OPTION in metadata.info:
        yield Policy(_database_of(metadata, own), _range(metadata.info[TABLE_OPTION]))
    pitrs = metadata.info.get(LIST_OPTION, ())
    if not isinstance(pitrs, Iterable):
        raise CommandError(f"MetaData.info[{LIST_OPTION!r}] is a list of CreatePitr(...) constructs, not {pitrs!r}")
    for pitr in pitrs:
        if not isinstance(pitr, CreatePitr):
            raise CommandError(f"MetaData.info[{LIST_OPTION!r}] contains CreatePitr(...) constructs, not {pitr!r}")
        yield Policy(own.canonical(pitr.recovery_target), pitr.range, fold(pitr.name))


def _database_of(metadata: MetaData, own: _CurrentNames) -> RecoveryTarget:
    database = metadata.schema or own.database
    if database is None:
        raise CommandError(
            f"MetaData.info[{TABLE_OPTION!r}] applies to a database, but neither the MetaData nor the URL names one"
        )
    return RecoveryTarget("database", database=fold(database))


def _range(declared: Any) -> PitrRange | None:
    return None if declared is None else PitrRange.of(declared)


# -- what the server has


@dataclass(frozen=True)
class _Existing:
    """The PITRs of the server by their object: those that protect its current state, and those that do not."""

    active: Policies
    inactive: Policies
    names: frozenset[str]


def _existing(context: AutogenContext, own: _CurrentNames) -> _Existing:
    active: Policies = {}
    inactive: Policies = {}
    pitrs = _read(context.migration_context)
    for pitr in pitrs:
        target = own.canonical(RecoveryTarget(pitr.level, pitr.account, pitr.database, table_now(pitr)))
        if _name_included(context, own, target, pitr.name):
            policies = inactive if pitr.active is False else active
            policies.setdefault(target, Policy(target, range_of(pitr), pitr.name))
    inactive = {target: policy for target, policy in inactive.items() if target not in active}
    return _Existing(active, inactive, frozenset(pitr.name for pitr in pitrs))


def _replacing_inactive(wanted: Policies, existing: _Existing) -> Policies:
    """Return the declared PITRs, with PITRs of databases in place of inactive ones.

    An inactive PITR remains under its name, because only it can restore the earlier states of its object. The object is
    protected by a PITR of its database instead, as by :meth:`Recovery.reactivate_pitrs`.
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
    # Accounts other than sys can only use SHOW PITR for this, which the server refuses inside a transaction.
    with second_engine(context.connection.engine) as engine, autocommit_connection(engine) as connection:
        return catalog.get_pitrs(connection)


def _name_included(context: AutogenContext, own: _CurrentNames, target: RecoveryTarget, name: str) -> bool:
    parents: Any = {}
    if target.database is not None:
        parents["schema_name"] = None if target.database == fold(own.database) else target.database
    if target.table is not None:
        parents["table_name"] = target.table
    kind: Any = TYPE
    return context.run_name_filters(name, kind, parents)


def _undeclared(existing: Policies, databases: set[str | None]) -> Policies:
    """Return the PITRs of the compared databases and of their tables, marked for removal."""
    names = {fold(database) for database in databases}
    return {target: replace(policy, range=None) for target, policy in existing.items() if target.database in names}


# -- the difference


def _operations(
    context: AutogenContext, own: _CurrentNames, declared: Policies, existing: Policies
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return the operations that drop PITRs, and those that create or change them."""
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
    """Identify an existing PITR by its object if that implies its name, and otherwise by its name."""
    name = _explicit_name(policy)
    return own.keywords(policy.target) if name is None else {"name": name}


def _explicit_name(policy: Policy) -> str | None:
    target = policy.target
    implied = target.database is not None and policy.name in (None, implied_name(target.database, target.table))
    return None if implied else policy.name


def _tidy_tables(upgrade_ops: UpgradeOps) -> None:
    """Remove the declaration from ``op.create_table()``, in which it would have no effect: it belongs to the model."""
    for op in upgrade_ops.ops:
        if isinstance(op, CreateTableOp):
            op.kw.pop(TABLE_OPTION, None)


def _describe(target: RecoveryTarget) -> str:
    parts = [part for part in (target.account, target.database, target.table) if part]
    return " ".join([target.level, ".".join(parts)]).strip()
