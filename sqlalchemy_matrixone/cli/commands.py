"""The commands, each a thin function over a method of Recovery."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import Select, exc, literal_column, select, table, text

from ..core.names import fold
from ..core.refusals import reason_of
from ..exc import Blocker, Reason, RecoveryError
from ..recovery.clock import mo_ts_of
from ..recovery.constructs import RestorePitr, RestoreSnapshot
from ..recovery.objects import object_exists
from ..recovery.plan import RestorePlan, plan_restore
from ..recovery.rows.values import RestoredRows, RowsPreview
from ..recovery.session import Recovery
from ..recovery.values import WHY_UNKNOWN, Coverage
from ..timetravel.changes import changes_since
from . import output
from .app import App, Group, NotDone, parse_url
from .arguments import (
    DURATION,
    INSTANT,
    check_is_kept,
    check_one_given,
    check_snapshot,
    criterion,
    instant,
    reflect,
    split_table,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_database = click.option("--database", metavar="NAME", help="Only this database.")
_at = click.option(
    "--at",
    type=INSTANT,
    metavar="TIME",
    help='The point in time: 25m for 25 minutes ago, or "2026-03-01 12:00:00+00:00".',
)
_snapshot = click.option("--snapshot", metavar="NAME", help="Use the point in time of this snapshot.")
_as_name = click.option(
    "--as", "as_name", metavar="NAME", help="Restore under this name, and keep the present object (3.0 and later)."
)
_yes = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
_dry_run = click.option("--dry-run", is_flag=True, help="Change nothing, and show what would be done.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url",
    envvar="MATRIXONE_URL",
    metavar="URL",
    help="matrixone+pymysql://USER@HOST:6001/DATABASE. If it contains a password, set MATRIXONE_URL instead: others "
    "can see arguments.",
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
            _protected_by(each),
            each.earliest,
            len(each.gaps),
        )
        for each in found
    ]

    def show() -> None:
        output.table(("database", "table", "protected by", "since", "gaps"), rows, "no tables")
        for name in sorted({pitr.name for each in found for pitr in each.unknown}):
            click.echo(f"unknown: {name}: {WHY_UNKNOWN}. `windows` shows what the server restores")

    app.print(found, show)


def _protected_by(table: Coverage) -> str:
    names = [source.name for source in table.sources] + [f"unknown: {pitr.name}" for pitr in table.unknown]
    return ", ".join(names) or "NOT PROTECTED"


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
        if not found and target["database"] is not None:
            _check_exists(connection, str(target["database"]), target.get("table"))
    app.table(found, ("level", "database", "table", "source", "source_name", "start", "end"), "nothing can be restored")


@cli.command()
@_database
@click.option(
    "--svg", "path", type=click.Path(dir_okay=False, writable=True), help="Write an SVG picture to this file."
)
@click.pass_obj
def timeline(app: App, database: str | None, path: str | None) -> None:
    """Show PITRs and snapshots on a time axis."""
    with app.connected() as connection:
        found = Recovery(connection).timeline(database=database)
        if database is not None and not any(entry.object.split(".")[0] == fold(database) for entry in found.entries):
            _check_exists(connection, database)
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
    check_one_given("point in time", "--at TIME or --snapshot NAME", at, snapshot)
    with app.connected() as connection:
        target = reflect(connection, name)
        check_snapshot(Recovery(connection), snapshot)
        moment = _moment(connection, at, snapshot)
        check_is_kept(connection, target, moment.get("mo_ts"))
        since = changes_since(target, **moment).limit(limit)
        with app.waiting(f"comparing {name} with its past"):
            try:
                found = [_as_change(row) for row in connection.execute(since).mappings()]
            except exc.DBAPIError as error:
                if reason_of(error) not in (Reason.NOT_FOUND, Reason.NOT_COVERED):
                    raise
                when = f"in snapshot {snapshot!r}" if at is None else f"at {instant(connection, at)}"
                raise click.ClickException(f"there was no table {target.fullname} {when}") from None
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
@click.option("--value", default="COUNT(*)", show_default=True, metavar="SQL", help="An SQL expression of one value.")
@click.option("--where", metavar="SQL", help="Search only in these rows.")
@click.option(
    "--since", type=INSTANT, metavar="TIME", help="Begin the search here. Default: the earliest time that is kept."
)
@click.option("--until", type=INSTANT, metavar="TIME", help="End the search here. Default: now.")
@click.option(
    "--precision", type=DURATION, default="1ms", show_default=True, help="The maximum time between before and after."
)
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
                if error.reason is not Reason.NOT_FOUND:
                    raise
                raise NotDone(str(error)) from None
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
@click.option("--column", "columns", multiple=True, metavar="COLUMN", help="Restore only this column. Repeatable.")
@click.option("--missing/--no-missing", default=True, help="Insert rows that no longer exist.")
@click.option("--changed/--no-changed", default=True, help="Restore rows that have changed.")
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
    check_one_given("point in time", "--at TIME or --snapshot NAME", at, snapshot)
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
        check_snapshot(recovery, snapshot)
        with app.waiting("comparing with the past"):
            preview = recovery.preview_rows(targets, **arguments)
        connection.rollback()
        if dry_run or not app.as_json:
            app.print(preview, lambda: _show_preview(preview, sql))
        if preview.conflicts:
            raise NotDone("nothing was done: rows conflict with rows that were written since")
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
@click.option("--pitr", metavar="NAME", help="Restore from this PITR; requires --at.")
@_at
@_as_name
@click.option("--timeout", type=DURATION, help="Give up if writers block it for this long.")
@_dry_run
@_yes
@click.pass_obj
def restore(
    app: App, database: str | None, name: str | None, account: str | None, snapshot: str | None, pitr: str | None,
    at: Any, as_name: str | None, timeout: dt.timedelta | None, dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Replace a table, database or account with its former state. What was written since is lost.

    To keep newer changes, use restore-rows; to keep the present object, restore under another name with --as.
    """
    _check_source(snapshot, pitr, at)
    if as_name is not None and timeout is not None:
        raise click.UsageError("--timeout does not apply to --as, which does not wait for writers")
    with app.connected() as connection:
        target, described = _target(connection, database, name, account)
        recovery = Recovery(connection)
        when = instant(connection, at)
        element = RestoreSnapshot(snapshot, **target) if snapshot else RestorePitr(str(pitr), timestamp=when, **target)
        plan = plan_restore(connection, element, as_name)
        source = f"snapshot {snapshot}" if snapshot is not None else f"PITR {pitr} at {when}"
        blockers = [] if as_name is not None else recovery.blockers(**target)
        if dry_run or not (yes or app.as_json):
            shown = {"restore": described, "from": source, "as": as_name, "plan": plan, "blockers": blockers}
            app.print(shown, lambda: _show_plan(plan, as_name))
        _warn_of_blockers(app, blockers)
        if dry_run:
            return
        _confirm_restore(app, f"{described} by {source}", as_name, yes=yes)
        with app.waiting(f"restoring {described}"):
            arguments: dict[str, Any] = {**target, "timeout": timeout, "as_name": as_name}
            if snapshot is not None:
                recovery.restore_snapshot(snapshot, **arguments)
            else:
                recovery.restore_pitr(str(pitr), timestamp=when, **arguments)
    done = {"restore": described, "from": source, "as": as_name, "blockers": blockers, "done": True}
    result = f"{described} is what it was" if as_name is None else f"{described} as it was is now {as_name}"
    app.print(done, lambda: click.echo(f"done: {result}"))


