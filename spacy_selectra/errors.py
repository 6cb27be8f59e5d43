"""The exception for all errors that users can fix."""

from __future__ import annotations


class SelectraError(ValueError):
    """A problem the user can fix: bad input, bad setting, missing file.

    The message says what was found, where, and what to do. Commands print it without a traceback
    and exit with status 1.
    """


class OtherRunError(SelectraError):
    """An output directory holds results of another configuration or of other data."""
