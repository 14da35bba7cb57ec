"""Annotated sentences: tags, corpora on disk, vocabularies, predictions, the demo, downloads.

Plain Python and NumPy, no TensorFlow. Uses the root modules only; every folder but ``layers``,
``text`` and ``pages`` may import it.
"""
