"""The commands, each a thin function over a method of Recovery."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click
from sqlalchemy import Select, literal_column, select, table, text

from ..exc import Reason, RecoveryError
from ..recovery.clock import mo_ts_of
from ..recovery.rows.values import RestoredRows, RowsPreview
from ..recovery.session import Recovery
from ..timetravel.changes import changes_since
from . import output
from .app import App, Group, NotDone, parse_url
from .arguments import DURATION, INSTANT, check_is_kept, criterion, instant, reflect, split_table

_database = click.option("--database", metavar="NAME", help="Only this database.")
_at = click.option(
    "--at", type=INSTANT, metavar="TIME", help='As of then: 25m for 25 minutes ago, or "2026-03-01 12:00:00+00:00".'
)
_snapshot = click.option("--snapshot", metavar="NAME", help="As of this snapshot.")
_yes = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
_dry_run = click.option("--dry-run", is_flag=True, help="Change nothing, and show what would be done.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url",
    envvar="MATRIXONE_URL",
    metavar="URL",
    help="matrixone+pymysql://USER@HOST:6001/DATABASE. If it holds a password, set MATRIXONE_URL instead: others can "
    "see arguments.",
)
@click.option("--ask-password", is_flag=True, help="Ask for the password.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.version_option(package_name="sqlalchemy-matrixone")
@click.pass_context
def cli(ctx: click.Context, url: str | None, ask_password: bool, as_json: bool) -> None:
    """Find out what was lost in a MatrixOne database, and restore it.

    Exit codes: 0 done, 1 an error, 2 wrong usage, 3 nothing was done: declined, conflicting rows, or nothing found.
    """
    parsed = parse_url(url)
    if parsed is not None and ask_password:
        parsed = parsed.set(password=click.prompt("Password", hide_input=True, err=True))
    ctx.obj = App(parsed, as_json)


@cli.command()
@_database
@click.pass_obj
def status(app: App, database: str | None) -> None:
    """Show what protects each table, and which tables are unprotected."""
    with app.recovery() as recovery:
        found = recovery.coverage(database=database)
    rows = [
        (
            each.database,
            each.table,
            ", ".join(source.name for source in each.sources) or "NOT PROTECTED",
            each.earliest,
            len(each.gaps),
        )
        for each in found
    ]
    app.print(found, lambda: output.table(("database", "table", "protected by", "since", "gaps"), rows, "no tables"))


@cli.command()
@_database
@click.option("--table", "name", metavar="TABLE", help="Only this table.")
@click.pass_obj
def windows(app: App, database: str | None, name: str | None) -> None:
    """Show the times that can be restored, as the server reports them."""
    with app.connected() as connection:
        target: dict[str, str | None] = {"database": database}
        if name is not None:
            target["database"], target["table"] = split_table(name, database or connection.dialect.default_schema_name)
        found = Recovery(connection).recovery_windows(**target)
    app.table(found, ("level", "database", "table", "source", "source_name", "start", "end"), "nothing can be restored")


@cli.command()
@_database
@click.option("--svg", "path", type=click.Path(dir_okay=False, writable=True), help="Write a picture to this file.")
@click.pass_obj
def timeline(app: App, database: str | None, path: str | None) -> None:
    """Show PITRs and snapshots on a time axis."""
    with app.recovery() as recovery:
        found = recovery.timeline(database=database)
    if path is not None:
        with click.open_file(path, "w", encoding="utf-8") as file:
            file.write(found.svg())
    app.print(found, lambda: click.echo(str(found)))


@cli.command()
@click.argument("name", metavar="TABLE")
@_at
@_snapshot
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Show this many rows.")
@click.pass_obj
def changes(app: App, name: str, at: Any, snapshot: str | None, limit: int) -> None:
    """Show the rows of TABLE that were inserted, changed or deleted since then."""
    _check_moment(at, snapshot)
    with app.connected() as connection:
        target = reflect(connection, name)
        moment = _moment(connection, at, snapshot)
        check_is_kept(connection, target, moment.get("mo_ts"))
        since = changes_since(target, **moment).limit(limit)
        with app.waiting(f"comparing {name} with its past"):
            found = [_as_change(row) for row in connection.execute(since).mappings()]
    found.sort(key=lambda each: str(each["change"]))
    rows = [(each["change"], _row(each["old"]), _row(each["new"])) for each in found]
    app.print(found, lambda: output.table(("change", "then", "now"), rows, "no rows have changed"))


def _as_change(row: Any) -> dict[str, Any]:
    old = {key.removeprefix("old_"): value for key, value in row.items() if key.startswith("old_")}
    new = {key.removeprefix("new_"): value for key, value in row.items() if key.startswith("new_")}
    change = row["change"]
    return {"change": change, "old": None if change == "new" else old, "new": None if change == "gone" else new}


def _row(row: Any) -> str | None:
    return None if row is None else ", ".join(f"{name}={output.cell(value)}" for name, value in row.items())


@cli.command("find-change")
@click.argument("name", metavar="TABLE")
@click.option("--value", default="COUNT(*)", show_default=True, metavar="SQL", help="An expression of one value.")
@click.option("--where", metavar="SQL", help="Only of these rows.")
@click.option("--since", type=INSTANT, metavar="TIME", help="Begin here. Default: the earliest time that is kept.")
@click.option("--until", type=INSTANT, metavar="TIME", help="End here. Default: now.")
@click.option("--precision", type=DURATION, default="1ms", show_default=True, help="How precisely.")
@click.pass_obj
def find_change(
    app: App, name: str, value: str, where: str | None, since: Any, until: Any, precision: dt.timedelta
) -> None:
    """Find out when a value of TABLE changed, or when TABLE was dropped."""
    with app.connected() as connection:
        database, table_name = split_table(name, connection.dialect.default_schema_name)
        statement: Select[Any] = select(literal_column(value)).select_from(table(table_name, schema=database))
        if where is not None:
            statement = statement.where(text(where))
        times = {"since": instant(connection, since), "until": instant(connection, until)}
        with app.waiting(f"searching the past of {name}"):
            try:
                found = Recovery(connection).find_change(statement, **times, precision=precision)
            except RecoveryError as error:
                if error.reason is Reason.NOT_FOUND:
                    raise NotDone(str(error)) from None
                raise
    rows = [
        ("before", found.before.isoformat(" "), found.value_before),
        ("after", found.after.isoformat(" "), found.value_after),
    ]
    app.print(found, lambda: output.table(("", "time", "value"), rows, ""))


@cli.command("restore-rows")
@click.argument("names", metavar="TABLE...", nargs=-1, required=True)
@_at
@_snapshot
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only these rows; also <> < <= > >=. Repeat it for more conditions, of one TABLE.",
)
@click.option("--column", "columns", multiple=True, metavar="COLUMN", help="Set back only this column. Repeatable.")
@click.option("--missing/--no-missing", default=True, help="Insert rows that no longer exist.")
@click.option("--changed/--no-changed", default=True, help="Set back rows that have changed.")
@click.option("--new/--no-new", default=False, help="Delete rows that are new. Default: keep them.")
@click.option("--sql", is_flag=True, help="Show the statements.")
@_dry_run
@_yes
@click.pass_obj
def restore_rows(
    app: App, names: tuple[str, ...], at: Any, snapshot: str | None, where: tuple[str, ...], columns: tuple[str, ...],
    missing: bool, changed: bool, new: bool, sql: bool, dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Restore rows of TABLE, in one transaction. Newer rows are kept.

    Shows what would be done, and asks for confirmation.
    """
    _check_moment(at, snapshot)
    if len(names) > 1 and (where or columns):
        raise click.UsageError("--where and --column are for one TABLE")
    with app.connected(transaction=True) as connection:
        targets = [reflect(connection, name) for name in names]
        arguments: dict[str, Any] = {
            **_moment(connection, at, snapshot),
            "where": criterion(targets[0], where),
            "columns": list(columns) or None,
            "missing": missing,
            "changed": changed,
            "new": new,
        }
        recovery = Recovery(connection)
        with app.waiting("comparing with the past"):
            preview = recovery.preview_rows(targets, **arguments)
        connection.rollback()
        if dry_run or not app.as_json:
            app.print(preview, lambda: _show_preview(preview, sql))
        if preview.conflicts:
            raise NotDone("nothing was done: rows cannot be restored beside rows that were written since")
        if dry_run:
            return
        if not (preview.inserted or preview.updated or preview.deleted):
            app.print(RestoredRows(), lambda: None)
            return
        app.confirm("Restore these rows?", yes=yes)
        with app.waiting("restoring rows"), connection.begin():
            done = recovery.restore_rows(targets, **arguments)
    app.print(done, lambda: click.echo(f"done: {_counts(done)}"))


