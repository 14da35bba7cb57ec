"""Tensors without tasks: features, Bi-LSTMs, the CRFs and their decoding, the adversary.

Nothing here knows a corpus. Uses the root modules only; imported by ``sources``, ``serving``,
``models`` and everything above them. ``crf.py`` is the only importer of tensorflow-addons.
"""
