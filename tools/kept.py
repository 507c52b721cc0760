"""Compare, on a live server, what exists before and after restores, clones and undrops, and write docs/kept.md.

    python -m tools.kept run matrixone+pymysql://dump:111@127.0.0.1:6001 [LEVEL …]
    python -m tools.kept write

The login is that of sys, of a server that holds nothing else: the whole cluster is restored. The kinds of
things are in tools/kept/kinds.txt. For each level they are created again, in a new account, and a level is
reached twice: by the server's own statement, and by what this package offers.
"""

from __future__ import annotations

import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, exc, make_url, table
from sqlalchemy.engine import URL, Connection, Engine

from sqlalchemy_matrixone import CloneDatabase, CloneTable, MatrixOneError, Recovery
from sqlalchemy_matrixone.core.release import Feature, format_release

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).with_suffix("")
RESULTS = FOLDER / "results.json"
NOTES = FOLDER / "notes.json"
PAGE = ROOT / "docs/kept.md"
PLACE = "<!-- what is kept -->\n", "<!-- end -->"

SHOP, COPY, OTHER = "keep_shop", "keep_copy", "keep_other"
SNAPSHOT = "keep_snapshot"
SUBSCRIBER, NOBODY = "keep_subscriber", "keep_nobody"
DATABASES = (OTHER, SHOP, COPY, "keep_whole", "keep_some", "keep_news", "keep_subscribed")
CLEAN_UP = (
    "SET foreign_key_checks = 0",
    f"USE {SHOP}",
    "DROP FUNCTION keep_plus(INT)",
    "DROP PROCEDURE keep_procedure",
    "DROP STAGE keep_stage",
    "DROP USER keep_visitor",
    "DROP USER keep_u",
    "DROP ROLE keep_visitors",
    "DROP ROLE keep_clerk",
    "DROP PUBLICATION keep_whole",
    "DROP PUBLICATION keep_some",
    "DROP PUBLICATION keep_unread",
    "DROP PUBLICATION keep_news",
    "DROP SNAPSHOT keep_snapshot",
    "DROP SNAPSHOT keep_snapshot_2",
    "DROP PITR keep_pitr",
    *(f"DROP DATABASE {database}" for database in DATABASES),
)


WORDS_OF_SYS = {
    "view": "views",
    "publication": "publications",
    "PITR": "PITRs",
    "vector index": "vector indexes",
    "column": "definitions",
    "column: default": "defaults",
    "table: comment": "definitions",
}


@dataclass
class Kind:
    """A kind of thing; see the head of kinds.txt."""

    name: str
    tables: list[str] = field(default_factory=list)
    by: str = "admin"
    tell: str = ""
    of_account: bool = False
    alone: bool = False
    whole: bool = False
    make: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    answer: str = ""

    @classmethod
    def parse(cls, block: str) -> Kind:
        """Read a kind from its block of kinds.txt."""
        name, _, body = block.partition("]\n")
        kind = cls(name)
        statements = kind.make
        for line in body.strip().splitlines():
            match line.split(" ", 1):
                case ["@table", tables]:
                    kind.tables = tables.split()
                case ["@by", user]:
                    kind.by = user
                case ["@tell", name]:
                    kind.tell = name
                case ["@account"]:
                    kind.of_account = True
                case ["@whole"]:
                    kind.whole = True
                case ["@alone"]:
                    kind.alone = True
                case ["?"]:
                    statements = kind.ask
                case ["=>", answer]:
                    kind.answer = answer
                case _:
                    statements.append(line.removesuffix(";"))
        kind.tell = kind.tell or (kind.tables or [""])[0]
        return kind

    def is_told(self, messages: list[str]) -> bool:
        """Return whether a message names it."""
        words = [self.tell]
        if any("what it may have lost in account" in message for message in messages):  # sys names only kinds
            words += [word for start, word in WORDS_OF_SYS.items() if self.name.startswith(start)]
        return any(re.search(rf"\b{re.escape(word)}\b", message) for message in messages for word in words)


