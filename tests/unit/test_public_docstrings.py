"""Every public name has a docstring, and so has every public method of the public classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

import sqlalchemy_matrixone
from sqlalchemy_matrixone.alembic.operations import OPERATIONS

# SQLAlchemy documents these two itself.
PUBLIC = sorted(set(sqlalchemy_matrixone.__all__) - {"UUID", "insert"})


def members(thing: object) -> Iterator[str]:
    """Yield the public methods and properties of a class that are defined in this package."""
    for base in inspect.getmro(thing) if inspect.isclass(thing) else ():
        if base.__module__.startswith("sqlalchemy_matrixone"):
            for name, member in vars(base).items():
                if not name.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                    yield name


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_and_its_methods_have_docstrings(name: str) -> None:
    thing = getattr(sqlalchemy_matrixone, name)
    # getdoc() looks into base classes: a method of SQLAlchemy that is overridden has the docstring of SQLAlchemy.
    missing = [f"{name}.{member}" for member in members(thing) if not inspect.getdoc(getattr(thing, member))]
    assert inspect.getdoc(thing)
    assert missing == []


def test_alembic_operations_have_docstrings() -> None:
    operations = {op.construct.__visit_name__: op for op in OPERATIONS}
    assert "create_pitr" in operations
    assert [name for name, op in operations.items() if not inspect.getdoc(getattr(op, name))] == []
