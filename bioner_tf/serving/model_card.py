"""The model card of an export, its ``README.md``: use, scores, settings, limits and licence.

It is made from the export's metadata, which ``export/README.md`` describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from bioner_tf.corpora import fetch
from bioner_tf.serving.rules import OVERLAPS

# The origin of the paper's corpora, by the beginning of their names.
_ORIGINS = {
    "BC2GM": "BioCreative II, gene mention task (Smith et al. 2008)",
    "BC5CDR": "BioCreative V, chemical-disease relation task (Li et al. 2016)",
    "BioNLP09": "BioNLP 2009 shared task (Kim et al. 2009)",
    "BioNLP11ID": "BioNLP 2011, infectious diseases task (Pyysalo et al. 2011)",
    "BioNLP13PC": "BioNLP 2013, pathway curation task (Ohta et al. 2013)",
    "Ex-PTM": "exhaustive post-translational modifications (Pyysalo et al. 2011)",
    "JNLPBA": "JNLPBA 2004 shared task, based on GENIA (Kim et al. 2004)",
    "linnaeus": "LINNAEUS (Gerner et al. 2010)",
    "NCBI-disease": "NCBI disease corpus (Doğan et al. 2014)",
}


def write_model_card(metadata: Mapping[str, Any]) -> str:
    """Renders the model card of an export as Markdown.

    Args:
        metadata: The content of the export's ``tagger.metadata``.
    """
    names = [corpus["name"] for corpus in metadata["corpora"]]
    return _ENVIRONMENT.get_template("model_card.md.j2").render(
        metadata=metadata,
        names=", ".join(names),
        merging=_describe_merging(metadata["serving"]),
        served={
            corpus: list(dict.fromkeys(filter(None, types.values()))) or ["not served"]
            for corpus, types in metadata["serving"]["type_map"].items()
        },
        scores=[
            (corpus, split, found)
            for corpus, splits in metadata.get("scores", {}).items()
            for split, found in splits.items()
        ],
        # A temperature of 1 changes nothing.
        temperatures=[item for item in metadata.get("temperatures", {}).items() if item[1] != 1],
        settings=[item for part in metadata.get("settings", {}).values() for item in part.items()],
        origins=[
            (name, origin)
            for name in names
            for beginning, origin in _ORIGINS.items()
            if name == beginning or name.startswith(f"{beginning}-")
        ],
        terms=fetch.sources()["corpora"].licence,
    )


def _describe_merging(serving: Mapping[str, Any]) -> str:
    """How ``tag_text_all`` merges, in sentences."""
    sentences = []
    if serving["min_score"]:
        sentences.append(f"Entities with a score below {serving['min_score']:g} are dropped.")
    sentences.append(f"Where entities overlap: {OVERLAPS[serving['overlaps']]}.")
    return " ".join(sentences)


def _to_cell(text: object) -> str:
    # An unescaped bar would end the cell.
    return str(text).replace("|", r"\|")


def _format_setting(value: Any) -> str:
    """A setting's value in backticks, written as on the command line."""
    if value is None or value in ("", (), [], {}):
        return "not set"
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, Mapping):
        value = ",".join(f"{key}:{'+'.join(items)}" for key, items in value.items())
    elif isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return f"`{value}`"


# No HTML escaping: the card is Markdown.
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__),
    trim_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
_ENVIRONMENT.filters.update(
    cell=_to_cell,
    percent=lambda fraction: f"{100 * fraction:.2f}",
    setting=_format_setting,
)
