"""The use of an export: ``Tagger``, streams of texts and the spaCy component.

Needs nothing of what trained the tagger. Uses the constants of ``serving``, ``formats``, ``pages``
and ``corpora``; imported by ``cli`` and by ``bioner_tf.load``.
"""
