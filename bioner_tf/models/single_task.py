"""The baseline: one corpus, one Bi-LSTM, one CRF.

Source: paper, "Baseline single-task model (STM)" and its figure 2.
"""

from __future__ import annotations

from bioner_tf.models.builder import Outputs, Parts


def build(parts: Parts) -> Outputs:
    """Wires V = P."""
    (corpus,) = parts.corpora
    private = parts.encoders([f"private.{corpus}"])

    words = parts.word_representations()
    (encoded,) = parts.encode(words, private).values()

    return {corpus: {"emissions": parts.emissions(corpus, encoded)}}
