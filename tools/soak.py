"""Run writers, migrations and restores against a server for minutes, and check that nothing was lost or done unasked.

    python -m tools.soak --url matrixone+pymysql://dump:111@127.0.0.1:6001 --minutes 15
    python -m tools.soak --url … --minutes 5 --restart "docker restart -t 0 matrixone"

The workers use databases whose names begin with ``soak_``, which are dropped at the beginning and at the end. Writers
and restorers connect through a relay that cuts connections at random bytes. Every half minute, and at the end, the
workers pause between two steps, and a witness with a direct connection checks:

- every acknowledged commit is found, and no row of a transaction that was rolled back or lost before COMMIT;
- a transaction whose connection was lost during COMMIT is found as a whole or not at all;
- a restore that was reported as not done was not carried out later, and one that was reported as done was;
- a migration is found as a whole or not at all;
- every database with a declared PITR has an active one;
- no connection is left checked out of a pool.

The exit code is 0 if all of this held.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import queue
import random
import shutil
import subprocess
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    exc,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import QueuePool

from sqlalchemy_matrixone import CommitUncertain, Recovery, RecoveryError, run_transaction
from sqlalchemy_matrixone.recovery.asyncio import AsyncRecovery

ROWS = "soak_rows"
MIGRATED = "soak_migrated"
COMMIT_UNKNOWN = 20638  # the server does not know itself whether it has committed

metadata = MetaData()
ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)
counters = Table(
    "counters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("total", Integer, nullable=False),
)
COUNTERS = 8

# What is migrated or restored: one column that the script knows, besides those that migrations add.
items = Table("items", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False))

SERVER_ERRORS = (exc.DBAPIError, RecoveryError, OSError)


# -- what all share


class Report:
    """Counts of what happened, and the violations that the witness has found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self.counts[what] += number

    def violation(self, message: str) -> None:
        """Keep a violation, and print it at once."""
        with self._lock:
            self.violations.append(message)
        print(f"{time.strftime('%X')} VIOLATION {message}", flush=True)

    @staticmethod
    def note(message: str) -> None:
        """Print what is worth a look, but no violation."""
        print(f"{time.strftime('%X')} {message}", flush=True)

    def table(self) -> str:
        """Return the counts as a Markdown table."""
        rows = [f"| {what} | {number} |" for what, number in sorted(self.counts.items())]
        return "\n".join(["| what | number |", "|---|--:|", *rows, f"| violations | {len(self.violations)} |"])


