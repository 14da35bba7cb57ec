"""Word vectors: loads pretrained ones into a table, and trains new ones.

No TensorFlow. Uses ``corpora``; imported by ``sources`` and everything above it.
"""
