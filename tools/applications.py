"""Run the scripts of tools/applications, and write their results to docs/applications.md.

    python -m tools.applications install ENVIRONMENTS                    one virtual environment for each application
    python -m tools.applications run ENVIRONMENTS HOST:PORT [NAME …]     on a live server, as the user dump
    python -m tools.applications write                                   the page, from the stored results

The database ``apps_…`` of each application is dropped and created again for each URL.
"""

from __future__ import annotations

import json
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
SECONDS = 300


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
        found: dict[str, Any] = {"package": about["package"], "urls": {}}
        for family in FAMILIES:
            name = family.asynchronous if about["asynchronous"] else family.synchronous
            found["server"] = _new_database(server, f"apps_{script.stem}")
            first, *checks = map(json.loads, _output(python, script, f"{name}://dump:111@{server}/apps_{script.stem}"))
            found |= first
            found["urls"][name] = checks
            print(script.stem, name, [check["error"] for check in checks], flush=True)
        results[script.stem] = found
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _output(python: Path, script: Path, argument: str) -> list[str]:
    command = [python, script, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPTS, timeout=SECONDS)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(done.stderr)
    return lines


def _new_database(server: str, database: str) -> str:
    """Create an empty database, and return the version of the server."""
    host, _, port = server.partition(":")
    connection = pymysql.connect(host=host, port=int(port), user="dump", password="111", autocommit=True)
    cursor = connection.cursor()
    for statement in (f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}"):
        cursor.execute(statement)
    version: str = connection.get_server_info()
    connection.close()
    return version


def write() -> None:
    """Write the results into the page."""
    results = json.loads(RESULTS.read_text())
    notes = json.loads(NOTES.read_text())
    before, _, rest = PAGE.read_text().partition(PLACE[0])
    after = rest.partition(PLACE[1])[2]
    PAGE.write_text(before + PLACE[0] + table(results, notes) + "\n" + details(results, notes) + PLACE[1] + after)


def table(results: dict[str, Any], notes: dict[str, Any]) -> str:
    """Return the table of all applications."""
    families = " | ".join(f"`{family.synchronous}`" for family in FAMILIES)
    lines = [f"| application | {families} | URL to take |", "|---|--:|--:|--:|---|"]
    for name, found in _by_package(results):
        counts = " | ".join(_count(checks) for checks in found["urls"].values())
        title = f"[{found['package']} {found['version']}](#{found['package']})"
        lines.append(f"| {title} | {counts} | {notes[name]['url']} |")
    return "\n".join(lines) + "\n"


def _by_package(results: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(results.items(), key=lambda each: each[1]["package"])


def _count(checks: list[dict[str, Any]]) -> str:
    return f"{sum(check['error'] is None for check in checks)} of {len(checks)}"


def _quoted(error: str) -> str:
    return error.replace("`", "'")


def details(results: dict[str, Any], notes: dict[str, Any]) -> str:
    """Return a section for each application."""
    parts = []
    for name, found in _by_package(results):
        first = next(iter(found["urls"].values()))
        was_run = "; ".join(check["check"] for check in first)
        lines = [f"### {found['package']}", "", f"Run: {was_run}. With SQLAlchemy {found['sqlalchemy']}.", ""]
        for url, checks in found["urls"].items():
            lines += [f"- `{url}`: {check['check']}: `{_quoted(check['error'])}`" for check in checks if check["error"]]
        if lines[-1]:
            lines.append("")
        if note := notes[name].get("note"):
            lines += [note, ""]
        parts.append("\n".join(lines))
    return "\n".join(parts)


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