class Gate:
    """Lets workers run their steps, and pauses all of them while the witness looks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self._closed = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Surround a step of a worker."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._running[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= Counter([name])
                self._changed.notify_all()

    @contextmanager
    def closed(self, patience: float) -> Iterator[list[str]]:
        """Close it, and give the names of the workers whose step is still running after ``patience`` seconds."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._running, patience)
            late = list(self._running)
        try:
            yield late
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class Relay:
    """Forwards connections to the server, and cuts each of them at a random byte of a random packet.

    :param packets: how many packets a connection transports on average.
    """

    def __init__(self, url: URL, report: Report, packets: int) -> None:
        self._server = url.host or "127.0.0.1", url.port or 6001
        self._report = report
        self._packets = packets
        self._started: queue.Queue[int] = queue.Queue()
        threading.Thread(target=lambda: asyncio.run(self._run()), name="relay", daemon=True).start()
        self.url = url.set(host="127.0.0.1", port=self._started.get(timeout=10))

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1")
        self._started.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server)
            writers.append(server_writer)
            await self._transport((reader, server_writer), (server_reader, writer))
        except OSError:
            self._report.count("relay: connections that the server refused")
        finally:
            for each in writers:
                each.transport.abort()

    async def _transport(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Forward both ways until the cut; let the ends notice it at once, or one of them seconds later."""
        remaining = iter(range(int(random.expovariate(1 / self._packets)), -1, -1))
        tasks = [asyncio.create_task(self._forward(*way, remaining)) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        [ended] = [task for task in tasks if task.done() and not task.cancelled()][:1]
        if ended.exception() is None and ended.result():
            self._report.count("relay: connections cut")
            late = random.choice([None, None, *(writer for _, writer in ways)])
            if late is not None:
                [other] = [writer for _, writer in ways if writer is not late]
                other.transport.abort()
                await asyncio.sleep(random.uniform(0.5, 3))

    @staticmethod
    async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, remaining: Iterator[int]) -> bool:
        """Forward until one side closes the connection; return True if it is to be cut instead."""
        while data := await reader.read(65536):
            if not next(remaining, 0):
                writer.write(data[: random.randint(0, len(data))])
                await writer.drain()
                return True
            writer.write(data)
            await writer.drain()
        return False


class Warned(logging.Handler):
    """Remembers the threads in which the package has warned that PITRs must be reactivated."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self._report = report
        self._threads: set[str | None] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the call that the warning asks for."""
        if "reactivate_pitrs()" in record.getMessage():
            self._threads.add(record.threadName)
            self._report.count("warnings that PITRs could not be reactivated")

    def clear(self, thread: str) -> bool:
        """Return whether there was such a warning since the last call."""
        found = thread in self._threads
        self._threads.discard(thread)
        return found


@dataclass
class Soak:
    """What workers and the witness share.

    :ivar declared: the databases that have a PITR, with its range in hours.
    :ivar engines: those whose pools the witness looks at, by their worker.
    """

    url: URL
    report: Report
    relay: Relay
    warned: Warned
    gate: Gate = field(default_factory=Gate)
    stop: threading.Event = field(default_factory=threading.Event)
    declared: dict[str, int] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def direct(self, database: str | None = None) -> Engine:
        """Return an engine without the relay."""
        return create_engine(self.url.set(database=database), pool_pre_ping=True)

    def relayed(self, worker: str, database: str) -> Engine:
        """Return an engine of a worker through the relay."""
        engine = create_engine(self.relay.url.set(database=database), pool_size=2)
        self.engines[worker] = engine
        return engine

    def repeat(self, action: Callable[[], Any], patience: float = 180) -> Any:
        """Repeat an action of a direct connection until the server is up, and return its result."""
        until = time.monotonic() + patience
        while True:
            try:
                return action()
            except SERVER_ERRORS:
                if time.monotonic() > until:
                    raise
                self.report.count("direct: actions repeated")
                time.sleep(2)


class Worker(threading.Thread):
    """A thread that repeats steps. An error that a step does not expect is a violation."""

    pause = 0.05

    def __init__(self, soak: Soak, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.soak = soak
        self.report = soak.report

    def step(self) -> None:
        """Do one thing after which the witness may look."""
        raise NotImplementedError

    def run(self) -> None:
        """Repeat steps until the end."""
        while not self.soak.stop.wait(self.pause):
            with self.soak.gate.step(self.name):
                try:
                    self.step()
                except Exception:
                    self.report.violation(f"{self.name}: {traceback.format_exc()}")


class GivenUp(Exception):
    """Raised by a worker to have its transaction rolled back."""


# -- writers


class Outcome(Enum):
    """What a writer knows of its transaction."""

    ACKNOWLEDGED = "acknowledged"
    ROLLED_BACK = "rolled back on purpose"
    LOST = "failed or lost before COMMIT"
    UNKNOWN = "lost during COMMIT"


@dataclass(frozen=True)
class Transaction:
    """What a transaction writes: rows with their versions, and 1 more in a counter."""

    inserted: dict[int, int]
    updated: dict[int, int]
    counter: int

    @property
    def rows(self) -> dict[int, int]:
        """Return all rows that it writes."""
        return self.inserted | self.updated

    def write(self, connection: Connection) -> None:
        """Execute its statements."""
        connection.execute(insert(ledger), [{"id": id_, "version": version} for id_, version in self.inserted.items()])
        for id_, version in self.updated.items():
            connection.execute(update(ledger).where(ledger.c.id == id_).values(version=version))
        counter = update(counters).where(counters.c.id == self.counter)
        connection.execute(counter.values(total=counters.c.total + 1))


class Book:
    """What must be in the database by what writers were told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, int] = {}
        self._totals: Counter[int] = Counter()
        self._unknown: list[Transaction] = []

    def enter(self, transaction: Transaction, outcome: Outcome) -> None:
        """Keep what became of a transaction."""
        with self._lock:
            if outcome is Outcome.ACKNOWLEDGED:
                self._add(transaction)
            elif outcome is Outcome.UNKNOWN:
                self._unknown.append(transaction)

    def _add(self, transaction: Transaction) -> None:
        self._rows.update(transaction.rows)
        self._totals[transaction.counter] += 1

    def settle(self, rows: dict[int, int], report: Report) -> None:
        """Take transactions of unknown outcome for what they are now; from now on they must stay so."""
        for transaction in self._unknown:
            present = {rows.get(id_) == version for id_, version in transaction.rows.items()}
            if len(present) > 1:
                report.violation(f"a transaction lost during COMMIT was committed in part: {transaction}")
            if True in present:
                self._add(transaction)
            report.count(f"transactions lost during COMMIT: found {'committed' if True in present else 'rolled back'}")
        self._unknown.clear()

    def differences(self, rows: dict[int, int], totals: dict[int, int]) -> Iterator[str]:
        """Yield what is wrong in the database."""
        for id_, version in self._rows.items() - rows.items():
            yield f"row {id_} was committed with version {version}, and is {rows.get(id_, 'missing')}"
        for id_ in rows.keys() - self._rows.keys():
            yield f"row {id_} was never committed, and exists with version {rows[id_]}"
        for id_, total in totals.items():
            if total != self._totals[id_]:
                yield f"counter {id_} is {total} after {self._totals[id_]} commits"

    @property
    def size(self) -> int:
        """Return how many rows there must be."""
        return len(self._rows)


