"""The releases of MatrixOne, and the features of each.

:class:`Feature` lists every difference between releases that this package knows of. Nothing else in the package
compares releases.
"""

from __future__ import annotations

import re
from enum import Enum

from ..exc import MatrixOneArgumentError, MatrixOneCompileError

Release = tuple[int, int, int]
"""A release of the server, such as ``(3, 0, 14)``."""

NEWEST: Release = (4, 2, 0)
"""The newest release that this package was tested on, which it assumes if a server does not report its release."""

UNRELEASED: Release = (4, 3, 0)
"""The release that a build between releases counts as: its greeting has no number.

It has what was found in the newest public commit that was tested, 7c27538f5a of 2026-08-22.
"""

_ANNOUNCED = re.compile(r"MatrixOne-v(\d+)\.(\d+)\.(\d+)")
_DEVELOPMENT_BUILD = re.compile(r"MatrixOne-v(?!\d+\.)")
_WRITTEN = re.compile(r"(?:.*MatrixOne-)?v?(\d+)\.(\d+)(?:\.(\d+))?(?:-[\w.-]+)?")


class Feature(Enum):
    """A feature of the server: the first release that has it, and a description for messages."""

    PITR_TIMES_AS_EPOCH = (3, 0, 0), "mo_pitr.create_time as nanoseconds since 1970"
    DEFAULTS_WITH_DOUBLED_QUOTES = (3, 0, 0), "a string default as it was written, in mo_columns"
    DEFAULT_OF_EXPRESSION = (3, 0, 0), "DEFAULT (…) with texts in it, of a table that can be altered"
    CREATE_TABLE_AS_IN_TRANSACTION = (3, 0, 0), "CREATE TABLE … AS SELECT inside a transaction"
    MERGED_COMPARISONS = (3, 0, 0), "merging = and IN of the same column, which goes wrong for a BIGINT,"
    JSON_TO_NUMBER = (3, 0, 0), "casts of JSON to numbers"
    UNIQUE_BESIDE_FOREIGN_KEY = (
        (3, 0, 0),
        "UNIQUE keys of a table with a foreign key, ignored before by INSERT of several rows",
    )
    SUBQUERY_IN_OR = (
        (3, 0, 0),
        "rows that an OR with a subquery or a column of an outer join finds by its other criteria, lost before",
    )
    SUBQUERY_COMPARED_TO_COLUMN = (
        (3, 0, 0),
        "rows that a comparison of a column finds by what a subquery without a row is replaced by, lost before",
    )
    NULL_SAFE_EQUAL = (3, 0, 0), "the operator <=>"
    TUPLE_COMPARISON = (3, 0, 0), "(a, b) IN ((1, 2))"
    YEAR = (3, 0, 0), "YEAR"
    SET = (3, 0, 0), "SET"
    GEOMETRY = (3, 0, 0), "GEOMETRY"
    ENUM_COMMA = (3, 0, 0), "commas in the values of an ENUM, which split them before,"
    CLONE = (3, 0, 0), "CREATE TABLE or DATABASE … CLONE"
    RECOVERY_WINDOWS_BY_TABLE = (3, 0, 0), "SHOW RECOVERY_WINDOW FOR TABLE with all windows, wrong in a list of tables"
    OWN_TEMPORARY_TABLES = (3, 0, 0), "internal tables named __mo_tmp_…"
    SHOW_CREATE_OF_SET_NULL = (3, 0, 0), "SHOW CREATE TABLE of a table with ON DELETE SET NULL"
    PRESENT_WITHIN_PAST = (3, 0, 0), "reading current rows in a subquery of a historical SELECT"
    DATA_BRANCH = (3, 0, 6), "DATA BRANCH"
    DIFF_SUMMARY = (3, 0, 9), "DATA BRANCH DIFF … OUTPUT SUMMARY"
    DIFF_COLUMNS = (3, 0, 10), "DATA BRANCH DIFF … COLUMNS"
    DATA_BRANCH_PICK = (3, 0, 12), "DATA BRANCH PICK"
    RESTORE_BY_BRACES = (4, 0, 0), "RESTORE … {SNAPSHOT = …}"
    SNAPSHOT_OF_PUBLICATION = (4, 0, 0), "CREATE SNAPSHOT … FROM … PUBLICATION"
    DEFAULT_QUOTES_DOUBLED = (4, 0, 0), "the doubling of all quotes in a default by ALTER TABLE"
    SET_AS_TEXT = (4, 0, 0), "SET sent and compared as text, as a number before"
    TEMPORARY_TABLE_INDEX = (4, 0, 0), "CREATE INDEX on a temporary table"
    TEMPORARY_TABLE_IN_TRANSACTION = (4, 0, 0), "temporary tables in a transaction, whose writes are lost before"
    DROP_INDEX_IF_EXISTS = (4, 0, 0), "DROP INDEX IF EXISTS, which fails before if the index does not exist"
    JOIN_BY_KEY_AND_NULL = (4, 0, 0), "joins by the primary key and a nullable column, which find wrong rows before"
    INDEX_PREFIX_LENGTHS = (4, 0, 0), "the prefix lengths of an index, which hide longer values; ignored before"
    JSON_TO_INTEGER_BY_DOUBLE = (4, 0, 0), "CAST of JSON to an integer by way of a DOUBLE, with 53 exact bits"
    JSON_CAST_UNQUOTED = (4, 0, 0), "CAST to CHAR removes the quotes of a JSON string"
    INDEX_MAINTENANCE = (4, 0, 0), "ASYNC, FORCE_SYNC and AUTO_UPDATE of an index"
    INTERNAL_ROWS = (4, 0, 0), "the column kind of mo_snapshots and mo_pitr"
    AGGREGATE_BY_NESTED_KEYS = (4, 0, 0), "correlated subqueries with an aggregate and OR, which repeat outer rows,"
    GENERATED_COLUMN = (4, 0, 0), "columns GENERATED ALWAYS AS"
    LOCK_OF_JOIN = (4, 0, 0), "SELECT … FOR UPDATE of joined tables"
    UPDATE_JOIN_OF_ANY_TYPE = (4, 0, 0), "UPDATE … JOIN that sets a vector or a YEAR"
    DELETE_FROM_TREE_OF_SET_NULL = (4, 2, 0), "DELETE from a table that refers to itself with ON DELETE SET NULL"
    KEY_IN_INDEX = (4, 1, 0), "the whole primary key among the columns of an index, which hides rows before,"
    NULL_IN_GROUP_BY = (4, 1, 0), "NULL in an expression of GROUP BY, taken for a BOOL before"
    NULL_IN_NOT_EXISTS = (4, 1, 0), "rows that NOT EXISTS compares by a NULL of an outer join, lost before"
    UPSERT_BY_UNIQUE_KEY = (4, 1, 0), "ON DUPLICATE KEY UPDATE by a UNIQUE key in addition to the primary key"
    INDEX_INCLUDE = (4, 1, 0), "INCLUDE of an index"
    PITR_RESTORE_IN_ACCOUNT = (4, 1, 0), "RESTORE ACCOUNT … DATABASE … FROM PITR, refused by 4.2.0 too,"
    ENUM_COMMA_LOST = (4, 0, 0), "commas in the values of an ENUM, which split them"
    LOGICAL_TABLE_ID = (
        (4, 1, 0),
        "mo_tables.rel_logical_id, which PITRs and snapshots of a table keep, and garbage collection does not go by",
    )
    EXACT_NAMES_OF_OWN_TABLES = (
        (4, 1, 0),
        "restores and clones of tables named like __mo_index_%, with any character for _",
    )
    VECTOR_INDEXES_KEPT_BY_RESTORE = (4, 1, 0), "vector indexes that find the right neighbors in a restored table"
    CLONE_COPY_GRANTS = (4, 1, 2), "CLONE … COPY GRANTS"
    CHECK_CONSTRAINT = (4, 2, 0), "CHECK constraints, ignored before"
    DEFAULT_IN_PARENTHESES = (4, 2, 0), "(…) around a default, which keeps ALTER TABLE from doubling quotes in it"
    FOREIGN_KEYS_KEPT_BY_ALTER = (4, 2, 0), "rows of mo_foreign_keys that are kept by ALTER TABLE"
    CLONE_IN_TRANSACTION = (4, 2, 0), "clones that report their errors and see new tables, in a transaction"
    RESTORE_OF_EXACT_TABLE = (4, 2, 0), "RESTORE of a table by its exact name, a pattern of LIKE before"
    RESTORE_OF_ANY_VIEW = (4, 2, 0), "restores and clones of a database with a view whose name needs quotes"
    RESTORE_OF_TREES = (4, 2, 0), "RESTORE of a database with a table that refers to itself"
    BRANCH_OF_ANY_TYPE = (4, 2, 0), "DATA BRANCH DIFF and MERGE of ENUM, BIT and binary columns"
    DIFF_IN_TRANSACTION = (4, 2, 0), "DATA BRANCH DIFF within a transaction"
    DIFF_INTO_TABLE = (4, 2, 0), "DATA BRANCH DIFF … OUTPUT AS"
    MERGE_IN_TRANSACTION = (4, 2, 0), "DATA BRANCH MERGE within a transaction"
    FOR_SHARE = (4, 2, 0), "SELECT … FOR SHARE"
    LIKE_ESCAPE = (4, 2, 0), "LIKE … ESCAPE, ignored before"
    AGGREGATE_WITHOUT_ROW = (4, 2, 0), "subqueries that calculate with an aggregate of no rows, NULL before"
    NO_BACKSLASH_ESCAPES = (4, 2, 0), "sql_mode NO_BACKSLASH_ESCAPES, reported and ignored before"
    WINDOW_PEERS = (4, 2, 0), "windows ordered by several keys, of which only the last is compared before"
    UPSERT_COUNT = (4, 2, 0), "the count of ON DUPLICATE KEY UPDATE that distinguishes new rows from changed ones"
    NARROW_VECTORS = (4, 2, 0), "VECF16, VECBF16, VECINT8 and VECUINT8"
    NULL_GROUP_OF_OUTER_JOIN = (4, 2, 0), "a group for the NULL of an outer join in a NOT NULL column, lost before"
    RETURNING = (4, 2, 0), "RETURNING"
    JSON_NULL = (4, 2, 0), "null of JSON, NULL before"
    SET_AS_NUMBER = (4, 2, 0), "SET as a number in addition to its text"
    # A read in nanoseconds works on every release, so that this is right for any release after 4.2.0.
    SNAPSHOT_OF_OWN_OBJECT = (4, 2, 1), "the refusal to read anything else than its object at a snapshot"
    # What is assumed of such a server is also right if a SET commits there.
    SET_KEEPS_TRANSACTION = (4, 2, 1), "SET without the commit of the open transaction"
    INDEX_COMMENT_ESCAPED = UNRELEASED, "the comment of an index, which the server does not escape before"
    SEQUENCES_RESTORED = UNRELEASED, "sequences in restores and clones, of another account with the values of sys"
    NO_UPDATE_JOIN_OF_GEOMETRY = UNRELEASED, "the refusal of UPDATE … JOIN to set a GEOMETRY"
    CASCADE_IN_TREE = UNRELEASED, "ON DELETE CASCADE of a table that refers to itself"

    @property
    def since(self) -> Release:
        """Return the first release that has the feature."""
        return self.value[0]

    @property
    def sql(self) -> str:
        """Return the SQL of the feature, as error messages show it."""
        return self.value[1]

    def in_release(self, release: Release) -> bool:
        """Return whether a release has the feature."""
        return release >= self.since

    def require(self, release: Release, subject: str | None = None) -> None:
        """Check that a release has the feature.

        :param subject: what needs the feature, as SQL for the message; by default the feature itself.
        :raises sqlalchemy.exc.CompileError: if the release does not have it.
        """
        if not self.in_release(release):
            raise MatrixOneCompileError(
                f"{subject or self.sql} needs MatrixOne {format_release(self.since)} or later; "
                f"this is {format_release(release)}"
            )


