"""Read sequences as of a point in time, and render the statements that recreate them with their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .names import quote_name, quote_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect

SEQUENCES = "sequences"
"""The name of sequences in ``lose=``."""

_COLUMNS = "last_seq_num, min_value, max_value, start_value, increment_value, cycle, is_called"


class Sequence(NamedTuple):
    """A sequence with its value."""

    database: str
    name: str
    type: str
    last: Any
    minimum: Any
    maximum: Any
    start: Any
    increment: Any
    cycles: bool
    is_called: bool

    def statements(self, dialect: Dialect, database: str | None = None) -> list[str]:
        """Return the statements that create the sequence with its value.

        They change the current database of the connection, and they commit.

        :param database: the database to create it in, if it differs from the original database.
        """
        database = database or self.database
        cycle = " CYCLE" if self.cycles else ""
        create = (
            f"CREATE SEQUENCE IF NOT EXISTS {quote_name(dialect, database, self.name)} AS {self.type} "
            f"INCREMENT BY {self.increment} MINVALUE {self.minimum} MAXVALUE {self.maximum} "
            f"START WITH {self.start}{cycle}"
        )
        # SETVAL and NEXTVAL find only sequences of the current database. SETVAL does not change is_called, whatever its
        # third argument. It is 0 for a new sequence, and 1 for one that the server has kept, as builds after 4.2.0 do.
        name = quote_text(dialect, self.name)
        values = [f"SELECT SETVAL({name}, '{self.last}')"]
        if self.is_called:
            values.append(f"SELECT NEXTVAL({name}) FROM {quote_name(dialect, self.name)} WHERE NOT is_called")
        return [create, f"USE {quote_name(dialect, database)}", *values]


def read_sequences(connection: Connection, criteria: str, past: str) -> list[Sequence]:
    """Return the sequences that the account had at a point in time.

    :param criteria: a criterion on ``{database}``, the column with the name of a sequence's database.
    :param past: the point in time, as a time-travel hint.
    """
    # A sequence is a table of one row. The type of its first column is the type of the sequence.
    names = connection.exec_driver_sql(
        f"SELECT att_database, att_relname, mo_show_visible_bin(atttyp, 3) FROM mo_catalog.mo_columns {past} "
        f"WHERE account_id = CURRENT_ACCOUNT_ID() AND attname = 'last_seq_num' "
        f"AND {criteria.replace('{database}', 'att_database')} AND att_relname IN (SELECT relname "
        f"FROM mo_catalog.mo_tables {past} WHERE account_id = CURRENT_ACCOUNT_ID() "
        f"AND {criteria.replace('{database}', 'reldatabase')} AND relkind = 'S')"
    ).all()
    return [_read(connection, past, *row) for row in names]


def _read(connection: Connection, past: str, database: str, name: str, type_: str) -> Sequence:
    quoted = quote_name(connection.dialect, database, name)
    row = connection.exec_driver_sql(f"SELECT {_COLUMNS} FROM {quoted} {past}").one()
    cycles, is_called = (flag in (1, "true") for flag in row[5:])
    return Sequence._make((database, name, re.sub(r"\(\d+\)", "", type_), *row[:5], cycles, is_called))  # BIGINT(64)
