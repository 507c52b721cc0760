"""Column types that are specific to MatrixOne, and its variants of the standard ones."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, types
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLTypeCompiler
from sqlalchemy.dialects.mysql.json import JSONIndexType, JSONPathType
from sqlalchemy.sql import coercions, operators, roles
from sqlalchemy.types import UUID

from .core.kept_text import check_kept
from .core.release import Feature, format_release
from .core.sqlalchemy_internals import variants_of
from .exc import MatrixOneCompileError

try:
    import orjson as _parser
except ImportError:
    import json as _parser  # type: ignore[no-redef]

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.elements import ColumnElement

    from .core.release import Release
    from .core.server import MatrixOneServer

__all__ = [
    "DATALINK",
    "GEOMETRY",
    "UUID",
    "VECBF16",
    "VECF16",
    "VECF32",
    "VECF64",
    "VECINT8",
    "VECUINT8",
    "Vector",
]


class Vector(types.UserDefinedType[list[float]]):
    """Base of the vector types. Use :class:`VECF32`, :class:`VECF64` or one of the narrower types.

    A value is given as a list, a tuple, a NumPy array or the server's own text ``"[1, 2, 3]"``. It is returned as a
    list of float, or of int for the integer vectors. Values are read several times faster if orjson is installed::

        class Item(Base):
            __tablename__ = "item"
            id: Mapped[int] = mapped_column(primary_key=True)
            embedding: Mapped[list[float]] = mapped_column(VECF32(768))

        select(Item).order_by(Item.embedding.l2_distance(query_vector)).limit(5)

    NaN and infinity are rejected, and so are fractions in a vector of integers: the server does not support them.

    :param dimension: the number of elements, 1 to 65535. The server refuses a value of another length. Without it, the
        dimension is 65535.
    """

    hashable = False

    feature: Feature | None = None
    """The feature that a release must have for this type; None if all releases have the type."""

    element: type[float] = float
    """The Python type of the elements of a value."""

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = dimension

    def get_col_spec(self, **kw: Any) -> str:
        """Refuse to render the base class.

        :raises MatrixOneCompileError: always; only the subclasses are types of columns.
        """
        raise MatrixOneCompileError(
            "Vector is the base of the vector types and not the type of a column: use VECF32, VECF64, VECF16, "
            "VECBF16, VECINT8 or VECUINT8"
        )

    @property
    def python_type(self) -> type[list[Any]]:
        return list

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return self._text

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        quoted = cast("Callable[[Any], str]", types.String().literal_processor(dialect))  # type: ignore[no-untyped-call]
        return lambda value: quoted(self._text(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], list[float] | None]:
        element, loads = self.element, _parser.loads
        # The text of a whole number has no fraction, and would become an int.
        return lambda value: None if value is None else list(map(element, loads(value)))

    def _text(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        numbers = value.tolist() if hasattr(value, "tolist") else value  # arrays of NumPy and similar libraries
        if not isinstance(numbers, Iterable):
            raise ValueError(f"a vector is a list of numbers, not {value!r}")
        return json.dumps(self._elements(list(map(float, numbers))), separators=(",", ":"))

    def _elements(self, numbers: list[float]) -> list[float]:
        # A vector has hundreds of elements: map() is several times as fast as a loop.
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a vector cannot contain {next(each for each in numbers if not math.isfinite(each))}")
        if self.element is float:
            return numbers
        if not all(map(float.is_integer, numbers)):
            raise ValueError(
                f"a vector of integers cannot contain {next(each for each in numbers if not each.is_integer())}"
            )
        return list(map(self.element, numbers))

    class Comparator(types.TypeEngine.Comparator[list[float]]):
        """The server's vector functions, as methods of a column."""

        def l2_distance(self, other: Any) -> ColumnElement[float]:
            """Return the Euclidean distance."""
            return self._function("l2_distance", other)

        def cosine_distance(self, other: Any) -> ColumnElement[float]:
            """Return one minus the cosine similarity."""
            return self._function("cosine_distance", other)

        def cosine_similarity(self, other: Any) -> ColumnElement[float]:
            """Return the cosine of the angle between the two vectors."""
            return self._function("cosine_similarity", other)

        def max_inner_product(self, other: Any) -> ColumnElement[float]:
            """Return the negated inner product, so that ascending order begins with the largest one.

            This is the server's function ``inner_product()``, which negates it. The method has the name that it has in
            ``pgvector.sqlalchemy``.
            """
            return self._function("inner_product", other)

        def _function(self, name: str, other: Any) -> ColumnElement[float]:
            # As for the operand of an operator, a value and a parameter without a type become vectors too.
            vector: Any = coercions.expect(roles.BinaryElementRole, other, expr=self.expr, operator=operators.eq)
            call: ColumnElement[float] = getattr(func, name)(self.expr, vector, type_=types.Double())
            return call

    comparator_factory = Comparator


