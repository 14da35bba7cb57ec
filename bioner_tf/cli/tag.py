"""Finds the entities in raw text: reads one text per line, writes one line for each.

A text may be a sentence or a whole article. With --output_format=jsonl each line is an object
{"text": ..., "entities": [{"start", "end", "type", "text", "score", "corpus"}, ...]}: offsets count
Unicode code points from the start of the text, half-open; the score is the probability that exactly
this span is an entity of this type, in the terms of the corpus. With --output_format=highlight, it
is the text with its entities marked, in colour on a terminal and as [text|Type 0.98] elsewhere.
Bytes that are not UTF-8 are read as U+FFFD.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora.type_map import SYNTAX
from bioner_tf.formats.registry import READERS, WRITERS, describe
from bioner_tf.serving.rules import OVERLAPS, describe_overlaps

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "An exported tagger, a directory of its versions (the newest is used) or a run directory; by "
    "default bio5, which finds genes, diseases, chemicals, species and cells.",
)
_INPUT = flags.DEFINE_string("input", "-", "The file to read; - is standard input.")
_OUTPUT = flags.DEFINE_string(
    "output", "-", "The file to write; it appears when it is complete. - is standard output."
)
_CORPUS = flags.DEFINE_string(
    "corpus",
    None,
    "Give only the entities of this corpus, with its own types. By default the answer is the one "
    "that the tagger was exported for: the entities of all its corpora, merged.",
)
_TYPE_MAP = flags.DEFINE_list("type_map", [], f"Rename types of the answer: {SYNTAX}.")
_MIN_SCORE = flags.DEFINE_float(
    "min_score",
    None,
    "Drop entities with a lower score, before overlaps are settled; by default as exported.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_OVERLAPS = flags.DEFINE_enum(
    "overlaps",
    None,
    list(OVERLAPS),
    f"What to do with entities that overlap; by default as exported. {describe_overlaps()}",
)
_INPUT_FORMAT = flags.DEFINE_enum("input_format", "text", list(READERS), describe(READERS))
_OUTPUT_FORMAT = flags.DEFINE_enum("output_format", "jsonl", list(WRITERS), describe(WRITERS))
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Texts tagged at once.", lower_bound=1)
_CORES = flags.DEFINE_integer(
    "cores", None, "The most cores to use; by default all that the process may use.", lower_bound=1
)


def main(argv: list[str]) -> None:
    """Tags the input."""
    del argv  # only the program's name: every setting is a flag
    from bioner_tf.tagging.stream import tag_file

    tag_file(
        _MODEL.value,
        _INPUT.value,
        _OUTPUT.value,
        corpus=_CORPUS.value,
        type_map=_TYPE_MAP.value,
        min_score=_MIN_SCORE.value,
        overlaps=_OVERLAPS.value,
        input_format=_INPUT_FORMAT.value,
        output_format=_OUTPUT_FORMAT.value,
        batch_size=_BATCH_SIZE.value,
        cores=_CORES.value,
    )


entry = app.command(main)

if __name__ == "__main__":
    entry()
