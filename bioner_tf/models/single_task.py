"""The baseline: one corpus, one Bi-LSTM, one CRF.

Source: paper, "Baseline single-task model (STM)" and its figure 2.
"""

from __future__ import annotations

from bioner_tf.models.builder import Outputs, TaggerBuilder


def build(builder: TaggerBuilder) -> Outputs:
    """Wires V = P."""
    (corpus,) = builder.corpora
    private = builder.encoders([f"private.{corpus}"])

    words = builder.word_representations()
    (encoded,) = builder.encode(words, private).values()

    return {corpus: {"emissions": builder.emissions(corpus, encoded)}}
