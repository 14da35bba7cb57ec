"""Shared and private Bi-LSTMs, with losses that separate shared from private features.

Source: paper, "Adversarial multi-task model (ADV-MTM)" and its figure 5.
"""

from __future__ import annotations

from bioner_tf.layers.adversary import Difference, Discriminator
from bioner_tf.models.builder import Outputs, TaggerBuilder, layer_name
from bioner_tf.models.shared_private import wire_shared_private


def build(builder: TaggerBuilder) -> Outputs:
    """Wires V_k = P_k ⊕ S with L_adv and L_diff for every corpus k.

    The trainer adds alpha L_adv + beta L_diff to the task's loss (Eq. 17).
    """
    discriminator = builder.part(
        "discriminator", Discriminator(len(builder.corpora), name="discriminator")
    )
    outputs = {}
    for k, (corpus, wired) in enumerate(wire_shared_private(builder).items()):
        emissions, *encoded = wired
        shared, private = map(builder.to_sentences, encoded)
        outputs[corpus] = {
            "emissions": emissions,
            "adversarial": discriminator((shared, builder.lengths), corpus=k),
            "difference": Difference(name=layer_name(f"difference.{corpus}"))(
                (shared, private, builder.lengths)
            ),
        }
    return outputs
