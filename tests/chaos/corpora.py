"""Damages corpus files at random and reads them: a corpus comes out, or an error of one line."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from bioner_tf.corpora import tags
from bioner_tf.corpora.corpus import read_split
from bioner_tf.errors import BionerError
from tests.chaos.table import Result

_TAGS = {
    "IOB2": ["O", "O", "B-Gene", "I-Gene", "B-Drug", "I-Drug"],
    "IOBES": ["O", "O", "B-Gene", "I-Gene", "E-Gene", "S-Gene", "S-Drug"],
}
_TOKENS = ["p53", "binds", "the", ".", "β-catenin", "蛋白質", "\u2028", "\u0301", "-DOCSTART-", "O"]
# What transfers, editors and spreadsheets may leave behind.
_PIECES = [
    *(b"\t", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"\x1f\x8b", b"\x0b", b"\x0c", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8"),
    *(b"O", b"B-", b"I-", b"B-Gene|I-Drug", b"|", b"-DOCSTART- O\n", b'"', b"#", b"1" * 5000),
]
# Errors of a file as a whole; all others name the line.
_OF_THE_FILE = ("no sentence", "data; unpack it", "UTF-16", "CR alone", "CR without LF")


def write_corpus_file(draws: random.Random) -> bytes:
    """Draws a file of one to eight sentences, most of them tagged legally."""
    scheme = draws.choice(list(_TAGS))
    blocks = []
    for _ in range(draws.randint(1, 8)):
        drawn = [draws.choice(_TAGS[scheme]) for _ in range(draws.randint(1, 7))]
        legal = drawn if draws.random() < 0.2 else tags.repair(drawn, scheme)[0]
        blocks.append("".join(f"{draws.choice(_TOKENS)}\t{tag}\n" for tag in legal))
    return "\n".join(blocks).encode()


def damage(content: bytes, draws: random.Random) -> bytes:
    """Changes one to four places."""
    for _ in range(draws.randint(1, 4)):
        start = draws.randint(0, len(content))
        end = min(len(content), start + draws.choice((1, 1, 2, 5, 40)))
        piece = content[start:end]
        kind = draws.choice(("remove", "insert", "replace", "flip", "repeat", "cut", "move"))
        if kind == "insert":
            piece = draws.choice(_PIECES) + piece
        elif kind == "replace":
            piece = draws.choice(_PIECES)
        elif kind == "flip":
            piece = bytes(byte ^ 1 << draws.randint(0, 7) for byte in piece)
        elif kind == "repeat":
            piece *= draws.randint(2, 4)
        elif kind == "cut":
            content = content[:start] if draws.random() < 0.5 else content[start:]
            continue
        elif kind == "move":
            content = content[end:] + piece + content[:start]
            continue
        else:
            piece = b""
        content = content[:start] + piece + content[end:]
    return content


def read_damaged(path: Path, strict: bool) -> tuple[str, str]:
    """Reads a file.

    Returns:
        ``"read"``, ``"refused at a line"`` or ``"refused as a whole"``, and what is wrong with
        that (or an empty string).
    """
    try:
        split = read_split(path, strict)
    except BionerError as error:
        message = str(error)
        if len(message.splitlines()) != 1:
            return "refused at a line", f"expected one line, got {message!r}"
        if any(reason in message for reason in _OF_THE_FILE):
            right = message.startswith(f"{path}: expected ")
            return "refused as a whole", "" if right else f"no path: {message!r}"
        found = re.match(re.escape(str(path)) + r":(\d+):(\d+:)? expected ", message)
        lines = path.read_bytes().count(b"\n") + 1
        right = found is not None and 1 <= int(found[1]) <= lines
        return "refused at a line", "" if right else f"no such line: {message!r}"
    except Exception as error:
        return "read", f"{type(error).__name__}: {error}"
    for sentence in split.sentences:
        if not sentence.tokens or len(sentence.tokens) != len(sentence.tags):
            return "read", f"{len(sentence.tokens)} tokens, {len(sentence.tags)} tags"
        if not all(sentence.tokens) or tags.repair(sentence.tags, split.scheme)[1]:
            return "read", f"an empty token or illegal tags: {sentence}"
    return "read", ""


def run(work: Path, count: int, seconds: float, seed: int) -> Result:
    """Damages and reads ``count`` files, or as many as there is time for."""
    path, deadline = work / "train.tsv", time.monotonic() + seconds
    outcomes = dict.fromkeys(("read", "refused at a line", "refused as a whole"), 0)
    failures: list[str] = []
    for number in range(count):
        if time.monotonic() > deadline:
            break
        # Any of them can be made again by itself.
        draws = random.Random(f"{seed} {number}")
        path.write_bytes(damage(write_corpus_file(draws), draws))
        outcome, failure = read_damaged(path, strict=number % 2 == 1)
        outcomes[outcome] += 1
        if failure:
            failures.append(f"file {number} of seed {seed}: {failure}")
    header = ["damaged corpus files", *outcomes, "failures"]
    row = [sum(outcomes.values()), *outcomes.values(), len(failures)]
    return Result(header, [row], failures)
