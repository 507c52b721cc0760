"""Check that old and current rows of a table can be matched, and that old values fit into it."""

from __future__ import annotations

import re

from ...core.release import Feature, format_release
from ...core.server import MatrixOneServer
from ...exc import MatrixOneArgumentError, Reason, RestoreError
from .definition import ColumnDefinition
from .pair import TablePair
from .target import RowKinds

# Each type can hold the values of those before it.
_WIDER = (
    ("tinyint", "smallint", "mediumint", "int", "bigint"),
    ("tinyint unsigned", "smallint unsigned", "mediumint unsigned", "int unsigned", "bigint unsigned"),
    ("float", "double"),
    ("char", "varchar", "text"),
    ("binary", "varbinary", "blob"),
)
_TIMES = frozenset(("datetime", "timestamp", "time"))
_SIZED = re.compile(r"(?P<name>\w+)\((?P<sizes>[\d,]+)\)")


def check_definitions(dialect: MatrixOneServer, pair: TablePair, kinds: RowKinds) -> None:
    """Check that the rows of a table can be restored.

    :raises MatrixOneArgumentError: if the criterion or the columns do not exist on both sides.
    :raises RestoreError: if rows cannot be matched, or old values would be changed without an error.
    """
    _check_keys(pair)
    _check_names(pair)
    if pair.target.has_subquery and not dialect.supports(Feature.PRESENT_WITHIN_PAST):
        feature = Feature.PRESENT_WITHIN_PAST
        raise RestoreError(
            f"nothing was changed: {feature.sql} needs MatrixOne {format_release(feature.since)} or later, so where= "
            f"of {pair.name} cannot contain a subquery",
            Reason.UNSUPPORTED,
        )
    restored = pair.restorable if kinds.missing else pair.scope if kinds.changed else ()
    for name in restored:
        old, now = pair.then.columns[name], pair.now.columns[name]
        if not _fits(old, now):
            raise RestoreError(
                f"nothing was changed: {pair.name}.{now.name} was {old.type} then and is {now.type} now, so the "
                "server could change its values without an error. Leave the column out by columns= and missing=False, "
                "or write the statement yourself, with as_of().",
                Reason.UNSUPPORTED,
            )


def _check_keys(pair: TablePair) -> None:
    if not pair.now.primary_key:
        raise RestoreError(
            f"nothing was changed: {pair.name} has no primary key, by which old and current rows could be matched",
            Reason.UNSUPPORTED,
        )
    if pair.now.primary_key != pair.then.primary_key:
        raise RestoreError(
            f"nothing was changed: the primary key of {pair.name} was ({', '.join(pair.then.primary_key)}) then and is "
            f"({', '.join(pair.now.primary_key)}) now, so old and current rows cannot be matched",
            Reason.UNSUPPORTED,
        )


def _check_names(pair: TablePair) -> None:
    for name in sorted(pair.target.criterion_columns):
        if name not in pair.now.columns or name not in pair.then.columns:
            when = "now" if name not in pair.now.columns else "then"
            raise MatrixOneArgumentError(f"where= uses {pair.name}.{name}, but there is no such column {when}")
    for name in sorted(pair.target.columns or ()):
        if name not in pair.restorable or name in pair.key:
            raise MatrixOneArgumentError(
                f"columns= contains {pair.name}.{name}, which cannot be restored: it does not exist both then and "
                "now, is computed by the server, or is in the primary key"
            )


def _fits(old: ColumnDefinition, now: ColumnDefinition) -> bool:
    """Return whether a column takes all old values unchanged, or else raises an error."""
    if old.type == now.type:
        return True
    if {old.base_type, now.base_type} <= {"enum", "set"} and old.base_type == now.base_type:
        return True  # values are converted by their text; an unknown one raises an error
    old_name, old_sizes = _name_and_sizes(old.type)
    now_name, now_sizes = _name_and_sizes(now.type)
    if old_name != now_name:
        chain = next((chain for chain in _WIDER if old_name in chain and now_name in chain), ())
        return bool(chain) and chain.index(old_name) < chain.index(now_name) and _not_narrower(old_sizes, now_sizes)
    if now_name == "decimal" and len(old_sizes) == len(now_sizes) == 2:
        return now_sizes[1] >= old_sizes[1] and now_sizes[0] - now_sizes[1] >= old_sizes[0] - old_sizes[1]
    return len(old_sizes) == len(now_sizes) and _not_narrower(old_sizes, now_sizes) and not now_name.startswith("vec")


def _not_narrower(old: tuple[int, ...], now: tuple[int, ...]) -> bool:
    return not now or all(new >= size for size, new in zip(old, now, strict=False))


def _name_and_sizes(type_: str) -> tuple[str, tuple[int, ...]]:
    match = _SIZED.fullmatch(type_)
    if match is None:
        return type_, (0,) if type_ in _TIMES else ()
    return match["name"], tuple(map(int, match["sizes"].split(",")))
