"""All corpora share everything except the CRFs.

Source: paper, "Fully-shared multi-task model (FS-MTM)" and its figure 3.
"""

from __future__ import annotations

from bioner_tf.models.builder import Outputs, TaggerBuilder


def build(builder: TaggerBuilder) -> Outputs:
    """Wires V_k = S for every corpus k."""
    encoders = builder.encoders(["shared"])

    words = builder.word_representations()
    (shared,) = builder.encode(words, encoders).values()
    builder.share([shared])

    return {corpus: {"emissions": builder.emissions(corpus, shared)} for corpus in builder.corpora}
