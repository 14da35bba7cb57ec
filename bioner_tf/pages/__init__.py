"""Pages for people: tables, headings and pictures as Markdown, HTML and plain text.

No TensorFlow. Uses the root modules only; imported by ``serving``, ``tagging``, ``experiments`` and
``cli``.
"""
