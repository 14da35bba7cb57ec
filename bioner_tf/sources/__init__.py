"""Feature sources: what a network knows about a token, one module for each source.

A source owns its inputs, their encoding in Python and in the exported graph, its Keras layer and
its vocabulary file; ``base.py`` has the interface, ``registry.py`` the list of sources. Uses
``layers``, ``text``, ``vectors`` and ``corpora``; imported by ``models``, ``serving`` and above.
"""
