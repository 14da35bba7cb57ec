"""One shared Bi-LSTM for all corpora, and a private one for each.

Source: paper, "Shared-private multi-task model (SP-MTM)" and its figure 4.
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from bioner_tf.models.builder import Outputs, TaggerBuilder, layer_name


def build(builder: TaggerBuilder) -> Outputs:
    """Wires V_k = P_k ⊕ S for every corpus k."""
    return {
        corpus: {"emissions": emissions}
        for corpus, (emissions, _, _) in wire_shared_private(builder).items()
    }


def wire_shared_private(
    builder: TaggerBuilder,
) -> dict[str, tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Returns emissions, S and P_k for every corpus k; only its own private Bi-LSTM runs."""
    encoders = builder.encoders(["shared", *(f"private.{corpus}" for corpus in builder.corpora)])

    words = builder.word_representations()

    wired = {}
    for corpus in builder.corpora:
        active = {name: encoders[name] for name in ("shared", f"private.{corpus}")}
        shared, private = builder.encode(words, active).values()
        features = keras.layers.Concatenate(name=layer_name(f"features.{corpus}"))(
            [private, shared]
        )
        wired[corpus] = (builder.emissions(corpus, features), shared, private)
    return wired