class VECF32(Vector):
    """A vector of 32-bit floats."""

    __visit_name__ = "VECF32"
    cache_ok = True


class VECF64(Vector):
    """A vector of 64-bit floats."""

    __visit_name__ = "VECF64"
    cache_ok = True


class VECF16(Vector):
    """A vector of 16-bit floats (IEEE half precision). Needs MatrixOne 4.2."""

    __visit_name__ = "VECF16"
    cache_ok = True
    feature = Feature.NARROW_VECTORS


class VECBF16(Vector):
    """A vector of 16-bit floats with the exponent of 32-bit ones (bfloat16). Needs MatrixOne 4.2."""

    __visit_name__ = "VECBF16"
    cache_ok = True
    feature = Feature.NARROW_VECTORS


class VECINT8(Vector):
    """A vector of signed bytes. Needs MatrixOne 4.2."""

    __visit_name__ = "VECINT8"
    cache_ok = True
    feature = Feature.NARROW_VECTORS
    element = int


class VECUINT8(Vector):
    """A vector of unsigned bytes. Needs MatrixOne 4.2."""

    __visit_name__ = "VECUINT8"
    cache_ok = True
    feature = Feature.NARROW_VECTORS
    element = int


class DATALINK(types.String):
    """A link to a file, ``file://…`` or ``stage://…``, whose content the server's ``load_file()`` reads.

    ::

        Column("manual", DATALINK)
    """

    __visit_name__ = "DATALINK"


class GEOMETRY(types.UserDefinedType[Any]):
    """A geometry, with values as the server sends them. Needs MatrixOne 3.0.

    ::

        Column("position", GEOMETRY("POINT", srid=4326))

    :param kind: ``POINT``, ``LINESTRING``, …; by default any geometry.
    :param srid: the spatial reference system, if the column is bound to one.
    """

    __visit_name__ = "GEOMETRY"
    cache_ok = True

    def __init__(self, kind: str = "GEOMETRY", srid: int | None = None) -> None:
        self.kind = kind.upper()
        self.srid = srid


class MatrixOneBoolean(types.Boolean):
    """BOOL, which 2.2 returns as the string ``true`` or ``false``."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], bool | None]:
        return _boolean


class MatrixOneSet(mysql.SET):
    """SET, which 3.0 returns as a number with a bit for each value, and compares only with numbers.

    4.0 and 4.1 use text.
    """

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | int | None]:
        def bound(value: Any) -> str | int | None:
            if value is None or isinstance(value, int):
                return value
            names = set(filter(None, value.split(",")) if isinstance(value, str) else value)
            if names <= set(self.values) and not cast("MatrixOneServer", dialect).supports(Feature.SET_AS_TEXT):
                return sum(1 << bit for bit, name in enumerate(self.values) if name in names)
            # Only values in the declared order compare equal. The server refuses undeclared values.
            return ",".join(sorted(names, key=(*self.values, *names).index))

        return super().bind_processor(dialect) if self.retrieve_as_bitwise else bound

    def result_processor(  # type: ignore[override]
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], set[str] | None]:
        from_text = super().result_processor(dialect, coltype)

        def fetched(value: Any) -> set[str] | None:
            if isinstance(value, int):
                return {name for bit, name in enumerate(self.values) if value >> bit & 1}
            return cast("set[str] | None", from_text(value) if from_text else value)

        return fetched


class MatrixOneDouble(mysql.DOUBLE):
    """DOUBLE, which also accepts ``Double(53)``: MySQL's type refuses a precision without a scale."""

    def __init__(
        self, precision: int | None = None, scale: int | None = None, asdecimal: bool = True, **kw: Any
    ) -> None:
        super().__init__(precision if scale is not None else None, scale, asdecimal, **kw)


_TEXT = frozenset((15, 253, 254))
_APPROXIMATE = frozenset((4, 5))
"""The codes of VARCHAR and CHAR, and of FLOAT and DOUBLE, in the description of a result."""


