"""Measure the cost of rendering the SQL of a SELECT from the past, without a server.

``as_of()`` uses the statement cache: a statement of the same shape is compiled once, and its point in time is a bound
value. It is compared with the other way to put a hint into a statement: compile the statement again each time, with its
values in the text, and insert the hint after the first FROM with a regular expression. That is what the vendor's SDK
does. If it is installed (``pip install matrixone-python-sdk``), its own functions are measured in the same run.

    python -m benchmarks.timetravel
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.util import LRUCache

from benchmarks.measuring import OURS, Comparison, in_turns, show
from sqlalchemy_matrixone import as_of
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.timetravel.point_in_time import AsOfOption, PointInTime

REPEATS, STATEMENTS = 100, 20
GOAL = 5
ALIASED = "for comparison: `aliased()`, created in each"
CREATED = "`as_of()` of a class, created again, a snapshot", "`as_of()` of a class, created for each time"


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    total: Mapped[int]


DIALECT = MatrixOneDialect_pymysql(server_version="4.2.0")
FIRST_FROM = re.compile(r"\bFROM\s+(\S+)", re.I)


def select_by_text(entity, *, snapshot: str):
    """Create a statement as the SDK's ``select()`` does. The snapshot is not part of it."""
    return select(entity)


def by_text(statement) -> str:
    """Render a statement as the SDK does: the text is not cached."""
    text = str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    return FIRST_FROM.sub(r"FROM \1 {SNAPSHOT = 'nightly'}", text, count=1)


def by_cache(statement, cache: LRUCache, **values) -> str:
    """Render a statement as a Connection does: the cache key, the compiled form, the values."""
    compiled, extracted, *_ = statement._compile_w_cache(DIALECT, compiled_cache=cache, column_keys=list(values))
    parameters = compiled.construct_params(values, extracted_parameters=extracted, escape_names=False)
    if compiled.literal_execute_params:
        return compiled._process_parameters_for_postcompile(parameters).statement
    return compiled.string


def select_from(entity):
    return select(entity).where(entity.total > 100).order_by(entity.id)


def select_from_table(alias):
    return select(alias).where(alias.c.total > 100).order_by(alias.c.id)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


ORDERS = Order.__table__
PRESENT = select_from(Order)
AT_SNAPSHOT = select_from(as_of(Order, snapshot="nightly"))
AT_ANY_TIME = select_from(as_of(Order, timestamp=bindparam("when")))


OPTION = AsOfOption(PointInTime.of(snapshot="nightly", timestamp=None, mo_ts=None))


def several(run: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does the same as often as is needed to measure it."""

    def batch() -> None:
        for _ in range(STATEMENTS):
            run()

    return batch


class Sdk(NamedTuple):
    """The vendor's way.

    :ivar kept: renders a statement that was created once.
    :ivar created: creates the statement as well.
    """

    name: str
    kept: Callable[[], str]
    created: Callable[[], str]

    @classmethod
    def installed(cls) -> Sdk:
        """Return the SDK's own functions, used as in its documentation, or our equivalent if it is not installed."""
        try:
            from matrixone.sqlalchemy_ext.snapshot import compile_select
            from matrixone.sqlalchemy_ext.snapshot import select as select_at
        except ImportError:
            name, compile_select, select_at = "text and a regular expression", by_text, select_by_text
        else:
            name = "matrixone-python-sdk"

        def create():
            return select_at(Order, snapshot="nightly").where(Order.total > 100).order_by(Order.id)

        statement = create()
        return cls(name, lambda: compile_select(statement), lambda: compile_select(create()))


def kept(cache: LRUCache) -> dict[str, Callable[[], object]]:
    return {
        "`as_of()`, a snapshot": lambda: by_cache(AT_SNAPSHOT, cache),
        "`as_of()`, another time in each": lambda: by_cache(AT_ANY_TIME, cache, when=now()),
        "the option of `time_travel()`": lambda: by_cache(PRESENT.options(OPTION), cache),
    }


def created(cache: LRUCache) -> dict[str, Callable[[], object]]:
    return {
        "the option of `time_travel()`, the SELECT created for each": lambda: by_cache(
            select_from(Order).options(OPTION), cache
        ),
        "`as_of()` of a Table, created for each time": lambda: by_cache(
            select_from_table(as_of(ORDERS, timestamp=now())), cache
        ),
        CREATED[0]: lambda: by_cache(select_from(as_of(Order, snapshot="nightly")), cache),
        CREATED[1]: lambda: by_cache(select_from(as_of(Order, timestamp=now())), cache),
        ALIASED: lambda: by_cache(select_from(aliased(Order)), cache),
    }


def compare(task: str, way: Callable[[], object], peer: str, its_way: Callable[[], object]) -> Comparison:
    turns = {OURS: several(way), peer: several(its_way)}
    return in_turns(task, turns, REPEATS, clock=time.thread_time, unit="µs", per=STATEMENTS * 1e-6, warm_up=2)


def measure() -> Iterator[Comparison]:
    cache: LRUCache = LRUCache(500)
    sdk = Sdk.installed()
    for task, way in kept(cache).items():
        yield compare(task, way, sdk.name, sdk.kept)
    ways = created(cache)
    for task, way in ways.items():
        yield compare(task, way, sdk.name, sdk.created)
    for task in CREATED:
        yield compare(f"{task}, compared with `aliased()`", ways[task], "aliased()", ways[ALIASED])
    assert len(cache) == 6, f"one compiled form of each shape, not {len(cache)}"


def main() -> None:
    measured = list(measure())
    for comparison in measured:
        show(comparison)
    worst = max(comparison.ratio or 0 for comparison in measured[:3])
    raise SystemExit(worst > 1 / GOAL)


if __name__ == "__main__":
    main()
