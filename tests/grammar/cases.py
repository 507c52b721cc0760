"""Compile each recovery, clone and branch statement of MatrixOne's distributed test cases from a construct.

::

    git clone --branch v4.2.0 https://github.com/matrixorigin/matrixone
    python tests/grammar/cases.py 4.2.0 matrixone/test/distributed/cases

A statement is read into the arguments of a construct, the construct is compiled for that release, and the result is
compared with the statement: the same words, whatever their case and quotes. Prints how many statements each
construct covers, how many are of the kinds that docs/grammar.md lists as not supported, and every other one, in
which case it exits with 1.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import column, literal_column, select, table, text

from sqlalchemy_matrixone import (
    AlterPitr,
    CloneDatabase,
    CloneTable,
    CreateBranch,
    CreatePitr,
    CreateSnapshot,
    DiffBranch,
    DropBranch,
    DropPitr,
    DropSnapshot,
    MergeBranch,
    PickBranch,
    RestorePitr,
    RestoreSnapshot,
    as_of,
)
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

Fields = dict[str, str | None]

# -- the statements of a case file

_OF_RECOVERY = re.compile(
    r"\b(snapshots?|pitr|recovery_window|clone|data\s+branch)\b|\{\s*(snapshot|timestamp|mo_ts|as\s+of)\b"
    r"|^restore\s+(cluster|account|database|table)\b",
    re.I,
)
_QUOTED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`"
_COMMENT = r"/\*.*?\*/|^\s*--[^\n]*|--\s[^\n]*|\#[^\n]*"


def statements(case: str) -> Iterator[str]:
    """Return the statements about recovery, clones or branches, each on one line."""
    parts = re.split(rf"({_QUOTED})|{_COMMENT}|(;)", case, flags=re.S | re.M)
    words: list[str] = []
    for part in [*filter(None, parts), ";"]:
        if part != ";":
            words.append(part)
            continue
        statement = " ".join("".join(words).split())
        words = []
        if _OF_RECOVERY.search(re.sub(_QUOTED, "''", statement)):
            yield statement


# -- how they are read

_NAME = r"(?:[\w$]+|`[^`]+`)"
_TABLE = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_TEXT = r"(?:'[^']*'|\"[^\"]*\")"
_MOMENT = rf"\{{\s*(?:snapshot|timestamp|mo_ts|as of timestamp)\s*=?\s*(?:{_TEXT}|{_NAME})\s*\}}"
_PLACES = {
    "name": _NAME,
    "table": _TABLE,
    "text": _TEXT,
    "named": f"(?:{_NAME}|{_TEXT})",
    "moment": _MOMENT,
    "number": r"\d+",
    "list": r".+",
}
_TO_ACCOUNT = "[ to account <to_account:name>]"
_CONFLICT = "[ when conflict <conflict:name>]"
_WHAT = "(<cluster:word cluster>|account[ <account:name>]|database <database:name>|table <of:name> <what:name>)"
_ACCOUNT = "account <account:name>"


def _pattern(form: str) -> re.Pattern[str]:
    """``drop pitr[ <if:word if> exists] <name:name>``: ``[what may be missing]``, ``<group:what stands there>``."""
    form = re.sub(r"<(\w+):word (\w+)>", r"(?P<\1>\2)", form)
    form = re.sub(r"[{}]", lambda match: "\\" + match[0], form)
    form = form.replace("[", "(?:").replace("]", ")?")
    form = re.sub(r"<(\w+):(\w+)>", lambda match: f"(?P<{match[1]}>{_PLACES[match[2]]})", form)
    return re.compile(re.sub(r"\s+", r"\\s*", form) + r"\s*", re.I)


def _name(given: str | None) -> str | None:
    return given.strip("`'\"") if given else None


def _table(given: str | None, moment: str | None = None) -> Any:
    """A table as an application has it, and at a point in time."""
    *database, name = (_name(part.strip()) for part in (given or "").split("."))
    named = table(str(name), column("*", is_literal=True), schema=database[0] if database else None)
    return as_of(named, **_moment(moment)) if moment else named


def _moment(given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    kind, value = re.fullmatch(r"\{\s*([\w ]+?)\s*=?\s*([^\s=]+|'.*'|\".*\")\s*\}", given).groups()  # type: ignore[union-attr]
    kind = kind.lower().replace("as of ", "")
    if kind == "timestamp":
        return {kind: f"{_name(value)}+00:00"}  # the server reads it in UTC
    return {kind: int(value) if kind == "mo_ts" else _name(value)}


def _what(found: Fields) -> dict[str, Any]:
    """Return the object of a snapshot or PITR."""
    if found["what"]:
        return {"database": _name(found["of"]), "table": _name(found["what"])}
    if found["database"]:
        return {"database": _name(found["database"])}
    return {"cluster": True} if found.get("cluster") else _account(found)


def _account(found: Fields) -> dict[str, Any]:
    return {"account": _name(found["account"])} if found.get("account") else {}


def _to_account(found: Fields) -> dict[str, Any]:
    return {"to_account": _name(found["to_account"])} if found.get("to_account") else {}


def _restored(found: Fields) -> dict[str, Any]:
    """Return the object of a restore, given as ``account a``, ``database a.d`` or ``table d.t``."""
    if found.get("cluster"):
        return {"cluster": True}
    parts = _account(found) | _to_account(found)
    if of := found.get("of") or found.get("of2"):
        *account, database = map(_name, of.split("."))
        parts |= {"database": database} | ({"account": account[0]} if account else {})
    if found.get("in"):
        parts |= dict(zip(("database", "table"), map(_name, str(found["in"]).split(".")), strict=True))
    what = found.get("what") or found.get("what2")
    return parts | ({"table": _name(what)} if what else {})


def _range(found: Fields) -> str:
    return f"{found['length']}{(_name(found['unit']) or '')}"


def _keys(given: str) -> Any:
    return text(given) if given.lower().startswith("select") else list(map(_key, _split(given)))


def _key(given: str) -> Any:
    if given.startswith("(") and "," in given:
        return tuple(map(_key, _split(given[1:-1])))
    if re.fullmatch(r"-?\d+", given):
        return int(given)
    return given[1:-1] if re.fullmatch(_TEXT, given) else literal_column(given)


def _split(given: str) -> list[str]:
    """At the commas that are in no parentheses."""
    parts = re.findall(rf"(?:{_TEXT}|\((?:[^()]|\([^()]*\))*\)|[^,()])+", given)
    return [part.strip() for part in parts]


def _diff(found: Fields) -> DiffBranch:
    output: dict[str, Any] = {}
    if found["output"]:
        output = {"output": found["output"].lower()}
    elif found["limit"]:
        output = {"limit": int(found["limit"])}
    elif found["file"]:
        output = {"file": _name(found["file"])}
    elif found["as_table"]:
        output = {"as_table": _table(found["as_table"])}
    columns = [_name(part) for part in _split(found["columns"])] if found["columns"] else None
    return DiffBranch(_table(found["a"], found["then"]), _table(found["b"], found["then_b"]), columns=columns, **output)


def _conflict(found: Fields) -> dict[str, Any]:
    return {"on_conflict": found["conflict"].lower()} if found["conflict"] else {}


def _pick(found: Fields) -> PickBranch:
    return PickBranch(
        _table(found["a"], found["then"]),
        _table(found["b"]),
        keys=_keys(found["keys"].strip()) if found["keys"] else None,
        between=(str(_name(found["first"])), str(_name(found["last"]))) if found["first"] else None,
        **_conflict(found),
    )


READ: list[tuple[str, Callable[[Fields], Any]]] = [
    (
        f"create snapshot[ <not:word if> not exists] <name:name> for {_WHAT}",
        lambda found: CreateSnapshot(_name(found["name"]), if_not_exists=bool(found["not"]), **_what(found)),
    ),
    (
        "drop snapshot[ <if:word if> exists] <name:name>",
        lambda found: DropSnapshot(_name(found["name"]), if_exists=bool(found["if"])),
    ),
    (
        f"create pitr[ <not:word if> not exists] <name:name> for {_WHAT} range <length:number> <unit:text>",
        lambda found: CreatePitr(
            _name(found["name"]), range=_range(found), if_not_exists=bool(found["not"]), **_what(found)
        ),
    ),
    (
        "alter pitr[ <if:word if> exists] <name:name> range <length:number> <unit:text>",
        lambda found: AlterPitr(_name(found["name"]), range=_range(found), if_exists=bool(found["if"])),
    ),
    (
        "drop pitr[ <if:word if> exists] <name:name>",
        lambda found: DropPitr(_name(found["name"]), if_exists=bool(found["if"])),
    ),
    (
        f"restore (<cluster:word cluster>|{_ACCOUNT}[ database <of:name>[ table <what:name>]]|database <of2:name>"
        f"[ table <what2:name>]) from snapshot <name:name>{_TO_ACCOUNT}",
        lambda found: RestoreSnapshot(_name(found["name"]), **_restored(found)),
    ),
    (
        f"restore (<cluster:word cluster>|{_ACCOUNT}|database <of:table>|table <in:table>)"
        f" {{ snapshot = <name:named> }}{_TO_ACCOUNT}",
        lambda found: RestoreSnapshot(_name(found["name"]), **_restored(found)),
    ),
    (
        f"restore (<cluster:word cluster>|{_ACCOUNT}[ database <of:name>[ table <what:name>]]|database <of2:name>"
        f"[ table <what2:name>]) from pitr <name:name> <when:text>{_TO_ACCOUNT}",
        lambda found: RestorePitr(_name(found["name"]), server_time=_name(found["when"]), **_restored(found)),
    ),
    (
        "create table[ <not:word if> not exists] <a:table> clone <b:table>[ <then:moment>][ <grants:word copy> grants]"
        "[ to account <to_account:name>]",
        lambda found: CloneTable(
            _table(found["a"]),
            _table(found["b"], found["then"]),
            if_not_exists=bool(found["not"]),
            copy_grants=bool(found["grants"]),
            **_to_account(found),
        ),
    ),
    (
        "create database <a:name> clone <b:name>[ <then:moment>][ to account <to_account:name>]",
        lambda found: CloneDatabase(
            _name(found["a"]), _name(found["b"]), **_moment(found["then"]), **_to_account(found)
        ),
    ),
    (
        "data branch create table <a:table> from <b:table>[ <then:moment>][ to account <to_account:name>]",
        lambda found: CreateBranch(_table(found["a"]), _table(found["b"], found["then"]), **_to_account(found)),
    ),
    (
        "data branch create database <a:name> from <b:name>[ <then:moment>][ to account <to_account:name>]",
        lambda found: CreateBranch(
            _name(found["a"]), database=_name(found["b"]), **_moment(found["then"]), **_to_account(found)
        ),
    ),
    ("data branch delete table <a:table>", lambda found: DropBranch(_table(found["a"]))),
    ("data branch delete database <a:name>", lambda found: DropBranch(database=_name(found["a"]))),
    (
        "data branch diff <a:table>[ <then:moment>] against <b:table>[ <then_b:moment>]"
        "[ columns \\( <columns:list> \\)]"
        "[ output[ limit <limit:number>][ file <file:text>][ as <as_table:table>][ <output:name>]]",
        _diff,
    ),
    (
        f"data branch merge <a:table>[ <then:moment>] into <b:table>{_CONFLICT}",
        lambda found: MergeBranch(_table(found["a"], found["then"]), _table(found["b"]), **_conflict(found)),
    ),
    (
        "data branch pick <a:table>[ <then:moment>] into <b:table>[ between snapshot <first:named> and <last:named>]"
        f"[ keys \\( <keys:list> \\)]{_CONFLICT}",
        _pick,
    ),
]


# -- statements without a construct: docs/grammar.md lists the same, with what to do instead

NOT_SUPPORTED = {
    "read by the Inspector and Recovery": r"show (snapshots|pitr|recovery_window)\b.*",
    "reflection of the past": r"(show|analyze) .*\{.*",
    "a name of the past in a string": r"create view `.*@snapshot=x` .*|select 1 as .*",
    "no such word order on any release": (
        r"create pitr (account .*|for account sys .*|[\w`]+ (range|database|table|if) .*)"
        r"|(alter|drop) pitr (if exists )?account\b.*"
    ),
    "refused by the servers: objects of another account": (
        r"create (snapshot|pitr) \w+ for account \w+ (database|table) .*"
    ),
    "refused by the servers: a range that is none": (
        r"(create|alter) pitr .* range (-.*|0 .*|\d{3,} .*)|.*range \d+ '(?!h'|d'|mo'|y')\w*'"
    ),
    "refused by the servers: a table of the past is written to": r"data branch .*(output as|into) \w+ ?\{.*",
}
_HINTED = re.compile(rf"({_TABLE})\s*({_MOMENT})", re.I)


def covered_by(statement: str, release: str) -> tuple[str, str]:
    """Return the construct that covers a statement, and the SQL it compiles to."""
    dialect = MatrixOneDialect_pymysql(server_version=release)
    for pattern, construct in _PATTERNS:
        if found := pattern.fullmatch(statement):
            made = construct(found.groupdict())
            return type(made).__name__, str(made.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return "", ""


_READS = re.compile(
    r"(\(\s*)*(select|with|insert|replace|update|delete|create (table|view)|explain|prepare|execute)\b", re.I
)


def hints_covered(statement: str, release: str) -> bool:
    """Whether each table that a statement reads in the past is one of as_of(). The rest of it is SQLAlchemy's."""
    if not _READS.match(statement):
        return False
    dialect = MatrixOneDialect_pymysql(server_version=release)
    hinted = _HINTED.findall(statement)
    for name, moment in hinted:
        compiled = select(_table(name, moment)).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        if _words(f"from {name} {moment} as") not in _words(str(compiled)):
            return False
    return bool(hinted) and len(hinted) == len(re.findall(r"\{", statement))


