"""Keep tapes in files: one file for each test, which holds what all servers answered.

::

    tapes/servers/4.2.0.json            the server's greeting, and when each test was recorded
    tapes/setup/orders-in-sc_shop.json  statements of a set-up that many tests share
    tapes/test_time/test_restore.json   the exchanges of one test

An exchange stands once in the file, whichever servers had it: ``on`` lists them when they are not all, and
``answers`` holds the answers when these differ. ``sqlalchemy`` names the SQLAlchemy lines that send it, when others
send something else. ``answer`` is what is played; ``columns``, ``rows`` and ``status`` show its content to a reader
and are never read back. A ``CONNECT`` without an answer has the greeting of the server's manifest.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy

from .answers import shown
from .tape import CONNECT, SETUP, Exchange, server_version

T = TypeVar("T")
Json = dict[str, Any]

SQLALCHEMY_LINES = ("2.0", "2.1")
_DEFLATE_FROM = 200  # bytes; shorter answers hardly shrink


def installed_line() -> str:
    """Return the line of the SQLAlchemy that is installed; one that is not known yet counts as the newest."""
    line = ".".join(sqlalchemy.__version__.split(".")[:2])
    return line if line in SQLALCHEMY_LINES else SQLALCHEMY_LINES[-1]


@dataclass
class Tape:
    """The exchanges of one test with one server, for all SQLAlchemy lines, in the order of sending."""

    exchanges: list[Exchange] = field(default_factory=list)
    server: str = ""
    recorded: str = ""

    def of_line(self, line: str) -> list[Exchange]:
        """Return what one line of SQLAlchemy sends."""
        found = (exchange for exchange in self.exchanges if not exchange.lines or line in exchange.lines.split())
        return [replace(exchange, lines="") for exchange in found]

    def with_line(self, line: str, exchanges: Sequence[Exchange]) -> Tape:
        """Return the tape with other exchanges for one line, and those of the other lines as they were.

        As long as all lines send the same, a recording under the newest one replaces that of all.
        """
        lines: dict[str, list[Exchange]] = {}
        parted = any(exchange.lines for exchange in self.exchanges)
        if parted or (self.exchanges and line != SQLALCHEMY_LINES[-1]):
            lines = {other: self.of_line(other) for other in SQLALCHEMY_LINES}
        lines[line] = list(exchanges)
        merged = []
        for slot in align(lines, key=lambda each: (each.send, each.answer, each.closed)):
            exchange = next(iter(slot.values()))
            merged.append(exchange if len(slot) == len(lines) else replace(exchange, lines=" ".join(sorted(slot))))
        return Tape(merged)


def align(variants: dict[str, list[T]], key: Callable[[T], Hashable]) -> list[dict[str, T]]:
    """Merge sequences that are alike into one of slots, each with the item of every variant that has it."""
    slots: list[dict[str, T]] = []
    keys: list[Hashable] = []
    for name, items in variants.items():
        new = [key(item) for item in items]
        merged: list[dict[str, T]] = []
        merged_keys: list[Hashable] = []
        for operation, i, j, k, m in SequenceMatcher(None, keys, new, autojunk=False).get_opcodes():
            if operation == "equal":
                merged += [slot | {name: item} for slot, item in zip(slots[i:j], items[k:m], strict=True)]
                merged_keys += keys[i:j]
            else:
                merged += slots[i:j] + [{name: item} for item in items[k:m]]
                merged_keys += keys[i:j] + new[k:m]
        slots, keys = merged, merged_keys
    return slots


def label_order(label: str) -> tuple[Any, ...]:
    """Sort servers by release and zone; a development build comes last."""
    release, _, zone = label.partition("-")
    return (not release[:1].isdigit(), [int(part) for part in re.findall(r"\d+", release)], zone)


def to_json(tapes: dict[str, list[Exchange]]) -> Json:
    """Merge what the servers answered in one test."""
    labels = sorted(tapes, key=label_order)
    slots = align({label: tapes[label] for label in labels}, key=lambda each: (each.send, each.lines))
    return {"servers": " ".join(labels), "exchanges": [_slot_to_json(slot, labels) for slot in slots]}


def _slot_to_json(slot: dict[str, Exchange], labels: list[str]) -> Json:
    exchange = next(iter(slot.values()))
    entry: Json = {"send": exchange.send}
    if exchange.lines:
        entry["sqlalchemy"] = exchange.lines
    answers: dict[tuple[bytes, bool], list[str]] = {}
    for label, exchange in slot.items():
        answers.setdefault((exchange.answer, exchange.closed), []).append(label)
    entries = [_answer_to_json(*answer, on=on if on != labels else []) for answer, on in answers.items()]
    return entry | (entries[0] if len(entries) == 1 else {"answers": entries})


def _answer_to_json(answer: bytes, closed: bool, on: list[str]) -> Json:
    entry: Json = {"on": " ".join(on)} if on else {}
    if answer:
        entry |= shown(answer) | {"answer": _pack(answer)}
    return entry | {"closed": True} if closed else entry


def from_json(content: Json) -> dict[str, list[Exchange]]:
    """Return what each server answered in one test."""
    labels = content.get("servers", "").split()
    tapes: dict[str, list[Exchange]] = {label: [] for label in labels}
    for entry in content.get("exchanges", []):
        for answer in entry.get("answers", [entry]):
            exchange = Exchange(
                entry["send"],
                _unpack(answer.get("answer", "")),
                answer.get("closed", False),
                entry.get("sqlalchemy", ""),
            )
            for label in answer["on"].split() if "on" in answer else labels:
                tapes[label].append(exchange)
    return tapes


def _pack(data: bytes) -> str:
    if len(data) > _DEFLATE_FROM:
        return "z:" + base64.b64encode(zlib.compress(data, 9)).decode()
    return base64.b64encode(data).decode()


def _unpack(text: str) -> bytes:
    if text.startswith("z:"):
        return zlib.decompress(base64.b64decode(text[2:]))
    return base64.b64decode(text)


class Archive:
    """The folder of all tapes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def labels(self) -> list[str]:
        """Return the servers that there are recordings of."""
        return sorted((path.stem for path in (self.folder / "servers").glob("*.json")), key=label_order)

    def load(self, name: str, label: str) -> Tape | None:
        """Return what a server answered in a test, or None if that was never recorded."""
        exchanges = from_json(self._read(name)).get(label)
        if exchanges is None:
            return None
        server = self._read(f"servers/{label}")
        greeting = _unpack(server["greeting"])
        exchanges = [replace(each, answer=greeting) if _is_greeted(each) else each for each in exchanges]
        return Tape(exchanges, server["server"], server["recorded"].get(name, ""))

    def save(self, name: str, label: str, line: str, exchanges: list[Exchange], *, afresh: bool = False) -> None:
        """Write what a server answered in a test under one SQLAlchemy line.

        :param afresh: forget what was recorded under the other lines.
        """
        with self._locked():
            greeting = self._note(name, label, exchanges)
            tapes = from_json(self._read(name))
            before = Tape() if afresh else Tape(tapes.get(label, []))
            usual = Exchange(CONNECT, greeting)
            short = [Exchange(CONNECT) if each == usual else each for each in exchanges]
            tapes[label] = before.with_line(line, short).exchanges
            self._write(name, to_json(tapes))

    def _note(self, name: str, label: str, exchanges: list[Exchange]) -> bytes:
        """Write into the server's manifest that a test was recorded today, and return the server's greeting."""
        server = self._read(f"servers/{label}") or {"server": "", "greeting": "", "recorded": {}}
        for exchange in exchanges:
            if exchange.send == CONNECT and (version := server_version(exchange.answer)):
                server |= {"server": version, "greeting": _pack(exchange.answer)}
        server["recorded"][name] = time.strftime("%Y-%m-%d", time.gmtime())
        server["recorded"] = dict(sorted(server["recorded"].items()))
        self._write(f"servers/{label}", server)
        return _unpack(server["greeting"])

    def tapes(self) -> list[str]:
        """Return the names of all tapes."""
        return [name for name in self._names() if not name.startswith(("servers/", "setup/"))]

    def setups(self) -> list[str]:
        """Return the file names of all shared set-ups."""
        return [name for name in self._names() if name.startswith("setup/")]

    def _names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder).with_suffix("")) for path in self.folder.rglob("*.json"))

    def recorded(self, name: str) -> list[str]:
        """Return the servers that a tape or set-up was recorded on."""
        return str(self._read(name).get("servers", "")).split()

    def setups_of(self, name: str, label: str) -> set[tuple[str, str]]:
        """Return the set-ups that a tape names, as file names, each with the server."""
        sent = [exchange.send for exchange in from_json(self._read(name))[label]]
        return {(_setup_file(key.removeprefix(SETUP)), label) for key in sent if key.startswith(SETUP)}

    def delete(self, name: str, label: str) -> None:
        """Forget what a server answered in a test, or that it has run a set-up."""
        tapes = from_json(self._read(name))
        del tapes[label]
        if tapes:
            self._write(name, to_json(tapes))
        else:
            self._path(name).unlink()
        server = self._read(f"servers/{label}")
        if server["recorded"].pop(name, None):
            self._write(f"servers/{label}", server)

    def days(self, label: str) -> list[str]:
        """Return the day of each test's last recording on a server."""
        return list(self._read(f"servers/{label}")["recorded"].values())

    def rename(self, renames: Mapping[str, str]) -> list[str]:
        """Rename the tapes of tests, with all of their parameters, and return the new names.

        :param renames: the new names of tests by the old ones, each as ``<module>/<test>``, or
            ``<module>/<class>-<test>``.
        :raises FileExistsError: if another test's tape has a new name already; nothing is renamed then.
        """
        names = {name: new for name in self.tapes() if (new := _renamed(name, renames))}
        for new in names.values():
            if self._path(new).exists() and new not in names:
                raise FileExistsError(new)
        contents = {new: self._path(name).read_bytes() for name, new in names.items()}
        for name in names:
            self._path(name).unlink()
        for new, content in contents.items():
            self._path(new).write_bytes(content)
        for label in self.labels():
            server = self._read(f"servers/{label}")
            recorded = {names.get(name, name): day for name, day in server["recorded"].items()}
            self._write(f"servers/{label}", server | {"recorded": dict(sorted(recorded.items()))})
        return list(names.values())

    def setup(self, name: str, label: str) -> list[str] | None:
        """Return the statements of a shared set-up as a server has run them, or None if it never has."""
        exchanges = from_json(self._read(_setup_file(name))).get(label)
        return None if exchanges is None else [exchange.send for exchange in exchanges]

    def save_setup(self, name: str, label: str, statements: Sequence[str]) -> None:
        with self._locked():
            setups = from_json(self._read(_setup_file(name)))
            setups[label] = [Exchange(statement) for statement in statements]
            self._write(_setup_file(name), to_json(setups))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Json:
        path = self._path(name)
        content: Json = json.loads(path.read_bytes()) if path.exists() else {}
        return content

    def _write(self, name: str, content: Json) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        new.replace(path)  # at once: another process may be reading

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let no other process change files between reading and writing one; each worker of xdist is a process."""
        import fcntl  # not on Windows, where tapes are played and not recorded

        self.folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _is_greeted(exchange: Exchange) -> bool:
    """Return whether the server's usual greeting is the answer, which only its manifest holds."""
    return exchange.send == CONNECT and not exchange.answer and not exchange.closed


def _renamed(name: str, renames: Mapping[str, str]) -> str | None:
    """Return the new name of a tape whose test has one: all of it, or all before its parameters."""
    ends = [match.start() for match in re.finditer("-", name)] + [len(name)]
    return next((renames[name[:end]] + name[end:] for end in reversed(ends) if name[:end] in renames), None)


def _setup_file(name: str) -> str:
    return "setup/" + _slug(name)


def tape_name(nodeid: str, label: str) -> str:
    """Return <module>/<class and test and its parameters other than the server>."""
    module, _, test = nodeid.partition("::")
    return f"{Path(module).stem}/{_slug(test.replace(label, '', 1))}"


def _slug(name: str) -> str:
    """Return a name that can be that of a file."""
    return re.sub(r"[^\w.]+", "-", name, flags=re.ASCII).strip("-")
