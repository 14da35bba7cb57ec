"""Layers: features, Bi-LSTMs, CRFs and their decoding, the gate, the adversary.

They do not depend on corpora. Uses the root modules only; imported by ``sources``, ``serving``,
``models`` and everything above them. Only ``crf.py`` imports tensorflow-addons.
"""
