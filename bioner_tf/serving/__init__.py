"""The SavedModel: its graph, its export, and what lies beside it.

Takes functions and files, never a Keras object or a module of ``models``. Uses ``sources``,
``layers``, ``text`` and ``corpora``; imported by ``training``, ``tagging`` and ``cli``.
"""
