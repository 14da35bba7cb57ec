"""Pages that people read: headings, tables and pictures as Markdown, HTML and plain text.

Needs no TensorFlow. Uses the root modules only; imported by ``serving``, ``tagging``,
``experiments`` and ``cli``.
"""
