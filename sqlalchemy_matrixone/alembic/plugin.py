"""The entry point for Alembic's plugin system. Nothing of Alembic is imported before Alembic calls it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


def setup(plugin: Plugin) -> None:
    """Register the implementation, the operations and their renderers, and the comparisons of PITRs and names.

    The comparisons run only if env.py lists this plugin: ``autogenerate_plugins=["alembic.autogenerate.*",
    "sqlalchemy_matrixone"]``.
    """
    from alembic.util import DispatchPriority

    from . import impl, operations, pitrs, render  # noqa: F401  they register themselves
    from .compare import names

    # The name of the dialect of mysql+matrixone:// is mysql.
    for qualifier in ("matrixone", "mysql"):
        plugin.add_autogenerate_comparator(
            pitrs.compare_pitrs,
            "schema",
            "matrixone_pitrs",
            qualifier=qualifier,
            # After the tables, so that a PITR is created after its table.
            priority=DispatchPriority.LAST,
        )
        plugin.add_autogenerate_comparator(
            names.refuse_capitals,
            "schema",
            "matrixone_names",
            qualifier=qualifier,
            priority=DispatchPriority.FIRST,
        )
        plugin.add_autogenerate_comparator(
            names.rename_columns,
            "schema",
            "matrixone_columns",
            qualifier=qualifier,
            priority=DispatchPriority.LAST,
        )


class _IterableModule(ModuleType):
    """A module that can be iterated over: without that, Alembic 1.18 to 1.20.0 could not be imported at all.

    They iterate over each plugin.
    """

    def __iter__(self) -> Iterator[ModuleType]:
        yield self


sys.modules[__name__].__class__ = _IterableModule
