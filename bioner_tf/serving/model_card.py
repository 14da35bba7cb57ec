"""The model card of an export, its ``README.md``: use, scores, settings, limits and licence.

Made from the export's metadata alone, which ``export/README.md`` describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from bioner_tf.corpora import fetch

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


def write_model_card(metadata: Mapping[str, Any]) -> str:
    """Describes in Markdown what an export holds, how to use it and where its limits are.

    Args:
        metadata: The content of the export's ``tagger.metadata``.

    Returns:
        The card.
    """
    names = [corpus["name"] for corpus in metadata["corpora"]]
    return _ENVIRONMENT.get_template("model_card.md.j2").render(
        metadata=metadata,
        names=", ".join(names),
        scores=[
            (corpus, split, found)
            for corpus, splits in metadata.get("scores", {}).items()
            for split, found in splits.items()
        ],
        settings=[item for part in metadata.get("settings", {}).values() for item in part.items()],
        origins=[
            (name, maker)
            for name in names
            for beginning, maker in _MAKERS.items()
            if name == beginning or name.startswith(f"{beginning}-")
        ],
        terms=fetch.sources()["corpora"].licence,
    )


def _to_cell(text: object) -> str:
    # A bar would end the cell.
    return str(text).replace("|", r"\|")


def _format_setting(value: Any) -> str:
    """A setting's value as its flag takes it, in backticks."""
    if value is None or value in ("", (), [], {}):
        return "not set"
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, Mapping):
        value = ",".join(f"{key}:{'+'.join(items)}" for key, items in value.items())
    elif isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return f"`{value}`"


# Markdown: nothing to escape as HTML.
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
