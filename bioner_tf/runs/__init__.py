"""The record of a run: its directory, its history, its report. The only reader and writer of both.

No TensorFlow. Uses ``corpora``; imported by ``training``, ``experiments`` and ``cli``.
"""
