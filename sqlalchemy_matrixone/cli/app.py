"""Common parts of all commands: the connection, output, prompts and errors."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import URL, create_engine, exc, make_url
from sqlalchemy.engine import Connection

from ..exc import RestoreConflict
from ..recovery.session import Recovery
from . import output

FAILED, NOT_DONE = 1, 3
"""Exit codes: an error; or nothing was done, because the user declined, rows conflict, or nothing was found."""


class NotDone(click.ClickException):
    """Raised if nothing was done, which is not an error."""

    exit_code = NOT_DONE

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


@dataclass
class App:
    """The options that all commands share."""

    url: URL | None
    as_json: bool

    @contextmanager
    def connected(self, *, transaction: bool = False) -> Iterator[Connection]:
        """Connect, in AUTOCOMMIT unless a transaction is needed."""
        if self.url is None:
            raise click.UsageError("no server was given: pass --url, or set MATRIXONE_URL")
        engine = create_engine(self.url)
        options = {} if transaction else {"isolation_level": "AUTOCOMMIT"}
        try:
            with engine.connect().execution_options(**options) as connection:
                yield connection
        finally:
            engine.dispose()

    @contextmanager
    def recovery(self) -> Iterator[Recovery]:
        """Connect, and return a Recovery on the connection for the time of the context."""
        with self.connected() as connection:
            yield Recovery(connection)

    def waiting(self, what: str) -> AbstractContextManager[Any]:
        """Show what is being done while it lasts, on a terminal."""
        if self.as_json or not sys.stderr.isatty():
            return nullcontext()
        return output.console(stderr=True).status(what)

    def print(self, value: Any, show: Callable[[], None]) -> None:
        """Print a value as JSON, or show it to people."""
        if self.as_json:
            output.print_json(value)
        else:
            show()

    def table(self, values: Sequence[Any], columns: Sequence[str], empty: str) -> None:
        """Print values: as JSON, or some of their attributes as a table."""
        headings = [name.replace("_", " ") for name in columns]
        rows = ([getattr(value, name) for name in columns] for value in values)
        self.print(values, lambda: output.table(headings, rows, empty))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is replaced.

        :raises NotDone: if the answer is no.
        """
        if yes:
            return
        if self.as_json:
            raise click.UsageError("--json never prompts: pass --yes, or --dry-run")
        if not click.confirm(question, err=True):
            raise NotDone("nothing was done")


def parse_url(text: str | None) -> URL | None:
    """Return a URL of any MatrixOne or MySQL driver as one for PyMySQL."""
    if text is None:
        return None
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        # SQLAlchemy's message may contain the text, with the password.
        raise click.UsageError(
            "the URL cannot be read: write matrixone+pymysql://USER:PASSWORD@HOST:6001/DATABASE"
        ) from None
    if "@" in (url.host or ""):
        # A message of the driver would contain the rest of the password as part of the host.
        raise click.UsageError("the URL cannot be read: write an @ in the user name or password as %40")
    if url.get_backend_name() not in ("matrixone", "mysql"):
        raise click.UsageError(f"the URL is for {url.get_backend_name()}, not for MatrixOne")
    return url.set(drivername="matrixone+pymysql")


class Group(click.Group):
    """A group of commands whose errors are one line, without statements, parameters and passwords."""

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            try:
                return super().invoke(ctx)
            except RestoreConflict as conflict:
                raise NotDone(_without_password(ctx, str(conflict))) from None
            except exc.SQLAlchemyError as error:
                raise click.ClickException(_without_password(ctx, _message(ctx, error))) from None
            finally:
                for warning in caught:
                    click.echo(f"Warning: {_without_password(ctx, str(warning.message))}", err=True)


_UNKNOWN_DATABASE = 1049


def _message(ctx: click.Context, error: exc.SQLAlchemyError) -> str:
    if not isinstance(error, exc.DBAPIError) or error.orig is None or not error.orig.args:
        return str(error)
    message = str(error.orig.args[-1])
    database = ctx.obj.url.database if isinstance(ctx.obj, App) and ctx.obj.url is not None else None
    if error.orig.args[0] == _UNKNOWN_DATABASE and database and message.endswith(f" {database}"):
        message += f": if it was dropped, leave it out of the URL, and run undrop --database {database}"
    return message


def _without_password(ctx: click.Context, message: str) -> str:
    password = ctx.obj.url.password if isinstance(ctx.obj, App) and ctx.obj.url is not None else None
    return message.replace(str(password), "***") if password and len(str(password)) > 3 else message