class _TextAsValue:
    """A type of times, which the server returns as text if an expression combines it with a bound value.

    That is a string in the statement, so that the server takes ``coalesce(column, '2026-01-02')`` for one.
    """

    _parsed: Callable[[str], Any]

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if coltype in _TEXT:
            return self._value
        return super().result_processor(dialect, coltype)  # type: ignore[misc]

    def _value(self, value: Any) -> Any:
        try:
            return self._parsed(value) if isinstance(value, str) else value
        except ValueError:
            return value  # such as a date of zeros, for which the drivers return the text too


class MatrixOneDateTime(_TextAsValue, mysql.DATETIME):
    """DATETIME that can be read from text."""

    _parsed = staticmethod(dt.datetime.fromisoformat)


class MatrixOneTimestamp(_TextAsValue, mysql.TIMESTAMP):
    """TIMESTAMP that can be read from text."""

    _parsed = staticmethod(dt.datetime.fromisoformat)


class MatrixOneTime(_TextAsValue, mysql.TIME):
    """TIME that can be read from text."""

    _parsed = staticmethod(dt.time.fromisoformat)


class MatrixOneDate(_TextAsValue, types.Date):
    """DATE that can be read from text."""

    _parsed = staticmethod(dt.date.fromisoformat)


class MatrixOneNumeric(mysql.NUMERIC):
    """NUMERIC, for which the server returns a DOUBLE if it is calculated, such as the quotient of two integers."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if self.asdecimal and coltype in _APPROXIMATE:
            return _decimal
        return super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]


class MatrixOneBit(mysql.BIT):
    """BIT, which an expression with a bound number returns as an int instead of bytes."""

    def result_processor(self, dialect: Any, coltype: object) -> Callable[[Any], int | None]:
        from_bytes = cast("Callable[[Any], int | None]", super().result_processor(dialect, coltype))
        return lambda value: value if isinstance(value, int) else from_bytes(value)


def _escaped_key(key: Any) -> Any:
    """Return a key of a JSON document as within the quotes of a path, an index unchanged.

    Without this, a key with a backslash is not found, and one with a quote or a control character makes the path
    invalid.
    """
    return json.dumps(key, ensure_ascii=False)[1:-1] if isinstance(key, str) else key


class MatrixOneJSONKey(JSONIndexType):
    """A key or index of a JSON document, which is sent as a path."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        path = super().bind_processor(dialect)
        return lambda key: path(_escaped_key(key))

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        path = super().literal_processor(dialect)
        return lambda key: path(_escaped_key(key))


