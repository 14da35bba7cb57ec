"""Finds the entities in documents: reads them in any of the formats, and writes them in any.

The format of a file is told by its content and name. In plain text each line is a text, which may
be a sentence or a whole article; bytes that are not UTF-8 are read as U+FFFD.

With --output_format=jsonl each line of the output is an object
{"text": ..., "entities": [{"start", "end", "type", "text", "score", "corpus"}, ...]}: offsets count
Unicode code points from the start of the text, half-open; the score is the probability that exactly
this span is an entity of this type, in the terms of the corpus. Identifiers, passages and existing
annotations stay with their text. With --output_format=highlight, it is the text with its entities
marked, in colour on a terminal and as [text|Type 0.98] elsewhere. At the end, one line on stderr
counts what the format of the output cannot hold.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora.type_map import SYNTAX
from bioner_tf.formats.inputs import AUTO
from bioner_tf.formats.registry import FOLDER_WRITERS, READERS, WRITERS, describe
from bioner_tf.serving.rules import OVERLAPS, describe_overlaps
from bioner_tf.tagging.documents import EXISTING, EXISTING_HELP

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "An exported tagger, a directory of its versions (the newest is used) or a run directory; by "
    "default bio5, which finds genes, diseases, chemicals, species and cells.",
)
_INPUT = flags.DEFINE_multi_string(
    "input",
    ["-"],
    "A file to read, a folder with all files in it, or a pattern like 'pubmed/*.xml.gz'; - is "
    "standard input. May be given several times. Files may be compressed by gzip.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "-",
    "The file to write, or the folder with --output_format=brat; it appears when it is complete. "
    "- is standard output.",
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
_INPUT_FORMAT = flags.DEFINE_enum(
    "input_format",
    AUTO,
    [AUTO, *READERS],
    f"{AUTO}: by the content and the name of each file; {describe(READERS)}",
)
_OUTPUTS = [*WRITERS, *FOLDER_WRITERS]
_OUTPUT_FORMAT = flags.DEFINE_enum("output_format", "jsonl", _OUTPUTS, describe(_OUTPUTS))
_EXISTING = flags.DEFINE_enum(
    "existing",
    "keep",
    list(EXISTING),
    f"What to do with the annotations that documents have. {EXISTING_HELP}",
)
_REJECTS = flags.DEFINE_string(
    "rejects",
    None,
    "A file that lists the documents that cannot be read, as path:line and reason; they are left "
    "out. By default the first of them is an error.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Documents tagged at once.", lower_bound=1)
_CORES = flags.DEFINE_integer(
    "cores", None, "The most cores to use; by default all that the process may use.", lower_bound=1
)


def main(argv: list[str]) -> None:
    """Tags the input."""
    del argv  # only the program's name: every setting is a flag
    from bioner_tf.tagging.stream import tag_files

    tag_files(
        _MODEL.value,
        _INPUT.value,
        _OUTPUT.value,
        corpus=_CORPUS.value,
        type_map=_TYPE_MAP.value,
        min_score=_MIN_SCORE.value,
        overlaps=_OVERLAPS.value,
        input_format=_INPUT_FORMAT.value,
        output_format=_OUTPUT_FORMAT.value,
        existing=_EXISTING.value,
        rejects=_REJECTS.value,
        batch_size=_BATCH_SIZE.value,
        cores=_CORES.value,
    )


entry = app.command(main)

if __name__ == "__main__":
    entry()
