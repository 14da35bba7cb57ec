"""The errors that a user can cause: one clear line each, no traceback.

A message says what was expected, what came, where (``path:line``) and how to mend it. The commands
print it after ``error:`` and exit with the code of its class.
"""

from __future__ import annotations


class BionerError(Exception):
    """Something outside the program is wrong: a file, a corpus, a model, the disk."""

    exit_code = 1


class UsageError(BionerError):
    """The command was called wrongly: a flag, a value, a combination of flags."""

    exit_code = 2
