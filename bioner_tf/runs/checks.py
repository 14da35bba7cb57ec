"""Checks of what the files of a run hold."""

from __future__ import annotations

import sys
from typing import Any

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike


def require(holds: bool, place: PathLike, expected: str) -> None:
    """Raises BionerError if a file, or a line of it, does not hold what is expected."""
    if not holds:
        raise BionerError(f"{place}: expected {expected}, got something else; is the file damaged?")


def is_nested(value: Any, leaf: type, depth: int) -> bool:
    """Tells whether a value is a dict of dicts, ``depth`` levels deep, with leaves of a type."""
    if depth:
        return isinstance(value, dict) and all(
            is_nested(each, leaf, depth - 1) for each in value.values()
        )
    return is_number(value) if leaf is float else isinstance(value, leaf)


def is_number(value: Any) -> bool:
    """Tells whether a value is a finite number."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
