"""The private API of SQLAlchemy and Alembic is used only in the modules that are named for it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import alembic
import sqlalchemy

import sqlalchemy_matrixone

PACKAGE = Path(sqlalchemy_matrixone.__file__).parent
FENCES = {"core/sqlalchemy_internals.py", "core/driver_internals.py", "alembic/_internals.py"}
# Members of MySQL's dialect, its compilers and Inspectors that a subclass meets.
FOR_SUBCLASSES = {
    "_describe_to_create",
    "_detect_ansiquotes",
    "_detect_casing",
    "_detect_sql_mode",
    "_ensure_has_table_connection",
    "_escape_identifier",
    "_extend_string",
    "_extract_error_code",
    "_get_default_schema_name",
    "_get_server_version_info",
    "_needs_correct_for_88718_96365",
    "_operation_context",
    "_parse_server_version",
    "_parsed_state_or_create",
    "_prepared_index_name",
    "_quote_free_identifiers",
    "_requires_alias_for_on_duplicate_key",
    "_support_float_cast",
    "_tabledef_parser",
    "_visit_enumerated_values",
    "_casing",
    "_sql_mode",
}


OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_" and name not in OF_NAMED_TUPLES


def own_names() -> set[str]:
    """Return the names that the package itself defines or assigns."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.alias(asname=str(name)):
                    names.add(name)
    return names


def of_sqlalchemy() -> set[str]:
    """Return the private names in the sources of SQLAlchemy and Alembic."""
    sources = (path for package in (sqlalchemy, alembic) for path in Path(package.__file__).parent.rglob("*.py"))
    return {name for path in sources for name in re.findall(r"\b_[a-zA-Z]\w*", path.read_text())}


def test_private_names_of_sqlalchemy_are_used_only_behind_the_fence():
    own, theirs = own_names(), of_sqlalchemy()
    found = []
    for path in PACKAGE.rglob("*.py"):
        if str(path.relative_to(PACKAGE)) in FENCES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(attr=name) if is_private(name) and name in theirs and name not in own:
                    found.append((path.name, node.lineno, name))
                case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in (
                    "sqlalchemy",
                    "alembic",
                ):
                    found += [(path.name, node.lineno, each.name) for each in names if is_private(each.name)]
    assert {name for _, _, name in found} <= FOR_SUBCLASSES, found


def test_private_members_of_sqlalchemy_are_overridden_only_behind_the_fence():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and str(path.relative_to(PACKAGE)) not in FENCES:
                names = filter(is_private, written_in(node))
                found |= {name for name in names if overrides(path, node.name, name)}
    assert found <= FOR_SUBCLASSES


def written_in(cls: ast.ClassDef) -> Iterator[str]:
    """Yield the names of what a class defines."""
    for node in cls.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def overrides(path: Path, class_name: str, name: str) -> bool:
    """Return whether SQLAlchemy or Alembic defines the name on a base of a class."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    cls = getattr(importlib.import_module(module), class_name)
    others = (base for base in cls.__mro__[1:] if base.__module__.split(".")[0] in ("sqlalchemy", "alembic"))
    return any(name in vars(base) for base in others)
