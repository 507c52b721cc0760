"""Values for the result of a restore of rows, its preview and its conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import chain
from typing import Any, Literal, Self, TypeVar

from ...exc import RowConflict, format_row

Change = Literal["missing", "changed", "new"]

_C = TypeVar("_C", bound="_Counts")


@dataclass(frozen=True)
class _Counts:
    """The number of rows of each kind.

    :ivar inserted: rows that were missing.
    :ivar updated: rows that had changed.
    :ivar deleted: rows that were new.
    :ivar skipped_columns: columns that were not changed, as ``table.column``: those that exist on one side only, and
        those that the server computes.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    skipped_columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.inserted} inserted, {self.updated} updated, {self.deleted} deleted"
        return f"{text}; skipped: {', '.join(self.skipped_columns)}" if self.skipped_columns else text


@dataclass(frozen=True)
class RestoredRows(_Counts):
    """The result of :meth:`Recovery.restore_rows`.

    :ivar by_table: the same for each table, by its name.
    :ivar verified: whether the rows were compared with their history afterwards, and do not differ. It is False if
        others have written to rows in the meantime; a :class:`RestoreWarning` states how many differ.
    """

    by_table: Mapping[str, RestoredRows] = field(default_factory=dict, repr=False, hash=False)
    verified: bool = field(default=True, kw_only=True)

    def __str__(self) -> str:
        return super().__str__() + ("" if self.verified else "; some rows differ")

    @classmethod
    def total(cls, by_table: Mapping[str, Self]) -> Self:
        """Return the sum over several tables."""
        verified = all(part.verified for part in by_table.values())
        return cls(**_sums(by_table), by_table=dict(by_table), verified=verified)


@dataclass(frozen=True)
class RowChange:
    """A row that :meth:`Recovery.restore_rows` would insert, set back or delete.

    :ivar old: its columns as they were then; None if the row did not exist.
    :ivar current: its columns now; None if the row does not exist.
    """

    table: str
    change: Change
    key: Mapping[str, Any]
    old: Mapping[str, Any] | None
    current: Mapping[str, Any] | None

    @property
    def changed_columns(self) -> tuple[str, ...]:
        """The columns whose values differ, if the row exists on both sides."""
        if self.old is None or self.current is None:
            return ()
        return tuple(name for name, value in self.old.items() if value != self.current.get(name, value))


@dataclass(frozen=True)
class RowsPreview(_Counts):
    """The expected result of :meth:`Recovery.restore_rows`.

    :ivar rows: some of the rows, the old version beside the current one.
    :ivar conflicts: the conflicts because of which ``restore_rows()`` would refuse; empty if there are none.
    :ivar statements: the SQL that would run, in this order. If only a few rows are affected, ``restore_rows()``
        restricts each statement to their keys, which makes it faster and has no other effect.
    :ivar by_table: the same for each table, by its name.
    """

    rows: tuple[RowChange, ...] = ()
    conflicts: tuple[RowConflict, ...] = ()
    statements: tuple[str, ...] = field(default=(), repr=False)
    by_table: Mapping[str, RowsPreview] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def total(cls, by_table: Mapping[str, Self], statements: tuple[str, ...]) -> Self:
        """Return the sum over several tables."""
        return cls(
            **_sums(by_table),
            rows=tuple(chain.from_iterable(part.rows for part in by_table.values())),
            conflicts=tuple(chain.from_iterable(part.conflicts for part in by_table.values())),
            statements=statements,
            by_table=dict(by_table),
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(row.table)}</td><td>{row.change}</td><td>{escape(format_row(row.key))}</td>"
            f"<td>{_html_row(row.old)}</td><td>{_html_row(row.current)}</td></tr>"
            for row in self.rows
        )
        conflicts = "".join(f"<li>{escape(str(conflict))}</li>" for conflict in self.conflicts)
        return (
            f"<p>{escape(str(self))}</p>"
            "<table><thead><tr><th>table</th><th>row</th><th>key</th><th>then</th><th>now</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>" + (f"<p>Conflicts:</p><ul>{conflicts}</ul>" if conflicts else "")
        )


def _sums(by_table: Mapping[str, _C]) -> dict[str, Any]:
    parts = by_table.values()
    return {
        "inserted": sum(part.inserted for part in parts),
        "updated": sum(part.updated for part in parts),
        "deleted": sum(part.deleted for part in parts),
        "skipped_columns": tuple(chain.from_iterable(part.skipped_columns for part in parts)),
    }


def _html_row(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else escape(format_row(row))