def kinds() -> list[Kind]:
    """Read the kinds."""
    text = (FOLDER / "kinds.txt").read_text()
    return list(map(Kind.parse, text.split("\n[")[1:]))


Results = dict[str, dict[str, dict[str, str]]]
"""What becomes of each kind, by release and level."""


@dataclass
class Level:
    """A level of a restore, clone or undrop.

    :ivar account: whose objects it is about.
    :ivar by_sys: whether sys restores it.
    :ivar place: the database to look at afterwards.
    :ivar act: takes the connection, the tables, and whether to use this package; returns the tables that failed.
    """

    account: str
    act: Callable[[Connection, list[str], bool], dict[str, str]]
    by_sys: bool = False
    place: str = SHOP
    of_tables: bool = False


def run(connection: Connection, *statements: str) -> None:
    """Execute statements."""
    for statement in statements:
        connection.exec_driver_sql(statement.replace("%", "%%"))


def attempt(connection: Connection, *statements: str) -> None:
    """Execute statements that may fail."""
    for statement in statements:
        with suppress(exc.DBAPIError):
            run(connection, statement)


def _restore(whose: str, connection: Connection, helped: bool, **target: Any) -> None:
    if helped:
        Recovery(connection).restore_snapshot(SNAPSHOT, **target)
        return
    dialect: Any = connection.dialect
    nested = "".join(f" {key.upper()} {value}" for key, value in target.items() if key in ("database", "table"))
    if "cluster" in target:
        words = "CLUSTER"
    elif dialect.server_release < (4, 0, 0):
        words = f"ACCOUNT {whose}{nested}"
    else:
        words = f"TABLE {SHOP}.{target['table']}" if "table" in target else nested.strip() or f"ACCOUNT {whose}"
    run(
        connection,
        f"RESTORE {words} "
        + (f"FROM SNAPSHOT {SNAPSHOT}" if dialect.server_release < (4, 0, 0) else f"{{SNAPSHOT = {SNAPSHOT}}}"),
    )