class Writer(Worker):
    """Inserts and updates rows in transactions through the relay."""

    def __init__(self, soak: Soak, number: int, book: Book, pause: float) -> None:
        super().__init__(soak, f"writer {number}")
        self.pause = pause
        self._book = book
        self._engine = soak.relayed(self.name, ROWS)
        self._next_id = number * 10**9
        self._versions: dict[int, int] = {}  # its rows whose state is known

    def step(self) -> None:
        """Run a transaction, and enter in the book what became of it."""
        transaction = self._new_transaction()
        run = random.choice([self._by_hand, self._with_retries])
        outcome = run(transaction, random.random() < 0.2)
        if outcome is Outcome.ACKNOWLEDGED:
            self._versions.update(transaction.rows)
        elif outcome is Outcome.UNKNOWN:
            for id_ in transaction.updated:
                del self._versions[id_]
        self._book.enter(transaction, outcome)
        self.report.count(f"transactions {outcome.value}")

    def _new_transaction(self) -> Transaction:
        number = random.randint(1, 3)
        inserted = {self._next_id + n: 0 for n in range(number)}
        self._next_id += number
        known = list(self._versions)[-200:]
        updated = {id_: self._versions[id_] + 1 for id_ in random.sample(known, min(len(known), random.randint(0, 2)))}
        return Transaction(inserted, updated, random.randint(1, COUNTERS))

    def _by_hand(self, transaction: Transaction, rolled_back: bool) -> Outcome:
        try:
            with self._engine.connect() as connection:
                transaction.write(connection)
                if rolled_back:
                    connection.rollback()
                    return Outcome.ROLLED_BACK
                return self._commit(connection)
        except exc.DBAPIError:
            return Outcome.LOST

    @staticmethod
    def _commit(connection: Connection) -> Outcome:
        try:
            connection.commit()
        except exc.DBAPIError as error:
            number = error.orig.args[0] if error.orig is not None and error.orig.args else None
            return Outcome.UNKNOWN if error.connection_invalidated or number == COMMIT_UNKNOWN else Outcome.LOST
        return Outcome.ACKNOWLEDGED

    def _with_retries(self, transaction: Transaction, rolled_back: bool) -> Outcome:
        attempts = 0

        def write(connection: Connection) -> None:
            nonlocal attempts
            attempts += 1
            transaction.write(connection)
            if rolled_back:
                raise GivenUp

        try:
            run_transaction(self._engine, write)
        except GivenUp:
            return Outcome.ROLLED_BACK
        except CommitUncertain:
            return Outcome.UNKNOWN
        except exc.DBAPIError:
            return Outcome.LOST
        finally:
            self.report.count("transactions run again", max(attempts - 1, 0))
        return Outcome.ACKNOWLEDGED


# -- migrations


ENV = """
from alembic import context

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISION = """
import sqlalchemy as sa

