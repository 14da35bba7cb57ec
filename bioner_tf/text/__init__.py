"""Strings to tokens and sentences, as TensorFlow operations that an export can hold.

Uses the root modules only; imported by ``sources``, ``serving`` and everything above them.
"""
