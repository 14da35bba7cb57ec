"""Splits raw text into tokens, in the graph: core TensorFlow ops, vectorised.

**Characters.** A text is bytes, read as UTF-8. Every malformed piece (in Unicode's terms, a
"maximal subpart") counts as ONE character, U+FFFD, as in Python's
``text.decode("utf-8", "replace")``. Offsets are indices into that string. NUL, control characters,
unassigned code points and byte order marks are ordinary characters.

**Tokens.** The same as ``corpora.corpus.TOKEN`` finds: a run of letters and digits, or one other
character that is not a space. A combining mark, a part of an emoji sequence, a zero-width joiner,
an underscore or a NUL is a separate token; a run of Chinese characters is one token. Letters,
digits and spaces are defined by the Python that traced the graph (``str.isalnum``,
``str.isspace``). The graph holds them as a table, so that tokens do not depend on the version of
TensorFlow or ICU that runs it.
"""

from __future__ import annotations

import functools
import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Classes of characters. Runs of characters of the classes from LOWER on form one token.
SPACE, OTHER, LOWER, UPPER, UNCASED, DIGIT = range(6)


class Tokens(NamedTuple):
    """The tokens of a batch of texts, one after the other.

    Attributes:
        code_points: int32 (characters,), the characters of all texts, one text after the other.
        classes: int32 (characters,), the class of each character.
        text_starts: int64 (batch,), the index in ``code_points`` where each text starts.
        text_ids: int64 (tokens,), the text of each token.
        starts: int64 (tokens,), the index in ``code_points`` of each token's first character.
        ends: int64 (tokens,), the index after its last character.
        forms: string (tokens,), the tokens in UTF-8.
    """

    code_points: tf.Tensor
    classes: tf.Tensor
    text_starts: tf.Tensor
    text_ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    forms: tf.Tensor


def tokenise(texts: tf.Tensor) -> Tokens:
    """Cuts texts into tokens.

    Args:
        texts: string (batch,), any bytes.

    Returns:
        The tokens of all texts, in order; a text that is empty or only spaces has none.
    """
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    code_points, text_ids = decoded.values, _row_ids(decoded)
    classes = _classify(code_points)

    is_word = classes >= LOWER
    same_text = tf.equal(text_ids, shift_right(text_ids, -1))
    joined = is_word & shift_right(is_word, False) & same_text  # with the character before
    starts = tf.where((classes != SPACE) & ~joined)[:, 0]
    ends = tf.where((classes != SPACE) & ~shift_left(joined, False))[:, 0] + 1
    return Tokens(
        code_points=code_points,
        classes=classes,
        text_starts=decoded.row_starts(),
        text_ids=tf.gather(text_ids, starts),
        starts=starts,
        ends=ends,
        forms=encode(code_points, starts, ends),
    )


# A separate function, so that a graph that calls it in several places holds it once.
@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None], tf.int64),
    ]
)
def encode(code_points: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Encodes stretches of characters as strings.

    Args:
        code_points: int32 (characters,).
        starts: int64 (stretches,), the index of each stretch's first character.
        ends: int64 (stretches,), the index after its last character.

    Returns:
        string (stretches,), UTF-8.
    """
    stretches = tf.ragged.range(starts, ends)
    characters = stretches.with_values(tf.gather(code_points, stretches.values))
    # tf.strings.unicode_encode replaces the 66 "noncharacters", which text may hold, by U+FFFD.
    # They are rare; only if a text has one, encode the characters one by one, which is slow.
    is_noncharacter = _is_noncharacter(characters.values)
    return tf.cond(
        tf.reduce_any(is_noncharacter),
        lambda: _encode_one_by_one(characters, is_noncharacter),
        lambda: tf.strings.unicode_encode(characters, "UTF-8"),
    )


def shift_right(values: tf.Tensor, first: object) -> tf.Tensor:
    """Moves every value one place to the right; the first place gets ``first``."""
    return tf.concat([[tf.cast(first, values.dtype)], values], axis=0)[:-1]


def shift_left(values: tf.Tensor, last: object) -> tf.Tensor:
    """Moves every value one place to the left; the last place gets ``last``."""
    return tf.concat([values, [tf.cast(last, values.dtype)]], axis=0)[1:]


@functools.lru_cache(maxsize=1)
def _class_table() -> tuple[np.ndarray, np.ndarray]:
    """Returns the code points where the class of characters changes, and the new classes."""
    characters = [chr(code_point) for code_point in range(sys.maxunicode + 1)]

    def holds(predicate: object) -> np.ndarray:
        return np.fromiter(map(predicate, characters), bool, len(characters))

    # The first condition that holds decides.
    classes = np.select(
        [
            holds(str.isspace),
            ~holds(str.isalnum),
            holds(str.islower),
            holds(str.isupper) | holds(str.istitle),
            holds(str.isalpha),
        ],
        [SPACE, OTHER, LOWER, UPPER, UNCASED],
        DIGIT,
    ).astype(np.int32)
    changes = np.flatnonzero(np.diff(classes, prepend=-1)).astype(np.int32)
    return changes, classes[changes]


def _classify(code_points: tf.Tensor) -> tf.Tensor:
    changes, classes = _class_table()
    return tf.gather(classes, tf.searchsorted(changes, code_points, side="right") - 1)


def _is_noncharacter(code_points: tf.Tensor) -> tf.Tensor:
    # The last two code points of each plane, and 32 in the first plane.
    ends_plane = tf.bitwise.bitwise_and(code_points, 0xFFFE) == 0xFFFE
    return ends_plane | ((code_points >= 0xFDD0) & (code_points <= 0xFDEF))


def _encode_one_by_one(characters: tf.RaggedTensor, is_noncharacter: tf.Tensor) -> tf.Tensor:
    code_points = characters.values
    noncharacters = [*range(0xFDD0, 0xFDF0)]
    noncharacters += [plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF)]
    which = tf.searchsorted(noncharacters, tf.where(is_noncharacter, code_points, 0xFDD0))
    strings = tf.where(
        is_noncharacter,
        tf.gather([chr(code_point).encode() for code_point in noncharacters], which),
        tf.strings.unicode_encode(code_points[:, tf.newaxis], "UTF-8"),
    )
    return tf.strings.unsorted_segment_join(strings, _row_ids(characters), characters.nrows())


def _row_ids(rows: tf.RaggedTensor) -> tf.Tensor:
    """The row of each value; ``RaggedTensor.value_rowids`` needs memory for rows x longest row."""
    places = tf.range(tf.size(rows.values, out_type=tf.int64))
    return tf.searchsorted(rows.row_splits, places, side="right", out_type=tf.int64) - 1