from sqlalchemy_matrixone.alembic import op

revision, down_revision = {revision!r}, {previous!r}


def upgrade() -> None:
    op.execute("INSERT INTO items (id) VALUES ({number})")
    {operation}
    {end}
"""


class Project:
    """An Alembic project in a temporary folder, whose revisions are written one by one."""

    def __init__(self, engine: Engine) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="soak_"))
        (self._folder / "env.py").write_text(ENV)
        self._config = Config(stdout=StringIO())
        self._config.set_main_option("script_location", str(self._folder))
        self._config.attributes["engine"] = engine
        self.begin_again()

    def begin_again(self) -> None:
        """Remove all revisions."""
        shutil.rmtree(self._folder / "versions", ignore_errors=True)
        (self._folder / "versions").mkdir()
        self._last: str | None = None

    def upgrade(self, number: int, operation: str, end: str) -> None:
        """Write a revision and run ``alembic upgrade``."""
        revision = f"r{number}"
        path = self._folder / "versions" / f"{revision}.py"
        path.write_text(
            REVISION.format(revision=revision, previous=self._last, number=number, operation=operation, end=end)
        )
        try:
            command.upgrade(self._config, "head")
        except ArithmeticError:  # the revision raises it on purpose
            path.unlink()
            raise
        self._last = revision


class Migrator(Worker):
    """Alters a table with Alembic and by hand. Its PITR becomes inactive and must be active again after each step.

    After a migration, Alembic's hooks do that without any call.
    """

    pause = 1.0

    def __init__(self, soak: Soak) -> None:
        super().__init__(soak, "migrator")
        self._engine = soak.direct(MIGRATED)
        soak.engines[self.name] = self._engine
        self._project = Project(self._engine)
        self._is_lost = False
        self._number = 0
        self.columns: set[str] = set()
        self.ids: set[int] = set()

    def step(self) -> None:
        """Migrate the table once; begin with a new one after some migrations."""
        if self._number % 6 == 0 or self._is_lost:
            self.soak.repeat(self._begin_again)
            self._is_lost = False
        self._number += 1
        migrate = random.choice([self._migrate, self._migrate, self._operate, self._fail, self._alter_by_hand])
        try:
            migrate(self._number)
        except SERVER_ERRORS as error:
            self.report.count(f"migrations lost with the server ({type(error).__name__})")
            self.soak.repeat(self._repair)
            self._is_lost = True  # the project may not have the revision that the database has
        if self.soak.warned.clear(self.name):
            self.soak.repeat(self._repair)

    def _begin_again(self) -> None:
        """Create the table and a PITR: sometimes of the table, which the first migration makes inactive."""
        drop_protection(self._engine, MIGRATED)
        self._project.begin_again()
        with self._engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
            connection.execute(text("DROP TABLE IF EXISTS items"))
            items.create(connection)
        self.columns, self.ids = {"id"}, set()
        time.sleep(1.1)  # PITRs and tables are dated to the second
        target: dict[str, Any] = random.choice([{"table": "items"}, {}])
        with self._engine.connect() as connection:
            Recovery(connection).create_pitr(f"soak_migrated_{self._number}", range="5h", database=MIGRATED, **target)
        self.soak.declared[MIGRATED] = 5

    def _dropped(self) -> str | None:
        """Return the column to drop; None to add one."""
        columns = self.columns - {"id"}
        return random.choice(sorted(columns)) if len(columns) > 3 else None

    def _migrate(self, number: int, end: str = "") -> None:
        """Run ``alembic upgrade`` over a revision that inserts a row, and adds or drops a column."""
        dropped = self._dropped()
        added = f'op.add_column("items", sa.Column("c{number}", sa.Integer))'
        self._project.upgrade(number, added if dropped is None else f'op.drop_column("items", "{dropped}")', end)
        self._migrated(number, dropped)
        self.report.count("migrations committed by alembic upgrade")

    def _operate(self, number: int) -> None:
        """Do the same with Alembic's operations on a connection, without a project."""
        dropped = self._dropped()
        with self._engine.begin() as connection:
            op = Operations(MigrationContext.configure(connection))
            op.execute(insert(items).values(id=number))
            if dropped is None:
                op.add_column("items", Column(f"c{number}", Integer))
            else:
                op.drop_column("items", dropped)
        self._migrated(number, dropped)
        self.report.count("migrations committed without a project")

    def _migrated(self, number: int, dropped: str | None) -> None:
        self.columns = self.columns - {dropped} if dropped else self.columns | {f"c{number}"}
        self.ids.add(number)

    def _fail(self, number: int) -> None:
        try:
            self._migrate(number, end="raise ArithmeticError")
        except ArithmeticError:
            self.report.count("migrations rolled back")

    def _alter_by_hand(self, number: int) -> None:
        """Add a column without Alembic, and reactivate the PITR."""
        with self._engine.connect() as connection:
            connection.execute(text(f"ALTER TABLE items ADD COLUMN c{number} INT"))
            connection.execute(insert(items).values(id=number))
            connection.commit()
            self._reactivate(connection)
        self.columns.add(f"c{number}")
        self.ids.add(number)
        self.report.count("migrations by hand")

    def _reactivate(self, connection: Connection) -> None:
        """Protect the database again; only Alembic does that by itself."""
        changed = Recovery(connection).reactivate_pitrs(database=MIGRATED)
        self.report.count("PITRs reactivated by Recovery.reactivate_pitrs()", len(changed))

    def _repair(self) -> None:
        """Accept a lost migration as it is, and protect the database again."""
        with self._engine.connect() as connection:
            columns, ids = self.seen(connection)
            if (columns == self.columns) != (ids == self.ids):
                self.report.violation(f"migration {self._number} was committed in part: {columns}, {ids}")
            self.columns, self.ids = columns, ids
            connection.rollback()
            Recovery(connection).reactivate_pitrs(database=MIGRATED)

    @staticmethod
    def seen(connection: Connection) -> tuple[set[str], set[int]]:
        """Return the columns and rows that the table has."""
        columns = {column["name"] for column in inspect(connection).get_columns("items", MIGRATED)}
        return columns, set(connection.scalars(text(f"SELECT id FROM {MIGRATED}.items")))