def format_release(release: Release) -> str:
    """Return a release as text, such as ``4.2.0``."""
    return ".".join(map(str, release))


def describe_release(release: Release) -> str:
    """Return what a server of an untested release is treated as, for a message."""
    newest = f"MatrixOne {format_release(NEWEST)}"
    return newest if release <= NEWEST else f"the newest build that was tested, which is later than {newest}"


def parse_greeting(server_version: str | None) -> Release | None:
    """Parse the release from a server greeting or ``version()``; return None if there is none.

    A greeting reads ``8.0.30-MatrixOne-v4.2.0``. Builds between releases end in ``-v`` or ``-v20260826`` and count
    as :data:`UNRELEASED`, see :func:`is_untested`. A proxy may present itself as a plain MySQL server; the result is
    None in that case.
    """
    if not server_version:
        return None
    if match := _ANNOUNCED.search(server_version):
        major, minor, patch = map(int, match.groups())
        return (major, minor, patch)
    return UNRELEASED if _DEVELOPMENT_BUILD.search(server_version) else None


def is_untested(server_version: str) -> bool:
    """Return whether a greeting names a release after :data:`NEWEST`, or a build without a number.

    Such a server is treated as the newest release or build that was tested: its differences from that are unknown.
    """
    release = parse_greeting(server_version)
    return release is None or release > NEWEST or _DEVELOPMENT_BUILD.search(server_version) is not None


def parse_release(text: str) -> Release:
    """Parse a release given by the user: ``3.0.14``, ``v3.0.14``, ``3.0`` or a whole greeting.

    :raises sqlalchemy.exc.ArgumentError: if the text is none of these.
    """
    match = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise MatrixOneArgumentError(
            f"server_version={text!r} is not a release of MatrixOne: write server_version=3.0.14"
        )
    major, minor, patch = (int(part or 0) for part in match.groups())
    return (major, minor, patch)
