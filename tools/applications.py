"""Run the scripts of tools/applications, and write their results to docs/applications.md.

    python -m tools.applications install ENVIRONMENTS                    one virtual environment for each application
    python -m tools.applications run ENVIRONMENTS HOST:PORT [NAME …]     on a live server, as the user dump
    python -m tools.applications write                                   the page, from the stored results

The database ``apps_…`` of each application is dropped and created again for each URL.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, NamedTuple

import pymysql

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = Path(__file__).with_suffix("")
RESULTS = SCRIPTS / "results.json"
NOTES = SCRIPTS / "notes.json"
PAGE = ROOT / "docs/applications.md"
PLACE = "<!-- applications -->\n", "<!-- end -->"
SECONDS = 900


class Family(NamedTuple):
    """The URLs of one dialect, for synchronous and for asynchronous applications."""

    synchronous: str
    asynchronous: str


FAMILIES = (
    Family("matrixone+pymysql", "matrixone+aiomysql"),
    Family("mysql+matrixone", "mysql+matrixone_aiomysql"),
    Family("mysql+pymysql", "mysql+aiomysql"),
)


def scripts() -> list[Path]:
    """Return the scripts of the applications."""
    return sorted(path for path in SCRIPTS.glob("*.py") if path.name != "checks.py")


def python_of(environments: Path, script: Path) -> Path:
    """Return the interpreter of a script's environment."""
    return environments / script.stem / "bin/python"


def install(environments: Path) -> None:
    """Create an environment with the application for each script."""
    for script in scripts():
        venv.create(environments / script.stem, with_pip=True)
        command = [python_of(environments, script), "-m", "pip", "install", "-q", *requirements(script)]
        subprocess.run([*command, f"{ROOT}[aiomysql]", "cryptography"], check=True)


def requirements(script: Path) -> list[str]:
    """Return the requirements in the last line of a script, before the script can be imported."""
    call = script.read_text().rstrip().rpartition("run(")[2].rpartition(")")[0]
    texts = [text.strip().strip('"') for text in call.split(",") if "=" not in text or "<" in text]
    return texts[1:] or texts


def run(environments: Path, server: str, names: list[str]) -> None:
    """Run the scripts on a server, and store the results."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for script in scripts():
        python = python_of(environments, script)
        if not python.exists() or (names and script.stem not in names):
            continue
        about = json.loads(_output(python, script, "--about")[0])
        found = results.setdefault(script.stem, {"servers": {}})
        found["package"] = about["package"]
        for family in FAMILIES:
            name = family.asynchronous if about["asynchronous"] else family.synchronous
            release = _new_database(server, f"apps_{script.stem}")
            first, *checks = map(json.loads, _output(python, script, f"{name}://dump:111@{server}/apps_{script.stem}"))
            found |= first
            found["servers"].setdefault(release, {})[name] = checks
            print(script.stem, release, name, [check["error"] for check in checks], flush=True)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _output(python: Path, script: Path, argument: str) -> list[str]:
    command = [python, script, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPTS, timeout=SECONDS)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(done.stderr)
    return lines


def _new_database(server: str, database: str) -> str:
    """Create an empty database, and return the release of the server."""
    host, _, port = server.partition(":")
    connection = pymysql.connect(host=host, port=int(port), user="dump", password="111", autocommit=True)
    cursor = connection.cursor()
    for statement in (f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}"):
        cursor.execute(statement)
    version: str = connection.get_server_info()
    connection.close()
    return version.rpartition("-v")[2]


def write() -> None:
    """Write the results into the page."""
    results = json.loads(RESULTS.read_text())
    notes = json.loads(NOTES.read_text())
    before, _, rest = PAGE.read_text().partition(PLACE[0])
    after = rest.partition(PLACE[1])[2]
    PAGE.write_text(before + PLACE[0] + table(results, notes) + "\n" + details(results, notes) + PLACE[1] + after)


def table(results: dict[str, Any], notes: dict[str, Any]) -> str:
    """Return the table of all applications."""
    servers = releases(results)
    families = [f" {release}: `{family.synchronous}` |" for release in servers for family in FAMILIES]
    lines = [f"| application |{''.join(families)} URL to take |", f"|---|{'--:|' * len(families)}---|"]
    for name, found in _by_package(results):
        counts = " | ".join(_counts(found["servers"].get(release)) for release in servers)
        title = f"[{found['package']} {found['version']}](#{found['package']})"
        lines.append(f"| {title} | {counts} | {notes[name]['url']} |")
    return "\n".join(lines) + "\n"


def releases(results: dict[str, Any]) -> list[str]:
    """Return the releases on which applications were run, newest first."""
    found = {release for each in results.values() for release in each["servers"]}
    return sorted(found, key=lambda release: [int(part) for part in release.split(".")], reverse=True)


def _by_package(results: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(results.items(), key=lambda each: each[1]["package"])


def _counts(urls: dict[str, Any] | None) -> str:
    if urls is None:
        return " | ".join("not run" for _ in FAMILIES)
    return " | ".join(f"{sum(check['error'] is None for check in checks)} of {len(checks)}" for checks in urls.values())


def _quoted(error: str) -> str:
    return error.replace("`", "'")


def details(results: dict[str, Any], notes: dict[str, Any]) -> str:
    """Return a section for each application."""
    parts = []
    for name, found in _by_package(results):
        first = next(iter(next(iter(found["servers"].values())).values()))
        was_run = "; ".join(check["check"] for check in first)
        lines = [f"### {found['package']}", "", f"Run: {was_run}. With SQLAlchemy {found['sqlalchemy']}.", ""]
        lines += _failures(found["servers"], releases(results))
        if lines[-1]:
            lines.append("")
        if note := notes[name].get("note"):
            lines += [note, ""]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _failures(servers: dict[str, Any], order: list[str]) -> list[str]:
    """Return a line for each error, which names the checks, and the releases if it was not found on all."""
    errors: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], list[str]] = {}
    found_on: dict[tuple[str, str], list[str]] = {}
    run_on = [release for release in order if release in servers]
    failed = [
        (release, url, check)
        for release in run_on
        for url, checks in servers[release].items()
        for check in checks
        if check["error"]
    ]
    for release, url, check in failed:
        key = url, re.sub(r"[\d.]+", "", check["error"])  # without the ids in it, which differ
        errors.setdefault(key, check["error"])
        _add(names.setdefault(key, []), check["check"])
        _add(found_on.setdefault(key, []), release)
    return [_failure(key[0], names[key], error, found_on[key], run_on) for key, error in errors.items()]


def _add(values: list[str], value: str) -> None:
    if value not in values:
        values.append(value)


def _failure(url: str, names: list[str], error: str, found_on: list[str], run_on: list[str]) -> str:
    where = "" if found_on == run_on else f" on {' and '.join(found_on)}"
    return f"- `{url}`{where}: {'; '.join(names)}: `{_quoted(error)}`"


def main() -> None:
    """Run the subcommand that the command line names."""
    match sys.argv[1:]:
        case ["install", environments]:
            install(Path(environments).absolute())
        case ["run", environments, server, *names]:
            run(Path(environments).absolute(), server, names)
        case ["write"]:
            write()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