def drop_protection(engine: Engine, database: str) -> None:
    """Drop all PITRs of a database."""
    with engine.connect() as connection:
        recovery = Recovery(connection, commit_first=True)
        for pitr in recovery.list_pitrs(database=database):
            recovery.drop_pitr(pitr.name)


# -- restores


class Restorer(Worker):
    """Restores a table or its database from a snapshot, and compares the rows with what was reported."""

    pause = 0.5

    def __init__(self, soak: Soak, number: int) -> None:
        self.database = f"soak_restored_{number}"
        super().__init__(soak, f"restorer {number}")
        self._direct = soak.direct(self.database)
        self._engine = soak.relayed(self.name, self.database)
        self._round = 0
        self._protected_again = 0.0
        self.ids: set[int] = set()

    def step(self) -> None:
        """Take a snapshot, insert a row, restore in one of several ways, and see whether the row is there."""
        if self._round % 20 == 0:
            self.soak.repeat(self._begin_again)
        self._round += 1
        snapshot = f"{self.database}_{self._round}"
        try:
            with self._direct.connect() as connection:
                Recovery(connection).create_snapshot(snapshot, database=self.database)
                connection.execute(insert(items).values(id=2 * self._round))
                connection.commit()
        except SERVER_ERRORS:
            self._accept("lost with the server", [self.ids, self.ids | {2 * self._round}])
            return
        before, self.ids = self.ids, self.ids | {2 * self._round}
        self._restore(snapshot, before)
        self.soak.repeat(lambda: self._forget(snapshot))

    def _begin_again(self) -> None:
        """Create the table, empty, and a PITR of the database."""
        drop_protection(self._direct, self.database)
        with self._direct.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS items"))
            items.create(connection)
        self.ids = set()
        with self._direct.connect() as connection:
            Recovery(connection).create_pitr(f"{self.database}_{self._round}", range="3h", database=self.database)
        self.soak.declared[self.database] = 3

    def _restore(self, snapshot: str, before: set[int]) -> None:
        target: dict[str, Any] = {"database": self.database}
        if random.random() < 0.7:
            target["table"] = "items"
        restore = random.choice([self._wait, self._give_up, self._give_up, self._cancel, self._cancel_blocked])
        done, others = restore(snapshot, target)
        what = f"{'table' if 'table' in target else 'database'}, {restore.__name__.strip('_')}"
        reported = {True: "done", False: "not done", None: "unknown"}[done]
        self.report.count(f"restores reported {reported}")
        self.report.count(f"restores tried: {what}")
        possible = {True: [before], False: others, None: [before, *others]}[done]
        time.sleep(1 if done is not None else 6)  # what was given up would be carried out now
        self._accept(f"a restore ({what}) reported as {reported}", possible)
        is_cancelled = restore in (self._cancel, self._cancel_blocked)
        if done is None or (done and is_cancelled) or self.soak.warned.clear(self.name):
            self.soak.repeat(self._protect_again)

    def _accept(self, what: str, possible: list[set[int]]) -> None:
        """Check that the rows are as one of the possibilities; from now on they must stay so."""
        ids = self.soak.repeat(lambda: read_ids(self._direct))
        if ids not in possible:
            self.report.violation(f"{self.name}, round {self._round}, {what}: {sorted(ids)} of {possible}")
        self.ids = ids

    def _forget(self, snapshot: str) -> None:
        with self._direct.connect() as connection:
            Recovery(connection).drop_snapshot(snapshot, if_exists=True)

    def _protect_again(self) -> None:
        """Reactivate the PITR after a restore that may have been carried out without that, or has warned of it."""
        with self._direct.connect() as connection:
            changed = Recovery(connection).reactivate_pitrs(database=self.database)
            self.report.count("PITRs reactivated after restores that could not", len(changed))

    # Each way returns what was reported, and the rows that there may be if the restore was not carried out.

    def _wait(self, snapshot: str, target: dict[str, Any]) -> tuple[bool | None, list[set[int]]]:
        """Restore with a long timeout, and nobody else at work."""
        return self._report_of(lambda: self._by_recovery(snapshot, target, 60)), [self.ids]

    def _give_up(self, snapshot: str, target: dict[str, Any]) -> tuple[bool | None, list[set[int]]]:
        """Restore with a short timeout while a writer holds an open transaction, which then commits."""
        return self._blocked(lambda: self._by_recovery(snapshot, target, random.uniform(0.5, 2)))

    def _cancel(self, snapshot: str, target: dict[str, Any]) -> tuple[bool | None, list[set[int]]]:
        """Cancel a restore after a random time."""
        seconds = random.uniform(0, 1.5)
        return self._report_of(lambda: asyncio.run(self._cancelled(snapshot, target, seconds))), [self.ids]

    def _cancel_blocked(self, snapshot: str, target: dict[str, Any]) -> tuple[bool | None, list[set[int]]]:
        """Cancel a restore that waits for a writer, which then commits."""
        return self._blocked(lambda: asyncio.run(self._cancelled(snapshot, target, random.uniform(0.5, 2))))

    def _blocked(self, restore: Callable[[], bool | None]) -> tuple[bool | None, list[set[int]]]:
        added = self.ids | {2 * self._round + 1}
        try:
            with self._direct.begin() as connection:
                connection.execute(insert(items).values(id=2 * self._round + 1))
                done = self._report_of(restore)
        except exc.DBAPIError:
            self.report.count("blocking writers lost with the server")
            return None, [self.ids, added]
        return done, [added]

    def _report_of(self, restore: Callable[[], bool | None]) -> bool | None:
        """Return whether a restore was reported as done: None if that was reported as unknown, or not at all."""
        try:
            done = restore()
        except RecoveryError as error:
            self.report.count(f"restores failed: reason {error.reason.value}, done {error.done}")
            done = error.done
        except exc.DBAPIError as error:
            self.report.count(f"restores failed: {type(error).__name__} of the driver")
            self.report.note(f"{self.name}: an error that is no RecoveryError:\n{traceback.format_exc()}")
            done = None
        return done

    def _by_recovery(self, snapshot: str, target: dict[str, Any], timeout: float) -> bool:
        try:
            connection = self._engine.connect()
        except exc.DBAPIError:
            self.report.count("restores without a connection")
            return False
        try:
            Recovery(connection).restore_snapshot(snapshot, **target, timeout=timeout)
        finally:
            with suppress(exc.DBAPIError):  # the relay may cut its ROLLBACK
                connection.close()
        return True

    async def _cancelled(self, snapshot: str, target: dict[str, Any], seconds: float) -> bool | None:
        driver = random.choice(["aiomysql", "asyncmy"])
        self.report.count(f"restores through {driver}")
        url = self.soak.relay.url.set(drivername=f"matrixone+{driver}", database=self.database)
        engine = create_async_engine(url)
        connection = engine.connect()
        try:
            async with asyncio.timeout(seconds):
                if not await self._connects(connection):
                    return False
                await AsyncRecovery(connection).restore_snapshot(snapshot, **target, timeout=60)
            return True
        except TimeoutError as error:
            notes: list[str] = getattr(error.__cause__, "__notes__", [])
            self.report.count(f"restores cancelled {'while the server worked' if notes else 'before or after that'}")
            return was_carried_out(notes)
        finally:
            with suppress(exc.SQLAlchemyError):  # the relay may cut its ROLLBACK, or it never connected
                await connection.close()
            check_pool(self.report, f"{self.name} (asyncio)", engine.sync_engine)
            await engine.dispose()

    async def _connects(self, connection: AsyncConnection) -> bool:
        try:
            await connection.start()
        except exc.DBAPIError:
            self.report.count("restores without a connection")
            return False
        return True


