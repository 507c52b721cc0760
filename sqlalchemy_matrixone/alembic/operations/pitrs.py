"""Operations that create, alter and drop PITRs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Unpack

from alembic.operations import Operations

from ...core.arguments import TableArgument
from ...core.names import fold
from ...core.statement import MatrixOneDDL
from ...exc import MatrixOneArgumentError, PitrError
from ...recovery import catalog
from ...recovery.constructs import AlterPitr, CreatePitr, DropPitr
from ...recovery.pitr_names import declared_pitrs, is_automatic, is_implied
from ...recovery.pitr_objects import protecting, unprotected
from ...recovery.pitr_range import RangeArgument
from ...recovery.pitr_statements import alter_pitr, create_pitr
from ...recovery.reactivation import superfluous
from ...recovery.target import current_database, implied_name
from ..log import log
from ..protection import watch_pitrs
from ..transaction import outside_transaction
from .base import RecoveryOp, operation
from .options import CommitFirst, Database, IfExists, IfNotExists, Object, Target, known_database

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from ...recovery.values import Pitr


class _PitrOp(RecoveryOp):
    """An operation that creates, alters or drops PITRs.

    Without a name, the PITR of a database or a table is named after its object, ``shop`` or ``shop.orders``, on the
    connection that the migration runs on.
    """

    @contextmanager
    def executing(self, context: MigrationContext, operation: str) -> Iterator[None]:
        """Let the PITRs that the commit before the operation makes inactive wait for the operation."""
        with ExitStack() as stack:
            if context.connection is not None and not context.as_sql:
                stack.enter_context(watch_pitrs(context.connection).postponed())
            stack.enter_context(outside_transaction(context, operation))
            yield

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        context = operations.get_context()
        if context.as_sql:
            super().execute(operations, element)
        else:
            assert context.connection is not None
            self._execute_on(context.connection, element)

    def _execute_on(self, connection: Connection, element: MatrixOneDDL) -> None:
        raise NotImplementedError

    def _name(self, own_database: str | None) -> str:
        if self.name is not None:
            return self.name
        table, database = self.arguments.get("table"), self.arguments.get("database")
        if table is None and database is None:
            raise MatrixOneArgumentError(
                f"op.{self.operation}() needs a name. Nothing was sent. Pass the name of the PITR first, or its "
                "object: database=True, for the database that is migrated, or table=…. Only the PITR of a database or "
                "table has an implied name."
            )
        return implied_name(database if isinstance(database, str) else known_database(own_database), table)


class CreatePitrOptions(Target, IfNotExists, CommitFirst, total=False):
    """The keywords of ``op.create_pitr()``."""


@operation
class CreatePitrOp(_PitrOp):
    """``op.create_pitr()``, also as autogenerate renders it."""

    construct = CreatePitr
    options = CreatePitrOptions

    def _execute_on(self, connection: Connection, element: MatrixOneDDL) -> None:
        """Create the PITR; if its name is implied and an inactive PITR of the object has it, under another name.

        A PITR that was created in place of inactive ones is adopted.
        """
        assert isinstance(element, CreatePitr)
        created = create_pitr(connection, element, may_rename=self._may_rename(element))
        if created.name == fold(element.name):
            return
        if is_automatic(created):
            log.info(
                "PITR %s was created in place of inactive ones, and is kept as that of database %s, with range %s",
                created.name,
                created.database,
                created.range,
            )
        else:
            log.info("created PITR %s: the inactive PITR %s keeps its name and its history", created.name, element.name)

    def _may_rename(self, element: CreatePitr) -> bool:
        """Return whether the name is implied. Autogenerate writes one with a number beside an inactive PITR."""
        if self.name is None:
            return True
        target = element.recovery_target
        if target is None or target.database is None:
            return False
        return is_implied(fold(self.name), fold(target.database), fold(target.table))

    def reverse(self) -> DropPitrOp:
        if self.name is not None:
            return DropPitrOp(self.name, existing=self)
        target = {key: self.arguments[key] for key in ("database", "table") if key in self.arguments}
        return DropPitrOp(existing=self, **target)

    @classmethod
    def create_pitr(
        cls,
        operations: Operations,
        name: str | None = None,
        *,
        range: RangeArgument,
        **options: Unpack[CreatePitrOptions],
    ) -> None:
        """Make every point in time of the last ``range`` restorable from now on. Commits what ran before.

        If no object is given, the current account is meant. ::

            op.create_pitr("orders_week", range="7d", table="orders")
            op.create_pitr(range="7d", table="orders")

        :param name: without spaces or quotes. If it is omitted, the PITR of a database or table is named after that,
            ``shop`` or ``shop.orders``, wherever the migration runs.
        :param range: such as ``"7d"``: 1 to 100 of the units h, d, mo and y.
        :param if_not_exists: no error if a PITR of that name exists. It keeps its range; if the ranges differ, a
            ``RecoveryWarning`` states that.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, range=range, **options))


