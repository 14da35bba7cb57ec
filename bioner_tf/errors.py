"""The errors that a user can cause: one clear line each, no traceback.

A message says what was expected, what came, where (``path:line``) and how to mend it. The commands
print it behind ``error:`` and leave with the class's exit code.
"""

from __future__ import annotations


class BionerError(Exception):
    """Something outside the program is wrong: a file, a corpus, a model, the disk."""

    exit_code = 1


class UsageError(BionerError):
    """The command was called in a way that it does not take: a flag, a combination, a value."""

    exit_code = 2
