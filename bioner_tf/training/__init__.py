"""From a configuration to a report: inputs, batches, updates, callbacks, checkpoints, scores.

Uses everything below it; imported by ``experiments`` and ``cli``.
"""
