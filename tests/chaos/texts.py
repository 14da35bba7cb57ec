"""Sends generated texts through an export: each gets an answer, with offsets that fit it."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.chaos.table import Result

_WORDS = [
    *("the", "The", "gene", "GENE", "BRCA1", "binds", "p53", "in", "of", "Fig", "al", "E", "coli"),
    *("β-catenin", "IL-2R", "3.5", "kappa", "B", "min", "mRNA", "cafe\u0301", "Å", "ǅ", "Ⅷ", "ß"),
]
_GAPS = [" ", " ", " ", " ", "", "\n", "\r\n", "\r", "\n\n", "\t", "\u00a0", "\u2028", "\x85", "  "]
_MARKS = [*".,;:!?()[]{}'\"-/%+*_", "…", "”", "«", "\u0301", "\u200d", "\ufeff", "\x00", "\ufffd"]
_NASTY = [
    *(
        b"\xff",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\x80",
    ),
    *(
        "👩‍👩‍👧‍👦".encode(),
        "🇩🇪".encode(),
        "בְּ".encode(),
        "\u202e".encode(),
        b"\xef\xbf\xbe",
        b"\x1b[2J",
    ),
]
_BATCH = 500
# One of so many texts is also tagged alone.
_ALONE = 200


def draw_text(draws: random.Random) -> bytes:
    """Draws a text, most of it words; some of it is not UTF-8. One in 1,000 is long."""
    pieces = []
    for _ in range(draws.randint(0, 3000) if draws.random() < 0.001 else draws.randint(0, 14)):
        kind = draws.random()
        if kind < 0.7:
            piece = draws.choice(_WORDS).encode()
        elif kind < 0.85:
            piece = draws.choice(_MARKS).encode()
        elif kind < 0.9:
            piece = draws.choice(_NASTY)
        elif kind < 0.95:
            point = draws.choice((0x80, 0x800, 0x10000, 0x110000))
            piece = chr(draws.randrange(point)).encode("utf-8", "surrogatepass")
        else:
            piece = bytes(draws.randrange(256) for _ in range(draws.randint(1, 5)))
        pieces += [piece, draws.choice(_GAPS).encode()]
    return b"".join(pieces)


def check_answer(text: bytes, answer: dict[str, np.ndarray], types: frozenset[bytes]) -> str:
    """Returns what is wrong with the entities of a text, or an empty string."""
    decoded = text.decode("utf-8", "replace")
    count = answer["entity_count"]
    columns = [answer[f"entity_{name}"] for name in ("start", "end", "type", "text", "score")]
    before = 0
    for start, end, entity_type, mention, score in zip(*(column[:count] for column in columns)):
        if not before <= start < end <= len(decoded):
            return f"offsets {start} to {end} after {before} in {len(decoded)} characters"
        if decoded[start:end].encode() != mention:
            return f"{mention!r} is not the text from {start} to {end}"
        if entity_type not in types or not 0 < score <= 1.0001:
            return f"type {entity_type!r}, score {score}"
        before = end
    if any(column[count:].any() for column in columns):
        return "padding is not empty"
    return ""


def tag(signature: Any, texts: list[bytes]) -> list[dict[str, np.ndarray]]:
    """Returns the outputs of each text."""
    import tensorflow as tf

    outputs = {k: v.numpy() for k, v in signature(text=tf.constant(texts, tf.string)).items()}
    return [{name: values[row] for name, values in outputs.items()} for row in range(len(texts))]


def compare(alone: dict[str, np.ndarray], together: dict[str, np.ndarray]) -> str:
    """Returns in what a text's answer alone differs from that in a batch, or an empty string."""
    count = alone["entity_count"]
    if count != together["entity_count"]:
        return f"{count} entities alone, {together['entity_count']} in a batch"
    for name in ("start", "end", "type", "text"):
        values = [answer[f"entity_{name}"][:count].tolist() for answer in (alone, together)]
        if values[0] != values[1]:
            return f"{name} alone {values[0]}, in a batch {values[1]}"
    scores = [answer["entity_score"][:count] for answer in (alone, together)]
    return "" if np.allclose(*scores, atol=1e-5) else f"scores {scores}"


def run(work: Path, count: int, seconds: float, seed: int) -> Result:
    """Exports a tagger and tags ``count`` texts, or as many as there is time for."""
    from bioner_tf.serving.export import export_tagger
    from tests.helpers import random_tagger

    (work / "vocabulary").mkdir()
    tagger = random_tagger.build_random_tagger(work / "vocabulary")
    return tag_texts(export_tagger(tagger, work / "export"), count, seconds, seed)


def tag_texts(path: Path, count: int, seconds: float, seed: int) -> Result:
    """Tags texts with both corpora of an export of ``random_tagger``."""
    import tensorflow as tf

    from tests.helpers import random_tagger

    model = tf.saved_model.load(str(path))
    corpora = [
        (model.signatures[signature], frozenset(tag[2:].encode() for tag in tags if tag != "O"))
        for signature, tags in zip(
            ("tag_text_genes-IOB", "tag_text_more__IOBES_"), random_tagger.TAGS.values()
        )
    ]
    deadline, failures = time.monotonic() + seconds, []
    texts = characters = entities = alone = 0
    while texts < count and time.monotonic() < deadline:
        numbers = range(texts, min(count, texts + _BATCH))
        # Any of them can be made again by itself.
        batch = [draw_text(random.Random(f"{seed} {number}")) for number in numbers]
        signature, types = corpora[texts // _BATCH % len(corpora)]
        try:
            answers = tag(signature, batch)
        except Exception as error:
            failures.append(f"texts {numbers} of seed {seed}: {type(error).__name__}: {error}")
            answers = []
        for number, text, answer in zip(numbers, batch, answers):
            problem = check_answer(text, answer, types)
            if not problem and number % _ALONE == 0:
                problem, alone = compare(tag(signature, [text])[0], answer), alone + 1
            if problem:
                failures.append(f"text {number} of seed {seed}: {problem}")
            entities += int(answer["entity_count"])
        texts += len(batch)
        characters += sum(map(len, batch))
    header = ["generated texts", "bytes", "entities", "also alone", "failures"]
    return Result(header, [[texts, characters, entities, alone, len(failures)]], failures)
