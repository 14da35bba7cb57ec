r"""Scores the bundled tagger on its corpora's test splits and on corpora that it never saw.

    python benchmarks/quality/bundled.py --data_dir=corpora --output=docs/bio5.md

Writes the tables of ``docs/bio5.md``: strict and relaxed F1 with 95% intervals (1,000 draws), by
corpus and type, the expected calibration error, and scores across corpora, whose types get the
tagger's names first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

# The modules that the benchmarks of quality and of speed share.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from speed import harness

from bioner_tf.experiments.evaluate import Evaluation, evaluate
from bioner_tf.files import hash_file, write_text_atomically
from bioner_tf.pages.blocks import LEFT, RIGHT, Heading, Paragraph, Table, to_markdown
from bioner_tf.serving.versions import find_saved_model
from bioner_tf.tagging.bundled import find_bundled

TYPE_MAP = (
    *("GENE=Gene", "protein=Gene", "DNA=Gene", "RNA=Gene"),
    *("cell_line=Cell", "cell_type=Cell"),
)
# A corpus of the tagger, a corpus that it is scored on, and what the types of the latter are.
ACROSS = (
    ("BC2GM-IOB", "JNLPBA", ("cell_line=", "cell_type=")),
    ("BC2GM-IOB", "Ex-PTM-IOB", ("Protein=Gene",)),
    ("JNLPBA", "BC2GM-IOB", ("cell_line=", "cell_type=")),
    ("JNLPBA", "BioNLP11ID-ggp-IOB", ("cell_line=", "cell_type=", "Protein=Gene")),
    ("NCBI-disease-IOB", "BC5CDR-IOB", ("Chemical=",)),
    ("BC5CDR-IOB", "NCBI-disease-IOB", ("Chemical=",)),
    ("BC5CDR-IOB", "BioNLP11ID-chem-IOB", ("Disease=",)),
    ("linnaeus-IOB", "BioNLP11ID-species-IOB", ("Organism=Species",)),
)


def percent(value: float) -> str:
    """Formats a fraction."""
    return f"{100 * value:.2f}"


def score_cells(scores: dict[str, Any]) -> list[str]:
    """Returns strict precision and recall, and F1 with its interval."""
    low, high = scores["intervals"]["f1"]
    return [
        percent(scores["precision"]),
        percent(scores["recall"]),
        f"{percent(scores['f1'])} ({percent(low)} to {percent(high)})",
    ]


def own_rows(model: str, data_dir: str) -> Iterator[list[str]]:
    """Yields a row for each corpus and, where it has several, for each type."""
    evaluation = Evaluation(model=model, data_dir=data_dir, type_map=TYPE_MAP, calibration=True)
    for corpus, _, _, scores in evaluate(evaluation):
        relaxed = scores["relaxed"]
        error = f"{scores['calibration']['error']:.3f}"
        yield [
            corpus,
            "all" if len(scores["types"]) > 1 else next(iter(scores["types"])),
            *score_cells(scores),
            *(percent(relaxed[measure]["f1"]) for measure in ("partial", "type")),
            error,
        ]
        if len(scores["types"]) > 1:
            for name, found in scores["types"].items():
                shares = (relaxed[m]["types"][name]["f1"] for m in ("partial", "type"))
                yield [corpus, name, *score_cells(found), *map(percent, shares), ""]


def across_rows(model: str, data_dir: str) -> Iterator[list[str]]:
    """Yields a row for each pair of corpora."""
    for corpus, gold, types in ACROSS:
        evaluation = Evaluation(
            model=model,
            data_dir=data_dir,
            corpora=(corpus,),
            gold_corpora=(gold,),
            type_map=tuple(m for m in TYPE_MAP if not m.startswith(tuple(types))) + types,
        )
        for *_, scores in evaluate(evaluation):
            partial = percent(scores["relaxed"]["partial"]["f1"])
            yield [corpus, gold, ", ".join(scores["types"]), *score_cells(scores), partial]


def make_page(model: str, data_dir: str) -> str:
    """Scores the tagger; returns the page as Markdown."""
    measured = harness.machine()
    weights = find_saved_model(model) / "variables" / "variables.data-00000-of-00001"
    ends = ["precision", "recall", "F1 (95% interval)", "partial F1"]
    own = ["corpus", "type", *ends, "type F1", "calibration error"]
    across = ["tags of", "scored on", "types", *ends]
    return to_markdown(
        [
            Heading(1, "The bundled tagger bio5"),
            Paragraph(
                "It finds genes (with proteins, DNA and RNA), diseases, chemicals, species and "
                "cells (types and lines). One fully shared Bi-LSTM was trained on five corpora, "
                "each of which has its own CRF; `make bio5 DATA_DIR=corpora` repeats that. Its "
                "model card is in the package, in `data/bio5`, with settings and terms."
            ),
            Heading(2, "Scores on the test splits"),
            Paragraph(
                "An entity is correct if its span and type are exactly right. Partial F1 gives "
                "half a point for an overlap, type F1 a point for an overlap of the right type "
                "(SemEval 2013, task 9). The calibration error is the expected one over 10 bins. "
                "Intervals come from 1,000 draws of documents where the corpus has them, else of "
                "sentences. In per cent, but for the calibration error."
            ),
            _table(own, own_rows(model, data_dir), 2),
            Heading(2, "Scores across corpora"),
            Paragraph(
                "The tags of one corpus of the tagger, scored on the test split of a corpus with "
                "guidelines of its own. Many differences are differences of the guidelines: what "
                "counts as a gene, how long a name is."
            ),
            _table(across, across_rows(model, data_dir), 3),
            Paragraph(
                "Made by `benchmarks/quality/bundled.py --data_dir=corpora` on "
                f"{measured['date'][:10]} "
                f"({measured['processor']}, {measured['cores']} cores). SHA-256 of the tagger's "
                f"weights: `{hash_file(weights)}`."
            ),
        ]
    )


def _table(header: list[str], rows: Iterable[list[str]], names: int) -> Table:
    """A table whose first columns, ``names`` of them, are texts."""
    return Table(header, list(rows), [LEFT] * names + [RIGHT] * (len(header) - names))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the page, and writes it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="where the corpora are")
    parser.add_argument("--model", help="an export; by default the bundled tagger")
    parser.add_argument("--output", type=Path, help="a Markdown file to write")
    options = parser.parse_args(arguments)
    page = make_page(options.model or str(find_bundled()), options.data_dir)
    print(page)
    if options.output is not None:
        write_text_atomically(options.output, page)


if __name__ == "__main__":
    main()
