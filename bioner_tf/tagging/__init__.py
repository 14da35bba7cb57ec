"""Tagging with an export: ``Tagger``, streams of texts and the spaCy component.

Needs no Keras model and no training code. Uses the constants of ``serving``, ``formats``, ``pages``
and ``corpora``; imported by ``cli`` and by ``bioner_tf.load``.
"""