def _check_source(snapshot: str | None, pitr: str | None, at: Any) -> None:
    """Check that a restore has exactly one source, and a point in time for a PITR.

    :raises click.UsageError: if it does not.
    """
    check_one_given("source", "--snapshot NAME, or --pitr NAME with --at TIME", snapshot, pitr)
    if pitr is not None and at is None:
        raise click.UsageError("--pitr requires --at TIME")
    if pitr is None and at is not None:
        raise click.UsageError("--at requires --pitr NAME: a snapshot has its own point in time")


def _show_plan(plan: RestorePlan, as_name: str | None) -> None:
    click.echo(f"would send: {plan.statement}")
    for statement in plan.put_back:
        click.echo(f"afterwards: {statement}")
    rows = [(f"{each.database}.{each.table}", each.rows_then, each.rows_now) for each in plan.tables]
    output.table(("table", "rows then", "rows now"), rows, "no tables")
    for lost in plan.lost:
        click.echo(f"would be lost: {lost}")
    if as_name is not None:
        click.echo(f"the present object stays as it is, beside {as_name}")
    elif plan.exists:
        click.echo(f"would be lost: what was written since {output.cell(plan.restores_to)} UTC; `changes` shows it")


def _warn_of_blockers(app: App, blockers: Sequence[Blocker]) -> None:
    for blocker in blockers if not app.as_json else ():
        click.echo(
            f"in the way: connection {blocker.connection_id} of {blocker.user} from {blocker.host}, in a "
            f"transaction since {output.cell(blocker.since)}", err=True,
        )  # fmt: skip