class _OfPitrOp(_PitrOp):
    """An operation on existing PITRs: one of a name, or those that protect an object by its implied name.

    If a PITR has become inactive, there may be another one for the same object. Both belong to the object.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        database: Database = None,
        table: TableArgument | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(name, database=database, table=table, **arguments)
        if name is not None and (database is not None or table is not None):
            raise MatrixOneArgumentError(
                f"op.{self.operation}({name!r}) names the PITR: do not pass its database or table as well"
            )

    def element(self, own_database: str | None) -> MatrixOneDDL:
        arguments = self._of_construct()
        for keyword in Object.__annotations__:
            arguments.pop(keyword, None)
        return self._construct(self._name(own_database), arguments)

    def _execute_on(self, connection: Connection, element: MatrixOneDDL) -> None:
        """Execute the construct for each of the PITRs."""
        pitrs = catalog.get_pitrs(connection)
        chosen = self._chosen(pitrs, element, current_database(connection))
        for pitr in chosen:
            self._execute_for(connection, element.copy_with(name=pitr.name), len(chosen) == 1)
        if chosen:
            self._finish(connection, chosen, [pitr for pitr in pitrs if pitr not in chosen])
        else:
            self._execute_for_none(connection, element, pitrs)

    def _chosen(self, pitrs: Sequence[Pitr], element: MatrixOneDDL, own_database: str | None) -> list[Pitr]:
        if self.name is not None:
            return [pitr for pitr in pitrs if pitr.name == fold(element.name)]
        database, table = self.arguments.get("database"), self.arguments.get("table")
        named = fold(database if isinstance(database, str) else known_database(own_database))
        return declared_pitrs(pitrs, named or "", fold(table))

    def _execute_for(self, connection: Connection, element: MatrixOneDDL, is_only: bool) -> None:
        connection.execute(element)

    def _execute_for_none(self, connection: Connection, element: MatrixOneDDL, pitrs: Sequence[Pitr]) -> None:
        try:
            connection.execute(element)  # the server reports that there is no such PITR
        except PitrError as refused:
            for pitr in pitrs:
                if is_automatic(pitr) and is_implied(fold(element.name), pitr.database or ""):
                    refused.add_note(
                        f"If op.create_pitr({element.name!r}) has used PITR {pitr.name!r} instead, name that one"
                    )
            raise

    def _finish(self, connection: Connection, chosen: Sequence[Pitr], others: Sequence[Pitr]) -> None:
        """Do what remains to be done after the last PITR."""


class AlterPitrOptions(Object, IfExists, CommitFirst, total=False):
    """The keywords of ``op.alter_pitr()``."""


@operation
class AlterPitrOp(_OfPitrOp):
    """Change the range of a PITR.

    :param existing_range: the previous range, which :meth:`reverse` sets again.
    """

    construct = AlterPitr
    options = AlterPitrOptions

    def __init__(
        self, name: str | None = None, *, existing_range: RangeArgument | None = None, **arguments: Any
    ) -> None:
        super().__init__(name, **arguments)
        self.existing_range = existing_range

    def reverse(self) -> AlterPitrOp:
        if self.existing_range is None:
            raise NotImplementedError(f"alter_pitr {self.name!r} has no reverse without its existing_range")
        former = self.arguments | {"range": self.existing_range}
        return AlterPitrOp(self.name, existing_range=self.arguments["range"], **former)

    def _execute_for(self, connection: Connection, element: MatrixOneDDL, is_only: bool) -> None:
        assert isinstance(element, AlterPitr)
        if is_only and not watch_pitrs(connection).will_protect(element.name):
            alter_pitr(connection, element)  # warns if it is inactive
        else:
            connection.execute(element)

    @classmethod
    def alter_pitr(
        cls,
        operations: Operations,
        name: str | None = None,
        *,
        range: RangeArgument,
        **options: Unpack[AlterPitrOptions],
    ) -> None:
        """Change how far back a PITR reaches. A shorter range discards what is older. Commits what ran before.

        ::

            op.alter_pitr("orders_week", range="3mo")
            op.alter_pitr(table="orders", range="3mo")

        :param name: the name of the PITR. If it was created without a name, pass its object instead.
        :param range: as for :meth:`create_pitr`.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, range=range, **options))


