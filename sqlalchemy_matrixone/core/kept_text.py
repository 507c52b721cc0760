r"""Refuse texts in a table's definition with which the server cannot read that definition again.

The server writes comments and the values of ENUM and SET into SHOW CREATE TABLE without escaping backslashes, and reads
that text for ALTER TABLE, for clones and branches, and for restores, also of the whole database or account. Such a text
as ``c:\temp\`` ends in a backslash, which escapes the quote behind it, so that all of these fail from then on.
"""

from __future__ import annotations

import re

from ..exc import MatrixOneCompileError

# Two backslashes are one after the first ALTER TABLE, so their number does not matter.
_ESCAPES_A_QUOTE = re.compile(r"\\(?:'|\Z)")


def check_kept(text: str, what: str) -> None:
    """Check that the server can read a text again that it writes into the definition of a table.

    :param what: what the text is, for the message.
    :raises MatrixOneCompileError: if it has a backslash at its end or before a quote.
    """
    if _ESCAPES_A_QUOTE.search(text):
        raise MatrixOneCompileError(
            f"The {what} {text!r} has a backslash at its end or before a quote. MatrixOne could not read the table's "
            "definition again, so that the table could neither be altered nor cloned, and neither it nor its "
            "database could be restored. Write it without that backslash."
        )
