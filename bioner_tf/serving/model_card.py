"""The model card of an export: what its ``README.md`` says to somebody who has only the export.

Made of the export's metadata alone, whose form is described in ``export/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bioner_tf.corpora import fetch

_USAGE = """\
import tensorflow as tf

tagger = tf.saved_model.load(".")  # this directory
tag = tagger.signatures["serving_default"]

texts = ["Mutations of BRCA1 cause breast cancer."]
found = tag(text=tf.constant(texts))
for row, text in enumerate(texts):
    for i in range(int(found["entity_count"][row])):
        start, end = int(found["entity_start"][row, i]), int(found["entity_end"][row, i])
        kind = found["entity_type"][row, i].numpy().decode()
        print(text[start:end], kind, float(found["entity_score"][row, i]))
"""


def write_model_card(metadata: Mapping[str, Any]) -> str:
    """Tells in Markdown what an export holds, how it is used and how far it can be trusted.

    Args:
        metadata: The content of the export's ``tagger.metadata``.

    Returns:
        The card.
    """
    corpora = metadata["corpora"]
    names = ", ".join(corpus["name"] for corpus in corpora)
    sections = [
        "# A tagger of biomedical names",
        f"Finds entities in raw text; trained on {names} by bioner_tf {metadata['bioner_tf']} "
        f"(TensorFlow {metadata['tensorflow']}). It is a SavedModel of core TensorFlow operations: "
        "whatever loads SavedModels runs it, and needs neither bioner_tf nor Keras.",
        "## Use",
        f"With nothing but TensorFlow installed:\n\n```python\n{_USAGE}```",
        "A text is a sentence or a whole article. Offsets count Unicode code points in the text as "
        "it was sent, the end is exclusive; `entity_score` is the probability that exactly this "
        "span is an entity of this type.",
        "## Corpora",
        _table(
            ("corpus", "entity types", "tags", "raw text", "tokens"),
            [_corpus_row(corpus) for corpus in corpora],
        ),
        "`serving_default` and `tag_tokens` are those of the first, the main corpus. The last two "
        "columns name the signatures that tag as another corpus would.",
    ]
    sections += _scores(metadata.get("scores", {})) + _settings(metadata)
    sections += [
        "## Limits",
        f"- A sentence of more than {metadata['max_sentence_tokens']} tokens is cut, and of a "
        f"token no more than {metadata['max_characters']} characters are looked at.\n"
        "- It knows what its corpora know: other kinds of text (full articles after abstracts, "
        "patients' records after articles) are tagged less well than the scores say.\n"
        "- Entities neither nest nor overlap, and are not linked to any database.\n"
        "- Nothing here is fit to decide about a patient by itself.",
        "## Licence",
        f"The weights derive from {names}, and each corpus comes with terms of its own makers, as "
        "do pretrained word vectors where they were used: read them before passing this on.",
        *_origins([corpus["name"] for corpus in corpora]),
    ]
    return "\n\n".join(sections) + "\n"


# Who made the paper's corpora, by the beginning of their names.
_MAKERS = {
    "BC2GM": "the gene mention task of BioCreative II (Smith et al. 2008)",
    "BC5CDR": "the chemical-disease relation task of BioCreative V (Li et al. 2016)",
    "BioNLP09": "the shared task of BioNLP 2009 (Kim et al. 2009)",
    "BioNLP11ID": "the infectious diseases task of BioNLP 2011 (Pyysalo et al. 2011)",
    "BioNLP13PC": "the pathway curation task of BioNLP 2013 (Ohta et al. 2013)",
    "Ex-PTM": "exhaustive post-translational modifications (Pyysalo et al. 2011)",
    "JNLPBA": "the shared task of JNLPBA 2004, from GENIA (Kim et al. 2004)",
    "linnaeus": "LINNAEUS (Gerner et al. 2010)",
    "NCBI-disease": "the NCBI (Doğan et al. 2014)",
}


def _origins(names: Sequence[str]) -> list[str]:
    """Who made the corpora, as far as their names tell, and under which terms they come."""
    rows = [
        [name, maker]
        for name in names
        for beginning, maker in _MAKERS.items()
        if name == beginning or name.startswith(f"{beginning}-")
    ]
    if not rows:
        return []
    terms = fetch.sources()["corpora"].licence
    return [
        f"Corpora of these names, if they are what their names say, were {terms}:",
        _table(("corpus", "made for or by"), rows),
    ]


def _corpus_row(corpus: Mapping[str, Any]) -> list[str]:
    signatures = (f"`{corpus['signatures'][kind]}`" for kind in ("text", "tokens"))
    return [corpus["name"], ", ".join(corpus["types"]), corpus["scheme"], *signatures]


def _scores(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    rows = [
        [corpus, split, *(f"{100 * found[measure]:.2f}" for measure in _MEASURES)]
        for corpus, splits in scores.items()
        for split, found in splits.items()
    ]
    if not rows:
        return []
    told = "In per cent; an entity counts when its boundaries and its type are exactly right."
    return ["## Scores", told, _table(("corpus", "split", *_MEASURES), rows)]


_MEASURES = ("precision", "recall", "f1")


def _settings(metadata: Mapping[str, Any]) -> list[str]:
    rows = [
        [setting, f"`{value}`"]
        for settings in metadata.get("settings", {}).values()
        for setting, value in settings.items()
    ]
    return ["## Settings", _table(("setting", "value"), rows)] if rows else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    # A bar would end the cell.
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )
