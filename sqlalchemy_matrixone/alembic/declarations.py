"""Warn if PITRs are declared, but autogenerate does not compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alembic.util import to_list
from sqlalchemy import MetaData

from ..core.options import PITR_OPTION
from .log import log

PLUGIN = "sqlalchemy_matrixone"
LIST_OPTION = "matrixone_pitrs"


def warn_if_not_compared(opts: Mapping[str, Any]) -> None:
    """Log a warning if a model declares a PITR, and env.py does not list the plugin that compares PITRs.

    Upgrades and downgrades compare nothing, so that there is no warning then.

    :param opts: the options of ``context.configure()``.
    """
    if "destination_rev" in opts or _lists_plugin(opts.get("autogenerate_plugins") or ()):
        return
    if any(_declares(metadata) for metadata in to_list(opts.get("target_metadata"), default=[])):
        log.warning(
            "the models declare PITRs, but autogenerate does not compare them: in env.py, pass context.configure() "
            'autogenerate_plugins=["alembic.autogenerate.*", "%s"]',
            PLUGIN,
        )


def _lists_plugin(plugins: Iterable[str]) -> bool:
    listed = set(plugins)
    return bool(listed & {PLUGIN, "*"}) or f"~{PLUGIN}" in listed  # the latter excludes it on purpose


def _declares(metadata: MetaData) -> bool:
    options = (PITR_OPTION, LIST_OPTION)
    return any(option in metadata.info for option in options) or any(
        PITR_OPTION in table.kwargs for table in metadata.tables.values()
    )