def was_carried_out(notes: list[str]) -> bool | None:
    """Return whether a cancelled restore was carried out, according to the notes of its exception.

    Other notes describe the statements that follow a restore, which may have been cancelled instead.
    """
    if any(note.startswith("The restore was carried out") for note in notes):
        return True
    outcomes = [note for note in notes if note.startswith("RESTORE")]
    if any("It was carried out" in note for note in outcomes):
        return True
    return False if any("changed nothing" in note for note in outcomes) else None


def read_ids(engine: Engine) -> set[int]:
    """Return the rows of a restored table."""
    with engine.connect() as connection:
        return set(connection.scalars(select(items.c.id)))


# -- the witness


class Witness:
    """Looks at everything through direct connections while the workers pause."""

    PATIENCE = 240.0

    def __init__(self, soak: Soak, book: Book, migrator: Migrator, restorers: Iterable[Restorer]) -> None:
        self._soak = soak
        self._report = soak.report
        self._book = book
        self._migrator = migrator
        self._restorers = restorers
        self._engine = soak.direct()

    def look(self) -> None:
        """Check everything once."""
        with self._soak.gate.closed(self.PATIENCE) as late:
            if late:
                self._report.violation(f"steps that do not end within {self.PATIENCE:g} seconds: {late}")
                return
            time.sleep(2)  # what was sent before a cut may still be on its way
            for worker, engine in self._soak.engines.items():
                check_pool(self._report, worker, engine)
            self._soak.repeat(self._look)
            self._report.count("checks of the witness")

    def _look(self) -> None:
        with self._engine.connect() as connection:
            self._check_ledger(connection)
            self._check_tables(connection)
            connection.rollback()
            self._check_pitrs(Recovery(connection))

    def _check_ledger(self, connection: Connection) -> None:
        rows: dict[int, int] = dict(connection.execute(text(f"SELECT id, version FROM {ROWS}.ledger")).tuples().all())
        totals: dict[int, int] = dict(connection.execute(text(f"SELECT id, total FROM {ROWS}.counters")).tuples().all())
        self._book.settle(rows, self._report)
        for number, difference in enumerate(self._book.differences(rows, totals)):
            if number < 5:
                self._report.violation(difference)
        self._report.counts["rows compared at last"] = self._book.size

    def _check_tables(self, connection: Connection) -> None:
        if MIGRATED in self._soak.declared:
            expected, seen = (self._migrator.columns, self._migrator.ids), self._migrator.seen(connection)
            if seen != expected:
                self._report.violation(f"the migrated table is {seen} instead of {expected}")
        for restorer in self._restorers:
            if restorer.database in self._soak.declared:
                ids = set(connection.scalars(text(f"SELECT id FROM {restorer.database}.items")))
                if ids != restorer.ids:
                    self._report.violation(f"{restorer.database} holds {sorted(ids)} instead of {sorted(restorer.ids)}")

    def _check_pitrs(self, recovery: Recovery) -> None:
        for database, hours in self._soak.declared.items():
            pitrs = recovery.list_pitrs(database=database)
            active = [pitr for pitr in pitrs if pitr.active is not False and pitr.length >= hours]
            if not active:
                self._report.violation(f"no active PITR of {database}: {pitrs}")
            self._report.count("PITRs found active", len(active))
            self._report.count("PITRs found inactive beside them", len(pitrs) - len(active))


