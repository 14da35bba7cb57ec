"""Document formats: how texts are read and how entities are written.

``registry`` has the one table of formats. No TensorFlow. Uses ``corpora`` and the root modules;
imported by ``tagging`` and ``cli``.
"""
