"""How tapes are stored in files, and how responses are shown there."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.answers import shown
from tests.scenarios.archive import Archive, label_order
from tests.scenarios.tape import CONNECT, Exchange
from tests.unit.fake_server import DENIED, greeting, ok, packet, rows

TEST = "test_mini/test_it"
ONE, TWO, THREE = (Exchange(f"QUERY {text}", rows(text)) for text in ("one", "two", "three"))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "tapes")


def save(archive: Archive, *exchanges: Exchange, label: str = "4.2.0", line: str = "2.1", **kw: Any) -> None:
    archive.save(TEST, label, line, [Exchange(CONNECT, greeting()), *exchanges], **kw)


def load(archive: Archive, label: str = "4.2.0", line: str = "2.1") -> list[Exchange]:
    tape = archive.load(TEST, label)
    assert tape is not None
    greeted, *exchanges = tape.of_line(line)
    assert greeted == Exchange(CONNECT, greeting())
    return exchanges


def written(archive: Archive, name: str = TEST) -> Any:
    return json.loads((archive.folder / f"{name}.json").read_text())


def test_tape_exchanges_shared_by_servers_are_written_once(archive: Archive) -> None:
    for label in ("4.2.0", "3.0.14"):
        save(archive, ONE, label=label)
    answer = base64.b64encode(ONE.answer).decode()
    assert written(archive) == {
        "servers": "3.0.14 4.2.0",
        "exchanges": [
            {"send": "CONNECT"},
            {"send": "QUERY one", "columns": "c", "rows": ["one"], "answer": answer},
        ],
    }


def test_tape_exchanges_of_one_server_and_different_answers_are_marked(archive: Archive) -> None:
    other = Exchange(ONE.send, rows("uno"))
    save(archive, ONE, THREE, label="4.2.0")
    save(archive, other, TWO, THREE, label="3.0.14")
    one, two, three = written(archive)["exchanges"][1:]
    assert [(answer["on"], answer["rows"]) for answer in one["answers"]] == [("3.0.14", ["uno"]), ("4.2.0", ["one"])]
    assert (two["send"], two["on"]) == (TWO.send, "3.0.14")
    assert (three["send"], "on" in three) == (THREE.send, False)
    assert load(archive, "4.2.0") == [ONE, THREE]
    assert load(archive, "3.0.14") == [other, TWO, THREE]


def test_recording_a_server_again_changes_nothing_of_the_others(archive: Archive) -> None:
    save(archive, ONE, TWO, label="3.0.14")
    save(archive, ONE, TWO, label="4.2.0")
    before = written(archive)
    save(archive, ONE, THREE, label="4.2.0")
    assert load(archive, "3.0.14") == [ONE, TWO]
    save(archive, ONE, TWO, label="4.2.0")
    assert written(archive) == before


def test_greetings_and_dates_are_in_a_manifest_for_each_server(archive: Archive) -> None:
    save(archive, ONE, label="4.2.0-Asia-Shanghai")
    assert archive.labels() == ["4.2.0-Asia-Shanghai"]
    manifest = written(archive, "servers/4.2.0-Asia-Shanghai")
    assert manifest["server"] == "8.0.30-MatrixOne-v9.9.9"
    assert list(manifest["recorded"]) == [TEST]
    tape = archive.load(TEST, "4.2.0-Asia-Shanghai")
    assert tape is not None
    assert tape.recorded == manifest["recorded"][TEST]


def test_connection_that_was_refused_or_closed_keeps_its_own_answer(archive: Archive) -> None:
    exchanges = [Exchange(CONNECT, DENIED), Exchange(CONNECT, greeting(), closed=True), Exchange(CONNECT, closed=True)]
    save(archive, *exchanges)
    assert load(archive) == exchanges


def test_test_that_was_never_recorded_has_no_tape(archive: Archive) -> None:
    assert archive.load(TEST, "4.2.0") is None
    save(archive, ONE, label="4.2.0")
    assert archive.load(TEST, "3.0.14") is None


def test_recording_counts_for_each_sqlalchemy_line_until_one_differs(archive: Archive) -> None:
    save(archive, ONE, TWO, line="2.1")
    assert load(archive, line="2.0") == [ONE, TWO]
    save(archive, ONE, THREE, line="2.0")
    assert load(archive, line="2.0") == [ONE, THREE]
    assert load(archive, line="2.1") == [ONE, TWO]
    marks = [entry.get("sqlalchemy") for entry in written(archive)["exchanges"]]
    assert marks == [None, None, "2.0", "2.1"]


def test_connection_that_one_sqlalchemy_line_opens_is_greeted(archive: Archive) -> None:
    again = Exchange(CONNECT, greeting())
    save(archive, ONE, line="2.1")
    save(archive, ONE, again, line="2.0")
    assert load(archive, line="2.0") == [ONE, again]


def test_sqlalchemy_lines_that_send_the_same_again_share_exchanges(archive: Archive) -> None:
    save(archive, ONE, line="2.1")
    save(archive, TWO, line="2.0")
    save(archive, THREE, line="2.1")
    assert load(archive, line="2.0") == [TWO]
    save(archive, THREE, line="2.0")
    assert [entry.get("sqlalchemy") for entry in written(archive)["exchanges"]] == [None, None]


def test_recording_afresh_forgets_the_other_lines(archive: Archive) -> None:
    save(archive, ONE, line="2.1")
    save(archive, TWO, line="2.0")
    save(archive, THREE, line="2.1", afresh=True)
    assert load(archive, line="2.0") == [THREE]


def test_shared_setup_is_kept_for_each_server(archive: Archive) -> None:
    assert archive.setup("two rows", "4.2.0") is None
    archive.save_setup("two rows", "4.2.0", ["CREATE", "INSERT"])
    archive.save_setup("two rows", "3.0.14", ["CREATE"])
    assert archive.setup("two rows", "4.2.0") == ["CREATE", "INSERT"]
    assert archive.setup("two rows", "3.0.14") == ["CREATE"]


def test_tape_servers_are_sorted_by_release_and_zone() -> None:
    labels = ["4.2.0-Asia-Shanghai", "development", "10.0.0", "3.0.14", "4.2.0", "3.0.2"]
    ordered = ["3.0.2", "3.0.14", "4.2.0", "4.2.0-Asia-Shanghai", "10.0.0", "development"]
    assert sorted(labels, key=label_order) == ordered


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok(), {"status": "OK"}),
        (packet(1, b"\0\2\0\2\0\0\0"), {"status": "OK, 2 affected"}),
        (packet(1, b"\xff\x28\x04#HY000no such table"), {"status": "ERROR 1064 HY000 no such table"}),
        (rows("a", "ü"), {"columns": "c", "rows": ["a", "ü"]}),
        (rows("x" * 60), {"columns": "c", "rows": ["x" * 49 + "…"]}),
        (rows(*"abcdefghijklmnop"), {"columns": "c", "rows": [*"abcdefghijkl", "… 4 more"]}),
        (rows("a").replace(b"\1a", b"\xfb\xfb"), {"columns": "c", "rows": ["NULL | NULL"]}),
        (packet(2, b"\xfemysql_native_password\0salt"), {}),
        (b"", {}),
    ],
)
def test_tape_answers_are_decoded_for_reviewers(answer: bytes, expected: dict[str, Any]) -> None:
    assert shown(answer) == expected