def check_pool(report: Report, worker: str, engine: Engine) -> None:
    """Check that no connection is checked out of an engine's pool."""
    assert isinstance(engine.pool, QueuePool)
    if number := engine.pool.checkedout():
        report.violation(f"{worker} left {number} connections checked out of its pool")


# -- the run


def create_databases(soak: Soak, databases: list[str]) -> None:
    """Create the databases and the tables of the writers."""
    drop_databases(soak, databases)
    engine = soak.direct()
    with engine.connect() as connection:
        for database in databases:
            connection.execute(text(f"CREATE DATABASE {database}"))
        connection.commit()
    engine = soak.direct(ROWS)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(counters), [{"id": n + 1, "total": 0} for n in range(COUNTERS)])


def drop_databases(soak: Soak, databases: list[str]) -> None:
    """Drop the databases, their PITRs and snapshots."""
    engine = soak.direct()
    for database in databases:
        drop_protection(engine, database)
    with engine.connect() as connection:
        Recovery(connection).prune_snapshots("soak_", keep=0)
        for database in databases:
            connection.execute(text(f"DROP DATABASE IF EXISTS {database}"))
        connection.commit()


def restart(soak: Soak, command: str) -> None:
    """Run a shell command that restarts the server, under the hands of the workers, and wait for the server."""
    subprocess.run(command, shell=True, check=True)

    def connect() -> None:
        with soak.direct().connect() as connection:
            connection.execute(text("SELECT 1"))

    soak.repeat(connect)
    soak.report.count("restarts of the server")