class DropPitrOptions(Object, IfExists, CommitFirst, total=False):
    """The keywords of ``op.drop_pitr()``."""


@operation
class DropPitrOp(_OfPitrOp):
    """Drop a PITR.

    :param existing: the operation that creates the PITR, which :meth:`reverse` returns.
    """

    construct = DropPitr
    options = DropPitrOptions

    def __init__(self, name: str | None = None, *, existing: CreatePitrOp | None = None, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.existing = existing

    def reverse(self) -> CreatePitrOp:
        if self.existing is None:
            raise NotImplementedError(f"drop_pitr {self.name!r} has no reverse without the operation that created it")
        return self.existing

    def _execute_for_none(self, connection: Connection, element: MatrixOneDDL, pitrs: Sequence[Pitr]) -> None:
        if watch_pitrs(connection).is_dropped_successor(element.name):
            log.info("PITR %s was already dropped, together with the PITR that it replaced", element.name)
        else:
            super()._execute_for_none(connection, element, pitrs)

    def _finish(self, connection: Connection, chosen: Sequence[Pitr], others: Sequence[Pitr]) -> None:
        """Report what still protects the objects, and which objects nothing protects any more."""
        others, watch = _without_successors(connection, chosen, others), watch_pitrs(connection)
        for pitr in protecting(connection, chosen[0], others):
            _report_protecting(pitr, chosen, is_declared=watch.is_declared(pitr))
        databases = {pitr.database for pitr in chosen if pitr.active is not False}
        for pitr in unprotected(connection, [other for other in others if other.database in databases], others):
            if watch.is_declared(pitr):
                log.info("%s is protected again after the migration: the models declare that", pitr.describe())
                continue
            log.warning(
                "PITR %s of %s is inactive, and nothing protects that %s any more. Call op.create_pitr(range=%r, "
                "database=%r) if something should",
                pitr.name,
                pitr.describe(),
                pitr.level,
                pitr.range,
                pitr.database,
            )

    @classmethod
    def drop_pitr(cls, operations: Operations, name: str | None = None, **options: Unpack[DropPitrOptions]) -> None:
        """Drop a PITR. What it covered can no longer be restored. Commits what ran before.

        ::

            op.drop_pitr("orders_week")
            op.drop_pitr(table="orders")

        :param name: the name of the PITR. If it was created without a name, pass its object instead.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))


def _without_successors(connection: Connection, dropped: Sequence[Pitr], others: Sequence[Pitr]) -> Sequence[Pitr]:
    """Drop what was created only in place of dropped PITRs, and return which others remain."""
    watch = watch_pitrs(connection)
    watch.forget(dropped)
    successors = [pitr for pitr in superfluous(dropped, others) if not watch.is_declared(pitr)]
    for pitr in successors:
        connection.execute(DropPitr(pitr.name, if_exists=True))
        watch.note_dropped_successor(pitr)
        log.info("dropped PITR %s as well, which was created in place of %s", pitr.name, _listed(dropped))
    return [pitr for pitr in others if pitr not in successors]


def _report_protecting(pitr: Pitr, dropped: Sequence[Pitr], *, is_declared: bool) -> None:
    """Report that a PITR still protects the object of dropped ones."""
    was_replaced = dropped[0].level == "table" and any(each.active is False for each in dropped)
    if pitr.level == "database" and (was_replaced or is_automatic(pitr)) and not is_declared:
        log.warning(
            "PITR %s of %s still protects %s in place of %s. If nothing else needs it, call op.drop_pitr(%r)",
            pitr.name,
            pitr.describe(),
            dropped[0].describe(),
            _listed(dropped),
            pitr.name,
        )
    elif pitr.level in ("database", "table"):
        log.info("PITR %s of %s still protects %s", pitr.name, pitr.describe(), dropped[0].describe())


def _listed(pitrs: Sequence[Pitr]) -> str:
    return ", ".join(f"PITR {pitr.name}" for pitr in pitrs)
