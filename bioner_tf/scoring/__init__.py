"""How good predictions are: entity scores, confidence intervals, significance tests.

No TensorFlow. Uses ``corpora``; imported by ``training``, ``experiments`` and ``cli``.
"""