def restore(whose: str, **target: Any) -> Callable[[Connection, list[str], bool], dict[str, str]]:
    """Return the function that restores an object of an account."""

    def act(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
        _restore(whose, connection, helped, **target)
        return {}

    return act


def _each(tables: list[str], act: Callable[[str], None]) -> dict[str, str]:
    failed = {}
    for name in tables:
        try:
            act(name)
        except (exc.DBAPIError, MatrixOneError) as error:
            failed[name] = str(error)
    return failed


def restore_tables(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
    """Restore each table by itself."""
    run(connection, f"USE {SHOP}")
    return _each(tables, lambda name: _restore("keep_account", connection, helped, database=SHOP, table=name))


def clone_database(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
    """Clone the database."""
    if helped:
        connection.execute(CloneDatabase(COPY, SHOP, copy_grants=True))
    else:
        run(connection, f"CREATE DATABASE {COPY} CLONE {SHOP}")
    return {}


def clone_tables(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
    """Clone each table by itself."""
    run(connection, f"CREATE DATABASE {COPY}")

    dialect: Any = connection.dialect
    copy_grants = dialect.supports(Feature.CLONE_COPY_GRANTS)

    def clone(name: str) -> None:
        if helped:
            copy, source = (table(name, schema=schema) for schema in (COPY, SHOP))
            connection.execute(CloneTable(copy, source, copy_grants=copy_grants))
        else:
            run(connection, f"CREATE TABLE {COPY}.{name} CLONE {SHOP}.{name}")

    return _each(tables, clone)


def undrop_database(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
    """Drop the database, and bring it back."""
    time.sleep(1)
    run(connection, f"USE {OTHER}", f"DROP DATABASE {SHOP}")
    Recovery(connection).undrop(database=SHOP)
    return {}


def undrop_tables(connection: Connection, tables: list[str], helped: bool) -> dict[str, str]:
    """Drop each table, and bring it back."""

    def undrop(name: str) -> None:
        run(connection, f"DROP TABLE {SHOP}.{name}")
        Recovery(connection).undrop(table=name, database=SHOP)

    return _each(tables, undrop)


LEVELS = {
    "cluster": Level("sys", restore("sys", cluster=True)),
    "account": Level("keep_account", restore("keep_account", account="keep_account")),
    "account, by sys": Level("keep_account", restore("keep_account", account="keep_account"), by_sys=True),
    "database": Level("keep_account", restore("keep_account", database=SHOP)),
    "table": Level("keep_account", restore_tables, of_tables=True),
    "clone of a database": Level("keep_account", clone_database, place=COPY),
    "clone of a table": Level("keep_account", clone_tables, place=COPY, of_tables=True),
    "undrop of a database": Level("keep_account", undrop_database),
    "undrop of a table": Level("keep_account", undrop_tables, of_tables=True),
}
ALONE_LEVELS = (
    "account",
    "database",
    "clone of a database",
)  # the others do not compare the kinds that are compared by themselves
NO_RESULTS = ("–", "not compared")
WITHOUT_STATEMENT = ("undrop of a database", "undrop of a table")


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Connect in AUTOCOMMIT."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with _connect(engine) as connection:
        yield connection


def _connect(engine: Engine, attempts: int = 3) -> Connection:
    """Connect to a server that may be too busy to answer at once."""
    try:
        return engine.connect()
    except exc.OperationalError:
        if attempts == 1:
            raise
        time.sleep(20)
        return _connect(engine, attempts - 1)


@dataclass
class Round:
    """Create all kinds of things, do something to them, and look at what exists afterwards."""

    url: URL
    level: Level

    def login(self, user: str) -> URL:
        """Return the URL of a user."""
        if user == "sys" or (user == "admin" and self.level.account == "sys"):
            return self.url
        account = SUBSCRIBER if user == "subscriber" else self.level.account
        name = {"clerk": "keep_u:keep_clerk", "admin": "admin", "subscriber": "admin"}[user]
        return self.url.set(username=f"{account}:{name}", password="111")

    def make(self, wanted: list[Kind]) -> list[Kind]:
        """Make the things, and return the kinds that the release has."""
        needs_nobody = any(NOBODY in statement for kind in wanted for statement in kind.make)
        of_sys = self.level.account == "sys"
        with connected(self.url) as sys_:
            if of_sys:  # what another account could lose is refused
                run(sys_, "DROP ACCOUNT IF EXISTS keep_account")
            for account in (SUBSCRIBER, *([] if of_sys else ["keep_account"]), *([NOBODY] if needs_nobody else [])):
                run(sys_, f"CREATE ACCOUNT IF NOT EXISTS {account} ADMIN_NAME 'admin' IDENTIFIED BY '111'")
            attempt(sys_, *CLEAN_UP)
        for user in ("subscriber", "admin"):
            with connected(self.login(user)) as connection:
                attempt(connection, *CLEAN_UP)
        with connected(self.login("subscriber")) as subscriber:
            run(subscriber, "CREATE DATABASE keep_news", "CREATE TABLE keep_news.news (a INT)",
                "INSERT INTO keep_news.news VALUES (1)",
                f"CREATE PUBLICATION keep_news DATABASE keep_news ACCOUNT {self.level.account}")  # fmt: skip
        with connected(self.login("admin")) as admin:
            made = self._make(admin, wanted)
        with connected(self.login("subscriber")) as subscriber:
            attempt(subscriber, *(f"CREATE DATABASE {name} FROM {self.level.account} PUBLICATION {name}"
                    for name in ("keep_whole", "keep_some")))  # fmt: skip
        if needs_nobody:
            with connected(self.url) as sys_:
                run(sys_, f"DROP ACCOUNT {NOBODY}")
        return made

    def _make(self, admin: Connection, wanted: list[Kind]) -> list[Kind]:
        run(admin, f"CREATE DATABASE {SHOP}", f"CREATE DATABASE {OTHER}", "CREATE ROLE keep_clerk",
            "CREATE USER keep_u IDENTIFIED BY '111'", "GRANT keep_clerk TO keep_u",
            "GRANT CONNECT ON ACCOUNT * TO keep_clerk")  # fmt: skip
        made = []
        for kind in wanted:
            try:
                run(admin, f"USE {SHOP}", *(statement.replace("{db}", SHOP) for statement in kind.make))
                made.append(kind)
            except exc.DBAPIError as error:
                print(f"    not on this release: {kind.name}: {error.orig}"[:300])
        return made

    def snapshot(self) -> None:
        """Take the snapshot that is restored."""
        with connected(self.login("sys" if self.level.by_sys else "admin")) as connection:
            whole = self.level.account == "sys"
            of = "CLUSTER" if whole else "ACCOUNT" + (" keep_account" if self.level.by_sys else "")
            run(connection, f"CREATE SNAPSHOT {SNAPSHOT} FOR {of}")

    def act(self, tables: list[str], helped: bool) -> tuple[dict[str, str], list[str]]:
        """Restore, clone or undrop; return the tables for which that failed, and the warnings."""
        with (
            connected(self.login("sys" if self.level.by_sys else "admin")) as connection,
            warnings.catch_warnings(record=True) as told,
        ):
            warnings.simplefilter("always")
            failed = self.level.act(connection, tables, helped)
        return failed, [str(warning.message) for warning in told]

    def look(self, kinds: list[Kind]) -> dict[str, str]:
        """Return the answer of each kind's question."""
        answers = {}
        for user in ("admin", "clerk", "subscriber"):
            with connected(self.login(user)) as connection:
                for kind in kinds:
                    if kind.by == user:
                        answers[kind.name] = self._ask(connection, kind)
        return answers

    def _ask(self, connection: Connection, kind: Kind) -> str:
        *before, question = (each.replace("{copy}", self.level.place).replace("{db}", SHOP) for each in kind.ask)
        try:
            if kind.by == "admin":
                run(connection, f"USE {self.level.place}")
            run(connection, *before)
            return _answer(connection, question)
        except exc.DBAPIError as error:
            return f"error: {error.orig.args[1] if error.orig else error}"


def _answer(connection: Connection, question: str) -> str:
    if question == "#active":
        pitrs = Recovery(connection).list_pitrs(level="database", database=SHOP)
        return str((any(pitr.active is not False for pitr in pitrs),))
    result = connection.exec_driver_sql(question.removeprefix("#count ").replace("%", "%%"))
    rows = result.all() if result.returns_rows else []
    return str(len(rows)) if question.startswith("#count") else " ".join(str(tuple(row)) for row in rows)


def compare(url: URL, name: str, wanted: list[Kind]) -> dict[str, str]:
    """Return, for each kind that the release has, what becomes of it."""
    of_tables = LEVELS[name].of_tables  # each table by itself
    found = _compare(url, name, [kind for kind in wanted if not kind.alone or (of_tables and kind.tables)])
    for kind in wanted:
        if kind.alone and not of_tables and name in ALONE_LEVELS:
            found |= _compare(url, name, [kind])
    return found


def _compare(url: URL, name: str, wanted: list[Kind]) -> dict[str, str]:
    level = LEVELS[name]
    if level.place != SHOP or level.act is undrop_database:
        wanted = [kind for kind in wanted if not kind.of_account]
    if level.place != SHOP and level.of_tables:
        wanted = [kind for kind in wanted if kind.tables and not kind.whole]
    if not wanted:
        return {}
    try:
        helped = _round(url, level, wanted, helped=True)
    except MatrixOneError as error:
        if getattr(error, "done", False):  # not refused
            raise
        print(f"    {name} is refused: {error}"[:600])
        named = wanted if len(wanted) == 1 else [kind for kind in wanted if kind.is_told([str(error)])]
        rest = [kind for kind in wanted if kind not in named]
        if not named:
            middle = len(wanted) // 2
            return _compare(url, name, wanted[:middle]) | _compare(url, name, wanted[middle:])
        return {kind.name: "refused" for kind in named} | _compare(url, name, rest)
    if name in WITHOUT_STATEMENT:
        return helped
    bare = _round(url, level, wanted, helped=False)
    return {kind: "put back" if result == "kept" != bare.get(kind) else result for kind, result in helped.items()}


def _round(url: URL, level: Level, wanted: list[Kind], *, helped: bool) -> dict[str, str]:
    each = Round(url, level)
    made = each.make(wanted)
    each.snapshot()
    tables = [name for kind in made for name in kind.tables]
    failed, told = each.act(tables, helped)
    answers = each.look(made)
    results = {}
    for kind in made:
        if errors := [failed[name] for name in kind.tables if name in failed]:
            results[kind.name] = "refused"
        elif answers[kind.name] == kind.answer:
            results[kind.name] = "kept"
        else:
            results[kind.name] = "warned" if kind.is_told(told) else "lost"
        if results[kind.name] != "kept":
            print(f"    {helped=}: {results[kind.name]}: {kind.name}: {answers[kind.name]} {errors}"[:300])
    if helped:
        print("    warnings:", *told, sep="\n      ")
    return results


def check(url: URL) -> list[Kind]:
    """Return the kinds that the release has, with the answers that it gives when nothing has happened."""
    untouched = Round(url, LEVELS["database"])
    made = untouched.make(kinds())
    answers = untouched.look(made)
    for kind in made:
        found = answers[kind.name]
        if kind.answer == "error" and "constraint" not in found:
            kind.answer = "error: not on this release"  # accepted, and ignored
            continue
        if found != kind.answer and kind.answer != "error":
            print(f"    {kind.name}: {found} instead of {kind.answer}"[:300])
        kind.answer = found
    return [kind for kind in made if "error" not in kind.answer or "constraint" in kind.answer]


def compare_all(url: URL, names: list[str]) -> None:
    """Compare at these levels, or at all, and store what was found."""
    with connected(url) as connection:
        release = format_release(connection.dialect.server_release)  # type: ignore[attr-defined]
    usable = check(url)
    for name in names or LEVELS:
        if "clone" in name and release < "3":
            continue
        print(f"{release}, {name}", flush=True)
        found = compare(url, name, list(usable))
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results.setdefault(release, {})[name] = found
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def write() -> None:
    """Write the page."""
    results = json.loads(RESULTS.read_text())
    before, _, rest = PAGE.read_text().partition(PLACE[0])
    PAGE.write_text(before + PLACE[0] + page(results) + PLACE[1] + rest.partition(PLACE[1])[2])


def page(results: Results) -> str:
    """Return the tables of the page, one for each release, and the notes."""
    parts = [f"## MatrixOne {release}\n\n{table_of(results[release])}" for release in sorted(results, reverse=True)]
    notes: dict[str, str] = json.loads(NOTES.read_text())
    lines = [f"- **{name}**: {notes[name]}" for name in map(_name, kinds()) if name in notes]
    return "\n".join([*parts, "## Notes\n", *lines, ""])


def table_of(levels: dict[str, dict[str, str]]) -> str:
    """Return the table of a release: the kinds that some level does not keep, and the names of the others."""
    compared = [name for name in LEVELS if name in levels]
    lines = [f"| | {' | '.join(compared)} |", "|---|" + "---|" * len(compared)]
    kept = []
    for kind in kinds():
        cells = [_cell(kind, name, levels[name]) for name in compared]
        if set(cells) <= {"kept", *NO_RESULTS}:
            kept += [kind.name] if "kept" in cells else []
        else:
            lines.append(f"| {kind.name} | {' | '.join(f'**{cell}**' if cell == 'lost' else cell for cell in cells)} |")
    return "\n".join([*lines, "", f"Kept wherever it was compared: {'; '.join(kept)}.", ""])


def _cell(kind: Kind, name: str, found: dict[str, str]) -> str:
    if kind.alone and name not in ALONE_LEVELS and not LEVELS[name].of_tables:
        return found.get(kind.name, "not compared")
    return found.get(kind.name, "–")


def _name(kind: Kind) -> str:
    return kind.name


def main() -> None:
    """Run the command that the arguments give."""
    match sys.argv[1:]:
        case ["run", url, *levels]:
            compare_all(make_url(url), levels)
        case ["write"]:
            write()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
