"""Cross-sharing: every corpus sees the private features of the others through a gate.

Source: paper, "Multi-task model with cross-sharing structure (CS-MTM)" and its figure 6.
"""

from __future__ import annotations

from tensorflow import keras

from bioner_tf.layers.features import GatedInteraction
from bioner_tf.models.builder import Outputs, Parts


def build(parts: Parts) -> Outputs:
    """Wires V_k = G_k ⊕ S for every corpus k.

    All private Bi-LSTMs run for every corpus, so a step for one corpus trains those of the others,
    too: their features pass through its gate.
    """
    encoders = parts.encoders(["shared", *(f"private.{corpus}" for corpus in parts.corpora)])

    words = parts.word_representations()
    shared, *private = parts.encode(words, encoders).values()
    parts.share([shared, *private])

    outputs = {}
    for k, corpus in enumerate(parts.corpora):
        others = private[:k] + private[k + 1 :]
        gate = parts.part(f"gate.{corpus}", GatedInteraction(name=f"gate.{corpus}"))
        gated = gate([private[k], *others])
        features = keras.layers.Concatenate(name=f"features.{corpus}")([gated, shared])
        outputs[corpus] = {"emissions": parts.emissions(corpus, features)}
    return outputs
