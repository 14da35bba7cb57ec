"""Tokenisation and sentence splitting as TensorFlow operations, so that an export contains them.

Uses the root modules only; imported by ``sources``, ``serving`` and everything above them.
"""
