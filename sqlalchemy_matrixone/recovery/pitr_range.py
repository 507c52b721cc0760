"""The range of a PITR: how far back it can restore."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

from ..exc import MatrixOneArgumentError

Unit = Literal["h", "d", "mo", "y"]
UNITS: tuple[Unit, ...] = ("h", "d", "mo", "y")
LONGEST = 100
_HOURS = {"h": 1, "d": 24, "mo": 24 * 365.25 / 12, "y": 24 * 365.25}

RangeArgument = str | tuple[int, str] | timedelta
"""A range as accepted from a caller: ``"7d"``, ``(7, "d")`` or ``timedelta(days=7)``."""


class PitrRange(NamedTuple):
    """A number from 1 to 100 of hours (h), days (d), months (mo) or years (y)."""

    length: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.length}{self.unit}"

    @property
    def hours(self) -> float:
        """The length in hours, based on average months and years, to compare ranges."""
        return self.length * _HOURS[self.unit]

    @classmethod
    def of(cls, value: RangeArgument) -> PitrRange:
        """Return the range that an argument specifies.

        :raises MatrixOneArgumentError: if the server would refuse the range.
        """
        if isinstance(value, timedelta):
            return cls._of_timedelta(value)
        if isinstance(value, str):
            digits = value.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
            return cls._checked(value, digits.strip(), value[len(digits) :])
        if isinstance(value, tuple) and len(value) == 2:
            return cls._checked(value, *value)
        raise cls._wrong(value)

    @classmethod
    def _of_timedelta(cls, value: timedelta) -> PitrRange:
        hours, rest = divmod(value, timedelta(hours=1))
        if rest:
            raise MatrixOneArgumentError(f"range={value!r} is not a whole number of hours or days")
        if hours % 24 == 0:
            return cls._checked(value, hours // 24, "d")
        return cls._checked(value, hours, "h")

    @classmethod
    def _checked(cls, value: object, length: object, unit: object) -> PitrRange:
        if isinstance(length, str) and length.isascii() and length.isdigit() and len(length) < 10:
            length = int(length)
        unit = unit.lower() if isinstance(unit, str) else ""
        if isinstance(length, bool) or not isinstance(length, int) or unit not in UNITS:
            raise cls._wrong(value)
        if not 1 <= length <= LONGEST:
            raise MatrixOneArgumentError(
                f"range={value!r}: MatrixOne takes 1 to {LONGEST} of a unit; choose a larger or smaller unit"
            )
        return cls(length, unit)

    @staticmethod
    def _wrong(value: object) -> MatrixOneArgumentError:
        return MatrixOneArgumentError(
            f'range={value!r} is not a range: write "7d", (7, "d") or timedelta(days=7), in h, d, mo or y'
        )