def run(soak: Soak, minutes: float, writers: int, restart_command: str | None, pause: float) -> None:
    """Run the workers, and let the witness look every half minute and at the end."""
    book, migrator = Book(), Migrator(soak)
    restorers = [Restorer(soak, number) for number in (1, 2)]
    witness = Witness(soak, book, migrator, restorers)
    create_databases(soak, [ROWS, MIGRATED, *(restorer.database for restorer in restorers)])
    workers = [migrator, *restorers, *(Writer(soak, number, book, pause) for number in range(1, writers + 1))]
    for worker in workers:
        worker.start()
    started = time.monotonic()
    while (seconds := time.monotonic() - started) < minutes * 60:
        time.sleep(min(30, minutes * 60 - seconds))
        if restart_command and seconds > minutes * 30:
            restart(soak, restart_command)
            restart_command = None
            time.sleep(10)
        witness.look()
        print(f"{time.strftime('%X')} after {seconds:.0f} s: {dict(soak.report.counts)}", flush=True)
    soak.stop.set()
    for worker in workers:
        worker.join(Witness.PATIENCE)
    witness.look()
    drop_databases(soak, [ROWS, MIGRATED, *(restorer.database for restorer in restorers)])


def arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", type=make_url, required=True, help="of a server to which anything may happen")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--writers", type=int, default=4, help="how many threads insert and update rows")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two transactions of a writer")
    parser.add_argument("--packets", type=int, default=150, help="how many a connection transports before it is cut")
    parser.add_argument("--restart", metavar="COMMAND", help="a shell command, run after half of the time")
    return parser.parse_args()


def main() -> int:
    """Run the soak, print the counts, and return the exit code."""
    chosen = arguments()
    report = Report()
    warned = Warned(report)
    warnings.simplefilter("always")
    logging.captureWarnings(True)
    logging.basicConfig(handlers=[warned], level=logging.WARNING)
    soak = Soak(chosen.url, report, Relay(chosen.url, report, chosen.packets), warned)
    with soak.direct().connect() as connection:
        release = connection.scalar(text("SELECT VERSION()"))
    run(soak, chosen.minutes, chosen.writers, chosen.restart, chosen.pause)
    print(f"\n{release}, {chosen.minutes:g} minutes, {chosen.writers} writers\n\n{report.table()}")
    return 1 if report.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