def _counts(done: Any) -> str:
    return f"{done.inserted} rows inserted, {done.updated} updated, {done.deleted} deleted"


def _show_preview(preview: RowsPreview, sql: bool) -> None:
    rows = [(row.table, row.change, _row(row.old), _row(row.current)) for row in preview.rows]
    output.table(("table", "row", "then", "now"), rows, "no rows differ")
    for conflict in preview.conflicts:
        click.echo(f"conflict: {conflict}")
    if sql:
        click.echo("".join(f"{statement};\n" for statement in preview.statements))
    click.echo(f"to do: {_counts(preview)}")


@cli.command()
@_database
@click.option("--table", "name", metavar="TABLE", help="Restore this table.")
@click.option("--account", metavar="NAME", help="Restore this account.")
@_snapshot
@click.option("--pitr", metavar="NAME", help="From this PITR, with --at.")
@_at
@click.option("--timeout", type=DURATION, help="Give up if writers block it for this long.")
@_dry_run
@_yes
@click.pass_obj
def restore(
    app: App, database: str | None, name: str | None, account: str | None, snapshot: str | None, pitr: str | None,
    at: Any, timeout: dt.timedelta | None, dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Replace a table, database or account by its former state. What was written since is lost.

    To keep newer changes, use restore-rows.
    """
    if (snapshot is None) == (pitr is None) or (pitr is None) != (at is None):
        raise click.UsageError("from what? Give --snapshot NAME, or --pitr NAME with --at TIME")
    with app.connected() as connection:
        target, described = _target(connection, database, name, account)
        recovery = Recovery(connection)
        blockers = recovery.blockers(**target)
        when = instant(connection, at)
        source = f"snapshot {snapshot}" if snapshot is not None else f"PITR {pitr} at {when}"
        plan = {"restore": described, "from": source, "blockers": blockers}
        for blocker in blockers if not app.as_json else ():
            click.echo(
                f"in the way: connection {blocker.connection_id} of {blocker.user} from {blocker.host}, in a "
                f"transaction since {output.cell(blocker.since)}", err=True,
            )  # fmt: skip
        if dry_run:
            app.print(plan, lambda: click.echo(f"would replace {described} by {source}"))
            return
        app.confirm(f"Replace {described} by {source}? What was written since is lost.", yes=yes)
        with app.waiting(f"restoring {described}"):
            if snapshot is not None:
                recovery.restore_snapshot(snapshot, **target, timeout=timeout)
            else:
                recovery.restore_pitr(str(pitr), timestamp=when, **target, timeout=timeout)
    app.print(plan | {"done": True}, lambda: click.echo(f"done: {described} is what it was"))


def _target(connection: Any, database: str | None, name: str | None, account: str | None) -> tuple[Any, str]:
    if name is not None:
        database, table_name = split_table(name, database or connection.dialect.default_schema_name)
        return {"database": database, "table": table_name}, f"table {database}.{table_name}"
    if database is not None and account is None:
        return {"database": database}, f"database {database}"
    if account is not None and database is None:
        return {"account": account}, f"account {account}"
    raise click.UsageError("restore what? Give one of --table, --database and --account")


@cli.command()
@click.argument("prefix")
@click.option("--keep", type=click.IntRange(0), help="Keep this many of the newest.")
@click.option("--older-than", type=DURATION, help="Drop those older than 7d, say.")
@_dry_run
@_yes
@click.pass_obj
def prune(app: App, prefix: str, keep: int | None, older_than: dt.timedelta | None, dry_run: bool, yes: bool) -> None:
    """Drop older snapshots whose names begin with PREFIX."""
    with app.recovery() as recovery:
        found = recovery.prune_snapshots(prefix, keep=keep, older_than=older_than, dry_run=True)
        if not app.as_json or dry_run:
            app.table(found, ("name", "level", "database", "table", "created_at"), "no snapshot to drop")
        if dry_run:
            return
        if found:
            app.confirm(f"Drop these {len(found)} snapshots?", yes=yes)
            found = recovery.prune_snapshots(prefix, keep=keep, older_than=older_than)
    app.print(found, lambda: click.echo(f"done: {len(found)} snapshots dropped"))


def _check_moment(at: Any, snapshot: str | None) -> None:
    if (at is None) == (snapshot is None):
        raise click.UsageError("as of when? Give one of --at TIME and --snapshot NAME")


def _moment(connection: Any, at: Any, snapshot: str | None) -> dict[str, Any]:
    """Return the keyword argument for the point in time."""
    when = instant(connection, at)
    return {"snapshot": snapshot} if when is None else {"mo_ts": mo_ts_of(when)}
