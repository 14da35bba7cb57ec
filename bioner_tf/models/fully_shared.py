"""Everything but the CRFs is shared by all corpora.

Source: paper, "Fully-shared multi-task model (FS-MTM)" and its figure 3.
"""

from __future__ import annotations

from bioner_tf.models.builder import Outputs, Parts


def build(parts: Parts) -> Outputs:
    """Wires V_k = S for every corpus k."""
    encoders = parts.encoders(["shared"])

    words = parts.word_representations()
    (shared,) = parts.encode(words, encoders).values()
    parts.share([shared])

    return {corpus: {"emissions": parts.emissions(corpus, shared)} for corpus in parts.corpora}