def _confirm_restore(app: App, what: str, as_name: str | None, *, yes: bool) -> None:
    if as_name is None:
        app.confirm(f"Replace {what}? What was written since is lost.", yes=yes)
    else:
        app.confirm(f"Create {as_name} from {what}?", yes=yes)


@cli.command()
@_database
@click.option("--table", "name", metavar="TABLE", help="Bring back this table.")
@_as_name
@_dry_run
@_yes
@click.pass_obj
def undrop(
    app: App, database: str | None, name: str | None, as_name: str | None, dry_run: bool, yes: bool
) -> None:  # fmt: skip
    """Bring a dropped table or database back, as it was at the last moment at which it existed.

    Replaces nothing. If the table was dropped and created again, use --as to restore the former one under another name.
    """
    if name is None and database is None:
        raise click.UsageError("nothing to bring back was given: pass --table or --database")
    with app.connected() as connection:
        target, described = _target(connection, database, name, None)
        recovery = Recovery(connection)
        described += f" as {as_name}" if as_name is not None else ""
        if dry_run or not yes:
            with app.waiting(f"searching the past of {described}"):
                moment = recovery.undrop(**target, as_name=as_name, dry_run=True)
        if not dry_run:
            if not yes:
                app.confirm(f"Bring back {described}, as it was at {moment}?", yes=False)
            with app.waiting(f"bringing back {described}"):
                moment = recovery.undrop(**target, as_name=as_name)
    result = "would bring back" if dry_run else "done: brought back"
    found = {"undrop": described, "at": moment, "done": not dry_run}
    app.print(found, lambda: click.echo(f"{result} {described}, as it was at {moment}"))


def _target(connection: Any, database: str | None, name: str | None, account: str | None) -> tuple[Any, str]:
    if account is not None and (name is not None or database is not None):
        raise click.UsageError("--account is a whole account: pass it without --table and --database")
    if name is not None:
        database, table_name = split_table(name, database or connection.dialect.default_schema_name)
        return {"database": database, "table": table_name}, f"table {database}.{table_name}"
    if database is not None:
        return {"database": database}, f"database {database}"
    if account is not None:
        return {"account": account}, f"account {account}"
    raise click.UsageError("nothing to restore was given: pass one of --table, --database and --account")


@cli.command()
@click.argument("name")
@click.option("--database", metavar="NAME", help="Of this database.")
@click.option("--table", "table_name", metavar="TABLE", help="Of this table.")
@click.pass_obj
def snapshot(app: App, name: str, database: str | None, table_name: str | None) -> None:
    """Create the snapshot NAME of a table or database, or of the whole account if neither is given."""
    with app.connected() as connection:
        target: dict[str, Any] = {}
        described = "the account"
        if database is not None or table_name is not None:
            target, described = _target(connection, database, table_name, None)
        created = Recovery(connection).create_snapshot(name, **target)
    time = output.cell(created.created_at)
    app.print(created, lambda: click.echo(f"done: created snapshot {created.name} of {described}, {time} UTC"))


@cli.command()
@click.argument("prefix")
@click.option("--keep", type=click.IntRange(0), help="Keep this number of the newest snapshots.")
@click.option("--older-than", type=DURATION, help="Drop snapshots that are older than, for example, 7d.")
@_dry_run
@_yes
@click.pass_obj
def prune(app: App, prefix: str, keep: int | None, older_than: dt.timedelta | None, dry_run: bool, yes: bool) -> None:
    """Drop older snapshots whose names begin with PREFIX."""
    check_one_given("limit", "--keep N, the number of the newest to keep, or --older-than 7d", keep, older_than)
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


def _moment(connection: Any, at: Any, snapshot: str | None) -> dict[str, Any]:
    """Return the keyword argument for the point in time."""
    when = instant(connection, at)
    return {"snapshot": snapshot} if when is None else {"mo_ts": mo_ts_of(when)}


def _check_exists(connection: Connection, database: str, table_name: str | None = None) -> None:
    """Check that a database or table exists of which nothing was found.

    :raises click.ClickException: if it does not.
    """
    if not object_exists(connection, database):
        raise click.ClickException(f"there is no database {database!r}, and nothing of it can be restored")
    if table_name is not None and not object_exists(connection, database, table_name):
        raise click.ClickException(f"there is no table {database}.{table_name}, and nothing of it can be restored")
