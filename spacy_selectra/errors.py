"""The one exception users see when something they supplied is wrong."""

from __future__ import annotations


class SelectraError(ValueError):
    """A problem the user can mend: bad input, bad setting, missing file.

    The message names what was found, where, and what to do. Commands print it
    without a traceback and exit with status 1.
    """


class OtherRunError(SelectraError):
    """An output directory holds the results of another configuration or of other data."""
