"""What a copy lacks compared to its source: a clone, a branch, a restore under another name, or an undropped object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from .routines import name_routines
from .scope import Loss, RestoreScope
from .sequences import recreate_sequences
from .texts import special_texts

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def _raising_errors(kind: str) -> AbstractContextManager[None]:
    return nullcontext()


def read_loss_of_copy(
    scope: RestoreScope,
    connection: Connection,
    reading: Callable[[str], AbstractContextManager[None]] = _raising_errors,
) -> Loss:
    """Read what a copy will lack, before the source is copied.

    :param scope: the source, with the names of its copy.
    :param reading: returns a context in which one kind of things is read; it may suppress an error.
    """
    loss = Loss()
    with reading("sequences"):
        loss.add(recreate_sequences(scope, connection))
    with reading("functions and procedures"):
        loss.add(name_routines(scope, connection))
    with reading("texts of its definitions"):
        loss.texts = special_texts(scope, connection, frozenset())
    return loss