def _words(statement: str) -> str:
    """Return a statement without case, quotes and spacing, and with one word if the server accepts two."""
    bare = re.sub(r"[`'\"\s]|\.000000(?=')", "", statement).casefold()
    return bare.replace("asoftimestamp", "timestamp=").replace("timestamp==", "timestamp=")


_PATTERNS = [(_pattern(form), construct) for form, construct in READ]


def main(release: str, cases: Path) -> bool:
    found = {
        statement.casefold(): statement
        for path in sorted((*cases.rglob("*.sql"), *cases.rglob("*.test")))
        for statement in statements(path.read_text(errors="replace"))
    }
    counts: Counter[str] = Counter()
    left = []
    for statement in found.values():
        reason = next((why for why, form in NOT_SUPPORTED.items() if re.fullmatch(form, statement, re.I | re.S)), None)
        by, compiled, error = "", "", ""
        if reason is None:
            try:
                by, compiled = covered_by(statement, release)
            except Exception as refusal:
                error = f"{type(refusal).__name__}: {refusal}"
            if not by and not error and hints_covered(statement, release):
                by, compiled = "as_of", statement
        if reason or _words(compiled % ()) == _words(statement):
            counts[reason or by] += 1
        else:
            left.append((statement, error or compiled))
    for name, count in sorted(counts.items()):
        print(f"{count:5} {name}")
    print(f"{len(found):5} distinct statements, {len(left)} of them neither covered nor listed")
    for statement, instead in left:
        print(f"  {statement}\n    {instead}")
    return not left


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], Path(sys.argv[2])))