class MatrixOneJSONPath(JSONPathType):
    """A tuple of keys and indexes of nested JSON documents, which is sent as a path."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        path = super().bind_processor(dialect)
        return lambda keys: path(list(map(_escaped_key, keys)))

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        path = super().literal_processor(dialect)
        return lambda keys: path(list(map(_escaped_key, keys)))


def variant_for(type_: types.TypeEngine[Any], dialect: Dialect) -> types.TypeEngine[Any]:
    """Return the variant of a type that applies to MatrixOne, which includes ``with_variant(…, "mysql")``.

    If there is a variant for each, the one for the name of the dialect applies, as in SQLAlchemy.
    """
    variants = variants_of(type_)
    return variants.get(dialect.name) or variants.get("matrixone") or variants.get("mysql") or type_


def implemented_type(type_: types.TypeEngine[Any], dialect: Dialect) -> types.TypeEngine[Any]:
    """Return the type that implements a TypeDecorator on MatrixOne, and the variant that applies of any other type."""
    type_ = variant_for(type_, dialect)
    while isinstance(type_, types.TypeDecorator):
        type_ = variant_for(type_.type_engine(dialect), dialect)
    return type_


class MatrixOneTypeCompiler(MySQLTypeCompiler):
    """Render types under the names that MatrixOne knows.

    If MatrixOne has one type for several types of MySQL, all of them are rendered as that one, so that a table compares
    equal to its reflection.
    """

    def process(self, type_: types.TypeEngine[Any], **kw: Any) -> str:
        return super().process(variant_for(type_, self.dialect), **kw)

    def visit_vector(self, type_: Vector, **kw: Any) -> str:
        if type_.feature is not None:
            self._require(type_.feature, type_.__visit_name__)
        return type_.__visit_name__ if type_.dimension is None else f"{type_.__visit_name__}({type_.dimension})"

    visit_VECF32 = visit_VECF64 = visit_VECF16 = visit_VECBF16 = visit_VECINT8 = visit_VECUINT8 = visit_vector

    def visit_DATALINK(self, type_: DATALINK, **kw: Any) -> str:
        return "DATALINK"

    def visit_YEAR(self, type_: mysql.YEAR, **kw: Any) -> str:
        self._require(Feature.YEAR)
        return super().visit_YEAR(type_, **kw)

    def _visit_enumerated_values(self, name: str, type_: Any, enumerated_values: Sequence[str]) -> str:
        if name == "SET":
            self._require(Feature.SET)
            if type_.retrieve_as_bitwise and Feature.SET_AS_TEXT.in_release(self._release):
                self._require(Feature.SET_AS_NUMBER, "SET with retrieve_as_bitwise")
        elif any("," in value for value in enumerated_values):
            self._require(Feature.ENUM_COMMA)
            if Feature.ENUM_COMMA_LOST.in_release(self._release):
                raise MatrixOneCompileError(
                    f"MatrixOne {format_release(self._release)} splits ENUM values at commas: {type_.enums!r}"
                )
        for value in enumerated_values:
            check_kept(value, f"{name} value")
        return super()._visit_enumerated_values(name, type_, enumerated_values)

    def visit_GEOMETRY(self, type_: GEOMETRY, **kw: Any) -> str:
        self._require(Feature.GEOMETRY, type_.kind)
        return type_.kind if type_.srid is None else f"{type_.kind} SRID {type_.srid}"

    def visit_VARCHAR(self, type_: types.VARCHAR, **kw: Any) -> str:  # type: ignore[override]
        # Without a length, it holds 65535 characters.
        return super().visit_VARCHAR(type_, **kw) if type_.length is not None else "VARCHAR"  # type: ignore[arg-type]

    def visit_VARBINARY(self, type_: types.VARBINARY, **kw: Any) -> str:
        return super().visit_VARBINARY(type_, **kw) if type_.length is not None else "VARBINARY"

    def visit_NVARCHAR(self, type_: types.NVARCHAR, **kw: Any) -> str:
        # NATIONAL is a syntax error; every character type holds all of Unicode.
        return "VARCHAR" if type_.length is None else f"VARCHAR({type_.length})"

    def visit_NCHAR(self, type_: types.NCHAR, **kw: Any) -> str:
        return "CHAR" if type_.length is None else f"CHAR({type_.length})"

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:
        # TEXT(n) is a syntax error. TEXT holds up to one gigabyte.
        return self._extend_string(type_, {}, "TEXT")

    visit_TINYTEXT = visit_MEDIUMTEXT = visit_LONGTEXT = visit_TEXT

    def visit_BLOB(self, type_: Any, **kw: Any) -> str:
        return "BLOB"

    visit_TINYBLOB = visit_MEDIUMBLOB = visit_LONGBLOB = visit_BLOB

    def visit_REAL(self, type_: Any, **kw: Any) -> str:
        return self.visit_DOUBLE(type_, **kw)

    def visit_DOUBLE_PRECISION(self, type_: types.DOUBLE_PRECISION[Any], **kw: Any) -> str:
        return "DOUBLE"

    def _require(self, feature: Feature, subject: str | None = None) -> None:
        feature.require(self._release, subject)

    @property
    def _release(self) -> Release:
        return cast("MatrixOneServer", self.dialect).server_release


def _boolean(value: Any) -> bool | None:
    if value is None:
        return None
    return value == "true" if isinstance(value, str) else bool(value)


def _decimal(value: Any) -> Any:
    return Decimal(repr(value)) if isinstance(value, float) else value


colspecs: dict[type[types.TypeEngine[Any]], type[types.TypeEngine[Any]]] = {
    types.Boolean: MatrixOneBoolean,
    types.Date: MatrixOneDate,
    types.DateTime: MatrixOneDateTime,
    types.TIMESTAMP: MatrixOneTimestamp,
    types.Time: MatrixOneTime,
    types.Numeric: MatrixOneNumeric,
    mysql.BIT: MatrixOneBit,
    types.Double: MatrixOneDouble,
    mysql.SET: MatrixOneSet,
    types.JSON.JSONIndexType: MatrixOneJSONKey,
    types.JSON.JSONPathType: MatrixOneJSONPath,
}

VECTORS: Sequence[type[Vector]] = (VECF32, VECF64, VECF16, VECBF16, VECINT8, VECUINT8)

ischema_names: dict[str, type[types.TypeEngine[Any]]] = {
    "bool": mysql.BOOLEAN,
    "datalink": DATALINK,
    "geometry": GEOMETRY,
    **{vector.__visit_name__.lower(): vector for vector in VECTORS},
}
