"""Document formats: how texts are read and how entities are written.

``registry`` has the table of all formats. Needs no TensorFlow. Uses ``corpora`` and the root
modules; imported by ``tagging`` and ``cli``.
"""
