"""Cross-sharing: every corpus uses the private features of the others through a gate.

Source: paper, "Multi-task model with cross-sharing structure (CS-MTM)" and its figure 6.
"""

from __future__ import annotations

from tensorflow import keras

from bioner_tf.layers.gate import GatedInteraction
from bioner_tf.models.builder import Outputs, TaggerBuilder, layer_name


def build(builder: TaggerBuilder) -> Outputs:
    """Wires V_k = G_k ⊕ S for every corpus k.

    All private Bi-LSTMs run for every corpus. A step for one corpus therefore also trains the
    private Bi-LSTMs of the others, through its gate.
    """
    encoders = builder.encoders(["shared", *(f"private.{corpus}" for corpus in builder.corpora)])

    words = builder.word_representations()
    shared, *private = builder.encode(words, encoders).values()
    builder.share([shared, *private])

    outputs = {}
    for k, corpus in enumerate(builder.corpora):
        others = private[:k] + private[k + 1 :]
        gate = builder.part(f"gate.{corpus}", GatedInteraction(name=layer_name(f"gate.{corpus}")))
        gated = gate([private[k], *others])
        features = keras.layers.Concatenate(name=layer_name(f"features.{corpus}"))([gated, shared])
        outputs[corpus] = {"emissions": builder.emissions(corpus, features)}
    return outputs
